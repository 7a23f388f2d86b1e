"""Training of the engine ``hybrid``: on pages made here it learns what is content, twice the same, and says what it cannot read."""

import json
from pathlib import Path
from typing import Any

import pytest

from corpus.errors import InputError
from corpus.extraction.main_content import Model, main_text
from corpus.extraction.training import domain_of, is_held_out, read_pages, train_extractor
from corpus.kernels.markup import scan
from tests.benchmarks.disguise import SCRIPTS, disguise

SENTENCE = "the old mill stood by a river and nobody knew who had built it or why so they asked her again in spring"
WORDS = SENTENCE.split()


def page(number: int) -> dict[str, Any]:
    """A menu, three paragraphs and a footer, in an order and with words of their own."""
    text = [" ".join(WORDS[(number * 7 + at * 3 + step) % len(WORDS)] for step in range(25 + at)) + "." for at in range(3)]
    menu = "".join(f"<li><a href=/{at}>{WORDS[(number + at) % len(WORDS)]} {at}</a></li>" for at in range(8))
    body = "".join(f"<p>{each}</p>" for each in text)
    html = f"<body><nav class=menu><ul>{menu}</ul></nav><div class=content>{body}</div><footer><p>All rights {number}</p></footer></body>"
    return {"html": html, "url": f"http://site{number}.example{number}.com/", "text": "\n".join(text), "set": "made"}


def test_it_learns_and_the_same_pages_give_the_same_bytes(tmp_path: Path) -> None:
    pages = [page(number) for number in range(60)]
    told = train_extractor(pages, tmp_path / "a.npz")
    train_extractor(pages[::-1], tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert told.f1["made"] > 0.95
    unseen = next(row for row in pages if is_held_out(domain_of(row["url"])))
    assert main_text(scan(unseen["html"].encode()), Model.from_bytes((tmp_path / "a.npz").read_bytes())).split() == unseen["text"].split()


def test_too_few_pages(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too few labelled pages"):
        train_extractor([page(0)], tmp_path / "a.npz")


@pytest.mark.parametrize("line", ["no JSON", '{"html": "<p>x"}', '{"text": "x"}', "[]", '{"html": "nowhere.html", "text": "x"}'])
def test_a_bad_line_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "pages.jsonl").write_text(json.dumps(page(0)) + "\n" + line + "\n")
    with pytest.raises(InputError, match=r"pages\.jsonl:2"):
        list(read_pages([tmp_path / "pages.jsonl"]))


def test_pages_by_path(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>Grüße</p>")
    (tmp_path / "pages.jsonl").write_text('{"html": "a.html", "text": "Grüße"}')
    assert [row["html"] for row in read_pages([tmp_path / "pages.jsonl"])] == ["<p>Grüße</p>"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://blog.example.co.uk/a", "example.co.uk"),
        ("http://a.b.example.com", "example.com"),
        ("http://co.uk.de/", "uk.de"),
        ("x", "x"),
    ],
)
def test_domains(url: str, expected: str) -> None:
    assert domain_of(url) == expected


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_page_in_another_script(script: str) -> None:
    source = page(3)["html"] + "<p>Fish &amp; chips, 3 &lt; 4!</p>"
    ours, theirs = scan(source.encode()), scan(disguise(source, script).encode())
    assert ours.nodes[:, :3].tolist() == theirs.nodes[:, :3].tolist()
    assert len(ours.blocks) == len(theirs.blocks)
    assert not any(character.isascii() and character.isalpha() for at in range(len(theirs.blocks)) for character in theirs.block_text(at))
    assert "3 < 4" in theirs.block_text(len(theirs.blocks) - 1)
