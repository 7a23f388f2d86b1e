"""Languages of short texts, profiles against plain Python, labels of other models, and a model of the user's."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import AssetError
from corpus.kernels.profiles import sequences, sums
from corpus.language.codes import code
from corpus.language.identify import BOTH, MODEL, IdentifyLanguage, identify
from corpus.language.profiles import Profiles, second_opinion, shipped
from corpus.recipe import from_data

texts = st.lists(st.one_of(st.none(), st.text(alphabet=st.sampled_from("aBéЖ我\u0301 \n1.,-"), max_size=12)), min_size=1, max_size=6)


def plain_sequences(text: str | None) -> list[str]:
    """Each sequence as a string, in the order of where it ends, the shortest first."""
    letters = [each.lower() if each.isalpha() or each == "\u0301" else " " for each in text or ""]
    spaced = " ".join("".join(letters).split())
    spaced = f" {spaced} " if spaced else ""
    return [spaced[at - length + 1 : at + 1] for at in range(1, len(spaced)) for length in range(1, min(4, at + 1) + 1)]


@given(texts, texts)
def test_sequences_are_those_of_plain_python(first: list[str | None], second: list[str | None]) -> None:
    """The same sequence has the same bucket everywhere, different ones have different ones (32 bits), and sums add up their weights."""
    both = [*first, *second]
    buckets, starts = sequences(pa.array(both, pa.string()), 31)
    rows = [buckets[start:end].tolist() for start, end in zip(starts[:-1], starts[1:], strict=True)]
    pairs = {(text, bucket) for row, told in zip(both, rows, strict=True) for text, bucket in zip(plain_sequences(row), told, strict=True)}
    assert len(pairs) == len({text for text, _ in pairs}) == len({bucket for _, bucket in pairs})
    weights = np.random.default_rng(0).integers(-127, 127, (1024, 3)).astype(np.int8)
    small, _ = sequences(pa.array(both, pa.string()), 10)
    plain = [
        [sum(int(weights[at, language]) for at in small[start:end]) for language in range(3)]
        for start, end in zip(starts[:-1], starts[1:], strict=True)
    ]
    assert sums(small, starts, weights).tolist() == plain


def test_weights_by_hand() -> None:
    """Of "aa" in x the sequences are a, ' a', a, aa, ' aa', ' ', 'a ', 'aa ', ' aa ': in y there is no letter of it, so that all but the
    space speak for x, the space for none; a text without either is left alone.
    """
    profiles = Profiles.of([("x", "aa " * 200), ("y", "bb " * 200)])
    evidence = profiles.evidence(["aa", "bb", ""])
    assert evidence[0, 0] > 1 > -1 > evidence[0, 1]
    assert evidence[0].tolist() == evidence[1, ::-1].tolist()
    assert evidence[2].tolist() == [0, 0]
    asked = [[("y", 0.5), ("x", 0.3), ("z", 0.15)], [("z", 0.6), ("q", 0.4)]]
    told = second_opinion(["aa aa aa aa", "aa"], asked, profiles)
    assert [language for language, _ in told[0]] == ["x", "z", "y"]
    assert sum(score for language, score in told[0] if language in "xy") == pytest.approx(0.8, abs=1e-4)
    assert dict(told[0])["z"] == 0.15
    assert told[1] == asked[1]


def test_short_texts_are_asked_twice() -> None:
    """Lines that lid.176 takes for another language; a long text is not asked about again, and without letters nobody decides."""
    lines = {"Nei takk, ikke noe annet i dag.": "no", "Kvifor kjem du ikkje heim?": "nn", "Prečo neprídeš domov?": "sk"}
    long = "The quick brown fox jumps over the lazy dog while the farmer looks on. " * 4
    batch = document.new_batch(id=[str(at) for at in range(6)], text=[*lines, long, " ", None])
    told = IdentifyLanguage(min_score=0.0)(batch)
    assert told["language"].to_pylist() == [*lines.values(), "en", None, None]
    assert told["signals.language_by"].to_pylist() == [BOTH] * 3 + [MODEL, None, None]
    assert all(len(listed) <= 3 for listed in told["languages"].to_pylist())
    alone = IdentifyLanguage(min_score=0.0, short_characters=0)(batch)
    assert alone["signals.language_by"].to_pylist() == [MODEL] * 4 + [None] * 2
    assert alone["language"][3].as_py() == "en"
    assert set(lines.values()) < set(shipped().languages)


def test_sentences_of_tatoeba(shared_data) -> None:  # type: ignore[no-untyped-def]
    """A sample that no profile was learned from: the second opinion is right more often, and where it is sure too."""
    folder = shared_data("lid") / "facebookresearch__LASER" / "tatoeba" / "v1"
    pairs = {
        "nob": "no",
        "dan": "da",
        "swe": "sv",
        "ces": "cs",
        "slk": "sk",
        "glg": "gl",
        "por": "pt",
        "nld": "nl",
        "afr": "af",
        "ukr": "uk",
        "bul": "bg",
    }
    asked = [
        (label, line) for name, label in pairs.items() for line in (folder / f"tatoeba.{name}-eng.{name}").read_text().splitlines()[:100]
    ]
    lines = [line for _, line in asked]
    right = []
    for short in (200, 0):
        told, _ = identify(lines, short_characters=short)
        right.append(sum(bool(found) and found[0][0] == label for found, (label, _) in zip(told, asked, strict=True)) / len(asked))
    assert right[0] > right[1] + 0.02, right


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("__label__eng_Latn", "en"), ("__label__arb_Arab", "ar"), ("__label__cmn_Hani", "zh"), ("__label__zho_Hant", "zh"),
        ("__label__nob_Latn", "no"), ("__label__srp_Cyrl", "sr"), ("__label__gsw_Latn", "gsw"), ("__label__als_Latn", "sq"),
        ("__label__als", "als"),
        ("__label__de", "de"), ("__label__und_Mong", None), ("__label__zxx_Zxxx", None),
    ],
)  # fmt: skip
def test_labels_of_other_models(label: str, expected: str | None) -> None:
    assert code(label) == expected


@pytest.fixture(scope="module")
def glot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small fastText model with GlotLID's labels: English, German, Serbian in two scripts, and what is no language."""
    folder = tmp_path_factory.mktemp("glot")
    kinds = {
        "eng_Latn": "the cat sat on the mat and the dog was there",
        "deu_Latn": "der Hund und die Katze sind nicht hier im Haus",
        "srp_Cyrl": "пас и мачка нису овде у кући данас",
        "srp_Latn": "pas i mačka nisu ovde u kući danas",
        "zxx_Zxxx": "xkq zzv qqw vvx kkz wqx",
    }
    words = {label: text.split() for label, text in kinds.items()}
    lines = [
        f"__label__{label} {' '.join(listed[at % len(listed) :] + listed[: at % 5])}" for label, listed in words.items() for at in range(60)
    ]
    (folder / "lines.txt").write_text("\n".join(lines) + "\n")
    settings = "lr=0.5, dim=16, wordNgrams=2, bucket=100000, epoch=20, thread=1, verbose=0"
    code = f"import sys, fasttext; fasttext.train_supervised(sys.argv[1], {settings}).save_model(sys.argv[2])"
    zeroed = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}  # see quality/training.py
    subprocess.run([sys.executable, "-c", code, folder / "lines.txt", folder / "glot.bin"], check=True, env=zeroed)
    return folder / "glot.bin"


def test_a_model_of_the_users(glot: Path, tmp_path: Path) -> None:
    step = IdentifyLanguage(model=str(glot), languages=("de", "sr"), min_score=0.5)
    asked = ["der Hund und die Katze", "the cat and the dog was", "пас и мачка", "pas i mačka nisu", "xkq zzv qqw vvx"]
    told = step(document.new_batch(id=list("abcde"), text=asked))
    assert told["language"].to_pylist()[:4] == ["de", "en", "sr", "sr"]
    assert told["language"][4].as_py() not in ("zxx", "zxx_Zxxx")
    assert [faults[0]["reason"] if faults else "" for faults in told["failed"].to_pylist()][:4] == ["", "language:not_wanted", "", ""]
    assert told["signals.language_by"].to_pylist()[:4] == [MODEL] * 4
    assert all(len({each["language"] for each in listed}) == len(listed) for listed in told["languages"].to_pylist())
    recipe = from_data({"name": "x", "sources": ["jsonl"], "steps": [{"identify_language": {"model": str(glot)}}]})
    assert recipe.assets() == [str(glot)], "its digest goes into the manifest"
    (tmp_path / "no.bin").write_bytes(b"no model")
    with pytest.raises(AssetError, match=r"this is no fastText model: .*no.bin"):
        identify(["a"], str(tmp_path / "no.bin"))
