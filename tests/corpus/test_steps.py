"""Document steps on small texts: what each does, without Spark."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import AssetError, InputError
from corpus.extraction.charset import decode
from corpus.extraction.html import ExtractHtml
from corpus.language.identify import IdentifyLanguage
from corpus.language.stopwords import languages, stop_words
from corpus.language.words import SegmentWords
from corpus.normalize.unicode import NormalizeUnicode
from corpus.normalize.whitespace import NormalizeWhitespace
from corpus.quality.c4 import C4Lines, C4Paragraph
from corpus.quality.classifier import QualityClassifier
from corpus.quality.fineweb import FinewebQuality
from corpus.quality.gopher import GopherQuality
from corpus.quality.repetition import GopherRepetition
from corpus.quality.training import area_under_roc, auc_interval, read_examples, train_classifier
from corpus.rights import ReadRights, license_of, stated_opt_outs
from corpus.step import DocumentStep
from corpus.toxicity.classifier import ToxicityClassifier
from corpus.toxicity.wordlist import ToxicWords
from corpus.urls.blocklist import BlockUrls, host

PROSE = "The miller's daughter walked along the river in the morning, and she counted the geese that were sleeping on the bank. "


def run(step: DocumentStep, *texts: str | None, language: str | None = "en", **columns: Any) -> pa.RecordBatch:
    """The step on texts of one language, segmented if it reads words."""
    batch = document.new_batch(id=[str(at) for at in range(len(texts))], text=list(texts), language=[language] * len(texts), **columns)
    return step(SegmentWords()(batch) if "words" in step.reads else batch)


def reasons(batch: pa.RecordBatch) -> list[list[str]]:
    return [[fault["reason"] for fault in row] for row in batch["failed"].to_pylist()]


def pages(*bodies: bytes, media_type: str = "text/html", charset: str | None = None, headers: Any = ()) -> pa.RecordBatch:
    rows = len(bodies)
    kind = pa.list_(pa.struct([("name", pa.string()), ("value", pa.string())]))
    return document.new_batch(
        id=[str(at) for at in range(rows)],
        url=["http://a.example/dir/page"] * rows,
        payload=pa.array(list(bodies), pa.binary()),
        media_type=pa.array([media_type] * rows),
        http_charset=pa.array([charset] * rows, pa.string()),
        http_headers=pa.array([[{"name": name, "value": value} for name, value in headers]] * rows, kind),
    )


ARTICLE = (
    "<html lang='en-GB'><head><title>A  mill</title><link rel=canonical href='/canonical'>"
    "<meta property='article:published_time' content='2024-05-06T07:08:09Z'></head>"
    f"<body><nav><a href=/>Home</a> <a href=/b>About</a></nav><article><h1>A mill</h1><p>{PROSE * 6}</p></article>"
    "<footer>All rights reserved</footer></body></html>"
).encode()


@pytest.mark.parametrize("engine", ["hybrid", "resiliparse", "trafilatura"])
def test_extraction(engine: Any) -> None:
    batch = ExtractHtml(engine=engine)(pages(ARTICLE, b"", b"<html><body></body></html>", None))  # type: ignore[arg-type]
    text = batch["text"][0].as_py()
    assert "counted the geese" in text
    assert "Home" not in text
    assert (batch["title"][0].as_py(), batch["signals.declared_language"][0].as_py()) == ("A mill", "en-gb")
    assert batch["signals.canonical_url"][0].as_py() == "http://a.example/canonical"
    assert batch["signals.published"][0].as_py() == "2024-05-06"
    assert reasons(batch)[0] == []
    assert reasons(batch)[1:3] == [["html:no_text"], ["html:no_text"]]
    assert "payload" not in batch.schema.names


def test_extraction_has_bounds() -> None:
    batch = ExtractHtml(max_html_bytes=1000, max_tags=50)(pages(b"x" * 1001, b"<p>" * 51, b"<p>fine words here</p>"))
    assert reasons(batch) == [["html:too_large"], ["html:too_deep"], []]
    fault = batch["failed"][0].as_py()[0]
    assert (fault["value"], fault["threshold"]) == (1001.0, 1000.0)


def test_plain_text_and_a_page_nested_without_end() -> None:
    assert ExtractHtml()(pages(b"a < b\n<b>", media_type="text/plain"))["text"][0].as_py() == "a < b\n<b>"
    batch = ExtractHtml()(pages(b"<div>" * 20_000 + b"deep words" + b"</div>" * 20_000))
    assert batch.num_rows == 1


@pytest.mark.parametrize(
    ("payload", "http", "expected"),
    [
        ("é".encode("utf-8-sig"), "iso-8859-1", ("é", "bom")),
        ("é".encode("utf-16"), None, ("é", "bom")),
        ("é".encode("latin-1"), "iso-8859-1", ("é", "http")),
        ("“é”".encode("cp1252"), "iso-8859-1", ("“é”", "http")),  # the label means cp1252
        (b'<meta charset="windows-1251">' + "Ж".encode("cp1251"), None, ('<meta charset="windows-1251">Ж', "meta")),
        (b'<meta charset="utf-16">' + "Ж".encode(), None, ('<meta charset="utf-16">Ж', "meta")),
        ("日本".encode("shift_jis"), "Shift_JIS", ("日本", "http")),
        ("中文".encode("gb18030"), "gb2312", ("中文", "http")),
        ("é".encode(), "no-such-charset", ("é", "detector")),
        ("é".encode(), None, ("é", "detector")),
        ("éàüöñçßø".encode(), "iso-8859-1", ("éàüöñçßø", "detector")),  # eight characters that can only be UTF-8
        ("éàüöñçß".encode(), "iso-8859-1", ("Ã©Ã\xa0Ã¼Ã¶Ã±Ã§ÃŸ", "http")),
        (b'<meta charset="gb2312">' + "中文网页中文网页".encode(), None, ('<meta charset="gb2312">中文网页中文网页', "detector")),
        ("中文网页中文网页".encode("gb18030"), "gb2312", ("中文网页中文网页", "http")),
        (b"\xff\xfea\x00", None, ("a", "bom")),
        (b"caf\xe9 \x81", "utf-8", ("caf\ufffd \ufffd", "http")),
    ],
)
def test_charsets(payload: bytes, http: str | None, expected: tuple[str, str]) -> None:
    assert decode(payload, http, is_html=True) == expected


@given(st.binary(max_size=300), st.one_of(st.none(), st.sampled_from(["utf-8", "gbk", "utf-7", "hz", "x-user-defined", "\x00", "base64"])))
def test_decoding_never_raises(payload: bytes, charset: str | None) -> None:
    text, source = decode(payload, charset, is_html=True)
    text.encode()
    assert source in ("bom", "http", "meta", "detector")


@given(st.text(max_size=200))
def test_normalisation_is_idempotent_and_keeps_marks(text: str) -> None:
    step = NormalizeUnicode()
    once = run(step, text)["text"][0].as_py()
    assert run(step, once)["text"][0].as_py() == once
    assert unicodedata.is_normalized("NFC", once)
    marks = [character for character in unicodedata.normalize("NFD", text) if unicodedata.category(character) == "Mn"]
    assert marks == [character for character in unicodedata.normalize("NFD", once) if unicodedata.category(character) == "Mn"]


def test_what_normalisation_removes() -> None:
    assert run(NormalizeUnicode(), "a\u200bb\u202ec\ufeffd\x00e\r\nf\u2028g")["text"][0].as_py() == "abcde\nf\ng"
    assert run(NormalizeUnicode(), "कुल می\u200cخواهم ½ Ａ")["text"][0].as_py() == "कुल می\u200cخواهم ½ Ａ"
    assert run(NormalizeUnicode(form="NFKC"), "Ａ")["text"][0].as_py() == "A"
    batch = run(NormalizeWhitespace(), " a \t b \n\n\n\n c\u00a0 ", " \n ")
    assert batch["text"].to_pylist() == ["a b\n\nc", ""]
    assert reasons(batch) == [[], ["text:empty"]]


SENTENCES = {
    "en": "The river is cold in the morning.", "de": "Der Fluss ist am Morgen noch sehr kalt.", "fr": "La rivière est froide le matin.",
    "es": "El río está frío por la mañana.", "ru": "Утром река очень холодная.", "ar": "النهر بارد جدا في الصباح الباكر.",
    "hi": "सुबह नदी का पानी बहुत ठंडा होता है।", "zh": "早上河里的水很冷，我们在岸边走了很久才回家。",
    "th": "แม่น้ำเย็นมากในตอนเช้า", "el": "Το ποτάμι είναι κρύο το πρωί.",
}  # fmt: skip


def test_language_and_script() -> None:
    batch = run(IdentifyLanguage(min_score=0.5), *SENTENCES.values(), "", "12345 !!", None)
    assert batch["language"].to_pylist()[: len(SENTENCES)] == list(SENTENCES)
    assert batch["script"].to_pylist()[: len(SENTENCES)] == ["Latn", "Latn", "Latn", "Latn", "Cyrl", "Arab", "Deva", "Hani", "Thai", "Grek"]
    assert all(1 <= len(row) <= 3 for row in batch["languages"].to_pylist()[: len(SENTENCES)])
    assert reasons(batch)[-3:] == [["language:unsure"]] * 3
    wanted = run(IdentifyLanguage(languages=("de",), min_score=0.5), *SENTENCES.values())
    assert [row for row, code in zip(reasons(wanted), SENTENCES, strict=True) if "language:not_wanted" not in row] == [[]]


def test_stop_words() -> None:
    assert {"en", "de", "fr", "es", "ru", "ar", "hi", "zh"} <= set(languages())
    assert {"the", "be", "to", "of", "and", "that", "have", "with"} <= (stop_words("en") or set())
    assert stop_words("xx") is None
    assert stop_words(None) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (PROSE * 4, None),
        (PROSE, "gopher:too_few_words"),
        ("word " * 100_001, "gopher:too_many_words"),
        ("it is at a of " * 20, "gopher:words_too_short"),
        ("the extraordinarily incomprehensible internationalisation " * 20, "gopher:words_too_long"),
        ((PROSE + "# # # ") * 4, "gopher:too_many_hashes"),
        ((PROSE.replace(",", "... ... ...")) * 4, "gopher:too_many_ellipses"),
        ("\n".join(["- " + PROSE] * 4), "gopher:too_many_bullet_lines"),
        ("\n".join([PROSE[:-2] + "…"] * 4), "gopher:too_many_ellipsis_lines"),
        ((PROSE + "12 34 56 78 90 11 22 ") * 4, "gopher:too_few_alphabetic_words"),
        ("geese river bank morning miller daughter " * 12, "gopher:too_few_stop_words"),
    ],
)
def test_gopher(text: str, reason: str | None) -> None:
    assert reasons(run(GopherQuality(), text))[0][:1] == ([reason] if reason else [])  # lists of words lack stop words besides


def test_gopher_where_a_character_is_a_word_and_without_a_list() -> None:
    assert reasons(run(GopherQuality(), "早上河里的水很冷，我们在岸边走了很久。" * 5, language="zh")) == [[]]
    assert reasons(run(GopherQuality(), "Το ποτάμι είναι κρύο το πρωί και μείναμε. " * 10, language="el")) == [[]]


def test_gophers_variants() -> None:
    upper = PROSE.upper() * 4
    assert reasons(run(GopherQuality(), upper)) == [[]]
    assert reasons(run(GopherQuality(variant="datatrove"), upper)) == [["gopher:too_few_stop_words"]]
    same = "the river the bank the morning miller daughter geese sleeping " * 8
    assert reasons(run(GopherQuality(), same)) == [["gopher:too_few_stop_words"]]
    assert reasons(run(GopherQuality(variant="dolma"), same)) == [[]]


def test_repetition_judges() -> None:
    lines = "\n".join(["The same line of seven words here."] * 10)
    assert "repetition:duplicate_lines" in reasons(run(GopherRepetition(), lines))[0]
    assert reasons(run(GopherRepetition(), PROSE + "Later a boat came down with flour for the bakers of four villages below.")) == [[]]
    assert reasons(run(GopherRepetition(), None, "")) == [[], []]


def test_c4() -> None:
    text = "\n".join([
        "This line has a full stop at its end.", "This one has none at its end", "Too short.",
        "Please enable JavaScript to see this page now.",
        "By going on you accept our cookie policy as it stands.", "A second good line[3] stands here with a citation.",
        "A third good line is also here now!",
    ])  # fmt: skip
    batch = run(C4Lines(), text)
    assert batch["text"][0].as_py().split("\n") == [
        "This line has a full stop at its end.", "A second good line stands here with a citation.", "A third good line is also here now!",
    ]  # fmt: skip
    assert [batch[f"signals.c4_{name}"][0].as_py() for name in ("unpunctuated", "few_words", "javascript", "policy")] == [1, 1, 1, 1]
    assert reasons(batch) == [[]]
    assert reasons(run(C4Lines(variant="paper"), text)) == [["c4:too_few_sentences"]]
    assert "This one has none" in run(C4Lines(terminal_punctuation=False), text)["text"][0].as_py()
    assert reasons(
        run(C4Lines(), text + "\nA line of code with one { in it.", text + "\nLorem ipsum dolor sit amet.", "nothing\nhere")
    ) == [
        ["c4:curly_brace"],
        ["c4:lorem_ipsum"],
        ["c4:no_lines_left", "c4:too_few_sentences"],
    ]
    assert reasons(run(C4Lines(curly_brace=False), text + "\nA line of code with one { in it.")) == [[]]
    assert reasons(run(C4Paragraph(), "\n".join([PROSE * 2] * 3), PROSE)) == [[], ["c4:too_few_long_lines"]]


def test_fineweb() -> None:
    good = "\n".join(f"{PROSE}{number}." for number in "abcdef")
    assert reasons(run(FinewebQuality(), good)) == [[]]
    assert reasons(run(FinewebQuality(), good.replace(".", ""))) == [["fineweb:too_few_punctuated_lines"]]
    assert reasons(run(FinewebQuality(), "\n".join(f"Short line {number}." for number in range(10)))) == [["fineweb:too_many_short_lines"]]
    assert reasons(run(FinewebQuality(), good + "\n" + good)) == [["fineweb:duplicate_line_chars"]]
    slight = "\n".join([f"{PROSE}{number}." for number in range(40)] + [f"{PROSE}0."])
    assert reasons(run(FinewebQuality(), slight)) == [[]]
    assert reasons(run(FinewebQuality(variant="datatrove"), slight)) == [["fineweb:duplicate_line_chars"]]


def test_toxic_words_have_right_boundaries() -> None:
    clean = ["The people of Scunthorpe and Essex met in Penistone to discuss shitake mushrooms.", "Der Professor analysierte die Klassen."]
    for text in clean:
        assert run(ToxicWords(), text)["signals.toxic_words"].to_pylist() == [0]
    assert run(ToxicWords(), "This fucking thing is shit!")["signals.toxic_words"].to_pylist() == [2]
    assert run(ToxicWords(), "SHIT happens, Motherfucker.")["signals.toxic_words"].to_pylist() == [2]
    assert run(ToxicWords(), "Das ist Scheiße.", language="de")["signals.toxic_words"].to_pylist() == [1]
    assert run(ToxicWords(), "他妈的天气很好", language="zh")["signals.toxic_words"][0].as_py() > 0
    assert run(ToxicWords(), "это блядки", language="ru")["signals.toxic_words"].to_pylist() == [1]
    assert reasons(run(ToxicWords(), "shit " + "clean " * 150, "shit " + "clean " * 50)) == [[], ["toxicity:too_many_words"]]
    assert reasons(run(ToxicWords(max_fraction=0.0), "shit " + "clean " * 150)) == [["toxicity:too_many_words"]]


def test_urls() -> None:
    step = BlockUrls(domains=("Bad.example",), urls=("http://good.example/x",), words=("casino",), soft_words=("free", "win", "cheap"))
    urls = ["http://www.bad.example/", "http://notbad.example/", "http://good.example/x", "http://a.example/casino-royale",
            "http://a.example/casinos", "http://a.example/free%20win", "http://a.example/free", "", None, "http://[bad"]  # fmt: skip
    batch = step(document.new_batch(id=[str(at) for at in range(len(urls))], url=urls))
    assert reasons(batch) == [
        ["url:blocked_domain"], [], ["url:blocked_url"], ["url:blocked_word"], [], ["url:soft_words"], [], [], [], [],
    ]  # fmt: skip
    assert reasons(BlockUrls()(document.new_batch(id=["1", "2"], url=["http://essex.example/sussex", "http://a.example/essays"]))) == [
        [],
        [],
    ]
    assert host("http://User@WWW.Example.com.:80/x") == "www.example.com"


def test_a_blocklist_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# adult\nbad.example\n")
    batch = document.new_batch(id=["1"], url=["http://a.bad.example/"])
    assert reasons(BlockUrls(domain_files=(str(tmp_path / "list.txt"),))(batch)) == [["url:blocked_domain"]]
    with pytest.raises(AssetError, match="cannot read the list of domains"):
        BlockUrls(domain_files=(str(tmp_path / "none.txt"),))(batch)


@pytest.mark.parametrize(
    ("headers", "meta", "expected"),
    [
        ([], "", []),
        ([], "<meta name=ROBOTS content='NoIndex, nofollow'>", ["rights:noindex"]),
        ([("x-robots-tag", "none")], "", ["rights:noindex"]),
        ([("x-robots-tag", "otherbot: noindex, nofollow")], "", []),
        ([("x-robots-tag", "ccbot: noindex")], "", ["rights:noindex"]),
        ([("x-robots-tag", "max-snippet: 5, noai")], "", ["rights:noai"]),
        ([("tdm-reservation", "1")], "", ["rights:tdm_reserved"]),
        ([], "<meta name=tdm-reservation content=0>", []),
        ([], "<meta name=tdm-reservation content=1><meta name=robots content=noai>", ["rights:noai", "rights:tdm_reserved"]),
    ],
)
def test_rights(headers: list[tuple[str, str]], meta: str, expected: list[str]) -> None:
    body = f"<html><head>{meta}</head><body><p>{PROSE}</p></body></html>".encode()
    extracted = ExtractHtml()(pages(body, headers=headers))
    assert reasons(ReadRights()(extracted)) == [expected]
    assert reasons(ReadRights(respect=())(extracted)) == [[]]


def test_usage_preferences_in_a_header() -> None:
    body = f"<html><head><meta name=tdm-reservation content=1></head><body><p>{PROSE}</p></body></html>".encode()
    extracted = ExtractHtml()(pages(body, headers=[("content-usage", "train-ai=n, search=y;q=1, odd=3")]))
    read = ReadRights(respect=("aipref", "tdmrep"))(extracted)
    assert reasons(read) == [["rights:tdm_reserved", "rights:aipref"]]
    assert reasons(ReadRights()(extracted)) == [["rights:tdm_reserved"]]
    assert reasons(ReadRights(respect=("aipref",))(extracted)) == [["rights:aipref"]]
    assert read["rights"][0].as_py()["content_usage"] == ["search=y", "train-ai=n"]
    assert sorted(stated_opt_outs(read["rights"]).to_pylist()) == ["tdm-reservation=1", "train-ai=n"]


@pytest.mark.parametrize(
    "markup",
    [
        '<script type=\'application/ld+json\'>{"@graph": [{"license": {"@id": "https://creativecommons.org/licenses/by/4.0/"}}]}</script>',
        '<script type=\'application/ld+json\'>[{}, {"license": ["http://creativecommons.org/licenses/by/4.0"]}]</script>',
        "<meta property='dc:rights' content='CC, https://creativecommons.org/licenses/by/4.0/'>",
        "<meta name='DCTERMS.rights' content='CC-BY-4.0'>",
    ],
)
def test_licences_in_a_page(markup: str) -> None:
    body = f"<html><head>{markup}</head><body><p>{PROSE}</p></body></html>".encode()
    for engine in ("hybrid", "resiliparse"):
        assert ReadRights()(ExtractHtml(engine=engine)(pages(body)))["license"].to_pylist() == ["CC-BY-4.0"]  # type: ignore[arg-type]


def test_licences() -> None:
    assert license_of("https://creativecommons.org/licenses/by-sa/4.0/deed.de") == "CC-BY-SA-4.0"
    assert license_of("http://creativecommons.org/publicdomain/zero/1.0/") == "CC0-1.0"
    assert license_of("Apache-2.0") == "Apache-2.0"
    assert license_of("all rights reserved") is None


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    with (folder / "labelled.jsonl").open("w") as lines:
        for number in range(120):
            lines.write(json.dumps({"label": "good", "text": f"{PROSE} {number} and then the story went on."}) + "\n")
            lines.write(json.dumps({"label": "bad", "text": f"buy cheap pills {number} click here now best price casino"}) + "\n")
    result = train_classifier(read_examples([folder / "labelled.jsonl"]), folder / "model.bin")
    assert all(auc > 0.99 for auc in result.auc.values())
    assert "held-out AUC" in str(result)
    return folder / "model.bin"


def test_classifiers(model: Path) -> None:
    batch = run(QualityClassifier(model=str(model)), PROSE, "cheap pills casino click here", None)
    assert reasons(batch) == [[], ["classifier:low_quality"], []]
    scores = batch["signals.quality_score"].to_pylist()
    assert scores[0] > 0.9 > 0.1 > scores[1]
    toxic = run(ToxicityClassifier(model=str(model), label="bad"), PROSE, "cheap pills casino click here")
    assert reasons(toxic) == [[], ["classifier:toxic"]]
    with pytest.raises(AssetError, match=r"knows no label 'great'.*it knows (good|bad)"):
        run(QualityClassifier(model=str(model), label="great"), PROSE)


def test_training_is_the_same_again_whatever_memory_held_before(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_PERTURB_", "165")  # glibc then fills what it hands out
    train_classifier(read_examples([model.with_name("labelled.jsonl")]), tmp_path / "again.bin")
    assert (tmp_path / "again.bin").read_bytes() == model.read_bytes()


def test_training_data_that_will_not_do(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"label": "good"}\n')
    with pytest.raises(InputError, match=r"x\.jsonl:1"):
        list(read_examples([path]))
    with pytest.raises(InputError):
        train_classifier([("good", "one"), ("bad", "two")], tmp_path / "m.bin")
    with pytest.raises(InputError):
        train_classifier([("good", f"text {number}") for number in range(50)], tmp_path / "m.bin")
    assert not (tmp_path / "m.bin").exists()


def test_area_under_the_curve() -> None:
    assert area_under_roc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True])) == 0.75
    assert area_under_roc(np.array([0.5, 0.5]), np.array([False, True])) == 0.5


def test_interval_of_the_area_under_the_curve() -> None:
    # shares .5 and 1 of two positives, 1 and .5 of two negatives: each of variance 1/8, so the deviation is sqrt(1/16 + 1/16)
    low, high = auc_interval(np.array([0.1, 0.4, 0.35, 0.8]), np.array([False, False, True, True]))
    assert (low, high) == (pytest.approx(0.75 - 1.959964 * 0.125**0.5), 1.0)
    chance = np.random.default_rng(0)
    missed = 0
    for _ in range(400):  # 40 texts that nothing tells apart: 0.5 lies outside in about 5 %
        low, high = auc_interval(chance.random(40), np.arange(40) < 20)
        missed += not low <= 0.5 <= high
    assert 8 <= missed <= 40
