"""What may be asked of a new tokenizer: digits, composed characters, reserved tokens, weights of languages; and how much it may hold."""

import json
import random
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from corpus.errors import InputError, ResumeError
from corpus.storage import locate
from jobs.train_tokenizer import command
from tests.conftest import REPOSITORY
from tests.processes import environment, gristmill
from tests.road import corpus_of
from tokenization.objectives import Objective, special_ids
from tokenization.sample import Sample
from tokenization.tokenizer import KINDS, SPECIAL, Tokenizer, load
from tokenization.train import RESERVED, train_tokenizer

WORDS = {
    "eng": "the mill grinds corn while river runs past old stone wall 1234 and 20261128 , .\n",
    "deu": "die Mühle mahlt Korn während der Fluß an alter Mauer vorüber fließt 77 ; !\n",
    "zho": "磨 坊 研 磨 谷 物 河 水 流 过 古 老 的 石 墙 。",
}


def texts(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """(language, text): pairs of words run together, so that there is much to learn."""
    draw, made = random.Random(seed), []
    for _ in range(count):
        language = draw.choice(list(WORDS))
        words = WORDS[language].split(" ")
        made.append((language, " ".join(draw.choice(words) + draw.choice(words) for _ in range(80))))
    return made


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus_of(tmp_path_factory.mktemp("options") / "corpus", texts(300))


@pytest.fixture(scope="module")
def asked(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Tokenizer, AutoTokenizer]]:
    """Each kind with all that can be asked of it."""
    folder, made = tmp_path_factory.mktemp("asked"), {}
    for kind in KINDS:
        digits = "three" if kind == "bytes" else "single"
        train_tokenizer(str(corpus), folder / kind, kind=kind, vocabulary=540, nfc=True, reserve=8, digits=digits)
        made[kind] = load(folder / kind), AutoTokenizer.from_pretrained(folder / kind)
    return made


@given(text=st.text(max_size=100) | st.text(alphabet="e\u0301\u0327 ü\u0308<|im_start|>extra_0fim\n20", max_size=40))
def test_composed_and_nothing_else(asked: dict[str, tuple[Tokenizer, AutoTokenizer]], text: str) -> None:
    for ours, theirs in asked.values():
        ids = ours.encode(text)
        assert ids.tolist() == theirs(text, add_special_tokens=False)["input_ids"]
        assert not (ids < len(SPECIAL) + 8).any(), "a special or reserved token made from text"
        if "\u2581" not in text and unicodedata.is_normalized("NFC", text):
            assert ours.decode(ids) == text
    if "\u2581" not in text:
        assert len({ours.decode(ours.encode(text)) for ours, _ in asked.values()}) == 1


def test_reserved(asked: dict[str, tuple[Tokenizer, AutoTokenizer]], corpus: Path) -> None:
    names = [*RESERVED, "<|extra_0|>", "<|extra_1|>", "<|extra_2|>"]
    for ours, theirs in asked.values():
        assert ours.vocabulary == 540
        assert theirs.convert_tokens_to_ids(names) == list(range(4, 12))
        assert ours.pieces()[4:12] == names
        assert ours.decode([1, 4, *ours.encode("corn"), 5, 2]) == "corn"
        for text in (*names, "x<|im_start|>y", "<|extra_0|><|extra_1|>"):
            assert ours.decode(ours.encode(text)) == text
            assert ours.encode(text).tolist() == theirs(text, add_special_tokens=False)["input_ids"]


def test_reserved_tokens_serve_filling_in(corpus: Path, tmp_path: Path) -> None:
    train_tokenizer(str(corpus), tmp_path / "t", kind="bytes", vocabulary=300, reserve=7)
    assert special_ids(tmp_path / "t", Objective(fim=0.5)) == {"<|fim_prefix|>": 6, "<|fim_suffix|>": 7, "<|fim_middle|>": 8}
    assert special_ids(tmp_path / "t", Objective(span_corruption=0.15)) == {"<|extra_0|>": 9, "<|extra_1|>": 10}


def test_digits_by_three(asked: dict[str, tuple[Tokenizer, AutoTokenizer]], corpus: Path) -> None:
    ours = asked["bytes"][0]
    assert [ours.decode([each]) for each in ours.encode("20261128")] == ["202", "611", "28"]
    with pytest.raises(InputError, match="bpe has its digits one by one"):
        train_tokenizer(str(corpus), Path("/nowhere"), kind="bpe", vocabulary=560, digits="three")


def test_bytes_depend_on_no_order_and_no_threads(tmp_path: Path) -> None:
    """The same texts in another order, on one thread and on five."""
    some, made = texts(300), []
    for threads, order in (("1", some), ("5", some[::-1])):
        folder = corpus_of(tmp_path / f"corpus{threads}", order, held_out=0)
        arguments = ["train-tokenizer", folder, "--kind", "bytes", "--vocab-size", "500", "--output", tmp_path / threads]
        ran = gristmill(*arguments, RAYON_NUM_THREADS=threads)
        assert ran.returncode == 0, ran.stderr
        assert "all there is" in " ".join(ran.stdout.split())
        made.append((tmp_path / threads / "tokenizer.json").read_bytes())
    assert made[0] == made[1]


def test_weights_of_languages(corpus: Path, tmp_path: Path) -> None:
    place = locate(str(corpus))
    plain, heavy = (Sample(place, 10**9, weights).facts() for weights in ({}, {"deu": 2.0, "zho": 0.0}))
    assert set(heavy["languages"]) == {"deu", "eng"}
    assert heavy["languages"]["deu"] == plain["languages"]["deu"], "the largest weight takes all"
    assert heavy["languages"]["eng"] == pytest.approx(plain["languages"]["eng"] / 2, rel=0.25)
    assert heavy == Sample(place, 10**9, {"deu": 2.0, "zho": 0.0}).facts()
    whole, few = ([each.text for each in Sample(place, cap, {"deu": 2.0}).documents()] for cap in (10**9, 5000))
    assert whole[: len(few)] == few
    with pytest.raises(InputError, match=r"no such language in the sample: --language-weight fra \(there are deu, eng, zho\)"):
        train_tokenizer(str(corpus), tmp_path / "x", kind="bytes", vocabulary=300, language_weights={"fra": 3.0})


def test_the_cap_is_said(corpus: Path, tmp_path: Path) -> None:
    arguments = [str(corpus), "--output", str(tmp_path / "t"), "--kind", "bytes", "--vocab-size", "300", "--sample-bytes", "20000"]
    ran = CliRunner().invoke(command, [*arguments, "--language-weight", "deu=2"])
    assert ran.exit_code == 0, ran.output
    assert "no more is read, as --sample-bytes says" in " ".join(ran.output.split())
    made = json.loads((tmp_path / "t" / "manifest.json").read_bytes())
    assert made["sample"]["capped"]
    assert made["language_weights"] == {"deu": 2.0}
    with pytest.raises(ResumeError, match="changed: language_weights"):
        CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert "deutsch is no LANGUAGE=N" in CliRunner().invoke(command, [*arguments, "--language-weight", "deutsch"]).output


def test_memory_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    """Twenty times the text, 150 MB more, under the same cap of 1 MB: far from held. Not flat to the byte: 38 to 52 MB more were seen."""
    peaks = []
    for times in (1, 20):
        some = texts(500 * times, seed=1)
        corpus_of(tmp_path / str(times), [(language, text * 25) for language, text in some], held_out=0)
        code = (
            "import sys; from pathlib import Path; from tokenization.train import train_tokenizer\n"
            "for kind in ('bytes', 'bpe'):\n"
            "    train_tokenizer(sys.argv[1], Path(sys.argv[2]) / kind, kind=kind, vocabulary=400, sample_bytes=1_000_000)\n"
            "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / str(times)), str(tmp_path / f"t{times}")],
            cwd=REPOSITORY, env=environment(), capture_output=True, text=True, check=True,
        )  # fmt: skip
        peaks.append(int(ran.stdout) / 1024)
    assert peaks[1] - peaks[0] < 100, peaks
