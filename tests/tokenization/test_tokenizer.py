"""The four kinds of tokenizer: no text is unknown, nothing is lost, and transformers gives the same ids."""

import json
import shutil
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from corpus.errors import AssetError, GristmillError, InputError
from tests.road import documents
from tokenization.fertility import fertility
from tokenization.tokenizer import BOS, EOS, KINDS, SPECIAL, UNKNOWN, Tokenizer, _parts, load
from tokenization.train import Trained, train_tokenizer

HARD = [
    "", " ", "  two spaces", "end ", "\n", "\n\n\tindented\r\n", "\x00 nul", "\ufffe\uffff", "\ufeffmark", "a\u2028b\x85c\xa0d",
    "<s></s><unk><pad>", "<0x0A> <0xff>", "x<s>y", "##word ↳ a", "0123456789 3.14", "a" * 3000, " " * 300, "ab" * 500,
    "Zürich naïve Ĳssel ﬁ", "Привет, мир", "مرحبا بالعالم", "हिन्दी में", "中文文本", "日本語のテキスト", "ไทย", "한국어", "עברית", "ქართული",
    "😀👨‍👩‍👧‍👦🏳️‍🌈", "e\u0301 \u0915\u094d\u0937", "\U0010ffff\U00020000", "≠∑∫√", "​\u200d\u202e",
]  # fmt: skip


@pytest.fixture(scope="module")
def trained(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Trained]:
    folder = tmp_path_factory.mktemp("tokenizers")
    return {kind: train_tokenizer(str(small_corpus), folder / kind, kind=kind, vocabulary=1024) for kind in KINDS}


@pytest.fixture(scope="module")
def pairs(trained: dict[str, Trained]) -> dict[str, tuple[Tokenizer, AutoTokenizer]]:
    return {kind: (load(each.folder), AutoTokenizer.from_pretrained(each.folder)) for kind, each in trained.items()}


def check(ours: Tokenizer, theirs: AutoTokenizer, text: str) -> None:
    ids = ours.encode(text)
    assert ids.tolist() == theirs(text, add_special_tokens=False)["input_ids"], text
    assert not (ids < len(SPECIAL)).any(), "a special token, or <unk>, made from text"
    if "\u2581" not in text:
        assert ours.decode(ids) == text
        assert theirs.decode(ids.tolist(), clean_up_tokenization_spaces=False) == text


@pytest.mark.parametrize("kind", KINDS)
def test_hard_text(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]], kind: str) -> None:
    for text in HARD:
        check(*pairs[kind], text)


@pytest.mark.parametrize("kind", KINDS)
def test_documents(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]], small_corpus: Path, kind: str) -> None:
    for row in documents(small_corpus)[:100]:
        check(*pairs[kind], row["text"])


@given(text=st.text(max_size=200))
def test_any_text(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]], text: str) -> None:
    for kind in KINDS:
        check(*pairs[kind], text)


@given(words=st.lists(st.sampled_from([*"\n\n\r\t \x85\x1c\u2028'.aZ1_é\u0301中ก\u1161", "\n\n", "'s", "ll", "123", "word"]), max_size=60))
def test_cut_into_parts_the_ids_are_those_of_the_whole(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]], words: list[str]) -> None:
    with mock.patch("tokenization.tokenizer._PART", 0):
        check(*pairs["bytes"], "".join(words))


def test_a_long_text_is_cut_between_lines() -> None:
    text = "first line\n" * 1000 + "\n  last"
    parts = _parts(text)
    assert "".join(parts) == text
    assert len(parts) == 6
    assert all(part.startswith("first") for part in parts)


@pytest.mark.parametrize("kind", KINDS)
def test_specials_and_sizes(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]], kind: str) -> None:
    ours, theirs = pairs[kind]
    assert ours.vocabulary == len(theirs) == 1024
    assert theirs("a")["input_ids"][0] == BOS == theirs.bos_token_id
    assert theirs.eos_token_id == EOS
    assert ours.decode(np.array([BOS, *ours.encode("a b"), EOS])) == "a b"
    assert ours.decode(ours.encode("\ud800x")) == "\N{REPLACEMENT CHARACTER}x", "a lone surrogate is no character"


def test_digits_stand_alone(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]]) -> None:
    for ours, _ in pairs.values():
        assert [ours.decode(ours.encode("20261124")[at : at + 1]) for at in range(8)] == list("20261124")


def test_the_same_corpus_gives_the_same_bytes(trained: dict[str, Trained], small_corpus: Path, tmp_path: Path) -> None:
    for kind, there in trained.items():
        again = train_tokenizer(str(small_corpus), tmp_path / kind, kind=kind, vocabulary=1024)
        for file in there.folder.iterdir():
            assert file.read_bytes() == (again.folder / file.name).read_bytes(), (kind, file.name)


def test_the_sample_is_capped_and_of_the_training_split(small_corpus: Path, tmp_path: Path) -> None:
    made = train_tokenizer(str(small_corpus), tmp_path / "capped", kind="bpe", vocabulary=1024, sample_bytes=200_000)
    first = next(row for row in documents(small_corpus) if row["split"] == "train")
    assert 200_000 <= made.manifest["sample"]["bytes"] < 200_000 + 100_000
    assert made.manifest["sample"]["documents"] > 10
    assert len(first["text"].encode()) <= made.manifest["sample"]["bytes"]


def test_ids_are_sentencepieces_own(trained: dict[str, Trained]) -> None:
    for kind in ("bpe", "unigram"):
        theirs = sentencepiece.SentencePieceProcessor(model_file=str(trained[kind].folder / "tokenizer.model"))
        ours = load(trained[kind].folder)
        for text in HARD:
            assert ours.encode(text).tolist() == theirs.encode(text), (kind, text)


def test_again_it_is_there_and_another_is_refused(trained: dict[str, Trained], small_corpus: Path) -> None:
    folder = trained["bpe"].folder
    assert train_tokenizer(str(small_corpus), folder, kind="bpe", vocabulary=1024).resumed
    with pytest.raises(GristmillError, match="changed: vocabulary"):
        train_tokenizer(str(small_corpus), folder, kind="bpe", vocabulary=1000)


def test_bad_input(trained: dict[str, Trained], small_corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no manifest\.json"):
        train_tokenizer(str(tmp_path), tmp_path / "x", kind="bpe", vocabulary=1024)
    for vocabulary, told in ((300, r"alone are \d{3}: a larger --vocab-size"), (10_000_000, "set it to a value <= ")):
        with pytest.raises(InputError, match=f"sentencepiece could not train.*{told}"):
            train_tokenizer(str(small_corpus), tmp_path / "x", kind="bpe", vocabulary=vocabulary)
    with pytest.raises(InputError, match="the text is too little for that many ids"):
        train_tokenizer(str(small_corpus), tmp_path / "x", kind="bytes", vocabulary=1_000_000)
    with pytest.raises(InputError, match="take 516 or more"):
        train_tokenizer(str(small_corpus), tmp_path / "x", kind="wordpiece", vocabulary=400)
    assert not (tmp_path / "x").exists()
    with pytest.raises(AssetError, match="no tokenizer folder"):
        load(tmp_path)
    shutil.copytree(trained["bpe"].folder, tmp_path / "damaged")
    (tmp_path / "damaged" / "tokenizer.model").write_bytes(b"no model")
    with pytest.raises(AssetError, match="not the one that its manifest names"):
        load(tmp_path / "damaged")


def test_fertility_counts(pairs: dict[str, tuple[Tokenizer, AutoTokenizer]]) -> None:
    tokenizer = pairs["bpe"][0]
    rows = fertility(tokenizer, [("en", "Two words"), ("en", "and three more"), ("zh", "中文"), (None, "")])
    assert [(row["language"], row["documents"], row["words"], row["bytes"]) for row in rows] == [
        ("en", 2, 5, 23), ("zh", 1, 2, 6), ("unknown", 1, 0, 0),
    ]  # fmt: skip
    tokens = sum(len(tokenizer.encode(text)) for text in ("Two words", "and three more"))
    assert rows[0]["tokens_per_word"] == pytest.approx(tokens / 5, abs=1e-4)
    assert rows[0]["bytes_per_token"] == pytest.approx(23 / tokens, abs=1e-4)
    assert tokenizer.encode("\U00020000").tolist() == [each for each in tokenizer.encode("\U00020000") if tokenizer.is_byte()[each]]
    assert all(row["unknown"] == 0 for row in rows)


def test_unknown_is_never_met(trained: dict[str, Trained]) -> None:
    for each in trained.values():
        assert [row["unknown"] for row in each.fertility] == [0] * len(each.fertility)
        assert json.loads((each.folder / "tokenizer_config.json").read_bytes())["unk_token"] == SPECIAL[UNKNOWN]
