"""Documents rewritten for other objectives: the original comes back from the tokens, and what is drawn hangs on the id alone."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import GristmillError
from corpus.storage import Place
from tokenization.encode import encode_shard
from tokenization.objectives import MIDDLE, PREFIX, SUFFIX, Objective, corrupted, noise_spans, restored, special_ids, text_of
from tokenization.shards import SPLITS, TokenFolder
from tokenization.tokenizer import BOS, EOS

SPECIAL = {PREFIX: 300, SUFFIX: 301, MIDDLE: 302}


def encode(text: str) -> np.ndarray:
    """Bytes, so that cuts within a character would show."""
    return np.frombuffer(text.encode(), np.uint8).astype(np.int32)


def decode(ids: np.ndarray) -> str:
    return bytes(ids.tolist()).decode()


@given(
    identity=st.uuids().map(str),
    text=st.text(max_size=40).filter(lambda text: text.isascii() or text.encode("utf-8", "ignore").decode() == text),
)
def test_the_text_comes_back_from_the_middle(identity: str, text: str) -> None:
    made = Objective(fim=1.0).ids(identity, text, encode, SPECIAL)
    assert text_of(made, decode, SPECIAL) == text
    assert made[0] == 300
    assert sorted(made[made >= 300].tolist()) == [300, 301, 302]
    assert len(made) == len(text.encode()) + 3
    assert np.array_equal(made, Objective(fim=1.0).ids(identity, text, encode, SPECIAL))


def test_half_and_half() -> None:
    """Of 2,000 documents: the share that is asked for, PSM and SPM alike, cuts all over the text; within 4 standard errors."""
    text = "abcdefghij" * 10
    made = [Objective(fim=0.5).ids(f"{number}", text, encode, SPECIAL) for number in range(2000)]
    cut = [each.tolist() for each in made if each[0] == 300]
    assert abs(len(cut) - 1000) < 4 * np.sqrt(500)
    assert abs(sum(each[1] == 301 for each in cut) - len(cut) / 2) < 4 * np.sqrt(len(cut) / 4)
    middles = [len(each) - 1 - each.index(302) for each in cut if each[1] != 301]
    assert abs(np.mean(middles) - 100 / 3) < 4 * 100 * np.sqrt(1 / 18 / len(middles)), "two cuts at random leave a third between them"


@given(
    identity=st.uuids().map(str),
    length=st.integers(0, 300),
    density=st.sampled_from([0.05, 0.15, 0.5, 0.9]),
    sentinels=st.integers(2, 12),
)
def test_the_ids_come_back_from_the_spans(identity: str, length: int, density: float, sentinels: int) -> None:
    ids = np.arange(length) % 97
    names = list(range(1000, 1000 + sentinels))
    made = corrupted(identity, ids, density, names)
    assert restored(made, names).tolist() == ids.tolist()
    assert sorted(made[made < 1000].tolist()) == sorted(ids.tolist()), "every id once"


@given(key=st.text(max_size=5), length=st.integers(0, 400), most=st.integers(1, 99))
def test_spans(key: str, length: int, most: int) -> None:
    """T5's numbers: round(15 %) of the ids in round(that / 3) spans; none touch, none is empty, none comes first."""
    spans = noise_spans(key, length, 0.15, most)
    if length < 2:
        assert spans == []
        return
    hidden = max(1, round(length * 0.15))
    assert sum(stop - start for start, stop in spans) == hidden
    assert len(spans) == min(most, max(1, round(hidden / 3)))
    edges = [0, *(edge for span in spans for edge in span)]
    assert all(low < high for low, high in zip(edges, edges[1:], strict=False))
    assert edges[-1] == length


def test_spans_by_hand() -> None:
    """20 ids, 15 % are 3, one span of 3 at the end: shown 0 to 16, a sentinel, then the sentinel, the span, and the last sentinel."""
    made = corrupted("any", np.arange(20), 0.15, [90, 91, 92])
    assert made.tolist() == [*range(17), 90, 90, 17, 18, 19, 91]


def test_encoded(small_corpus: Path, small_tokens: Path, tmp_path: Path) -> None:
    """Through the encoder: training documents are rewritten and come back, held-out ones stay as they were."""
    tokenizer = TokenFolder.open(small_tokens).tokenizer()
    special = {PREFIX: 1001, SUFFIX: 1002, MIDDLE: 1003}  # pieces of its own that nothing else reads here
    for split in SPLITS:
        (tmp_path / split).mkdir()
    objective = Objective(fim=0.5)
    place = Place(str(small_corpus / "documents" / "00000.parquet"))
    written = encode_shard(place, tokenizer, Place(str(tmp_path)), lambda name, text, encode: objective.ids(name, text, encode, special))
    rows = pq.read_table(place.path, columns=["id", "text", "split"]).to_pylist()
    for split in ("train", "test"):
        mine = [row for row in rows if (row["split"] or "train") == split]
        ids = np.fromfile(tmp_path / split / "00000.bin", "<u2").astype(np.int64)
        lengths = pq.read_table(tmp_path / split / "00000.parquet")["tokens"].to_numpy()
        assert written[split].tokens == len(ids) == lengths.sum()
        found = np.split(ids, np.cumsum(lengths)[:-1])
        assert {(int(each[0]), int(each[-1])) for each in found} == {(BOS, EOS)}
        begun = [int(each[1]) == 1001 for each in found]
        assert any(begun) == (split == "train")
        for row, each, is_cut in zip(mine, found, begun, strict=True):
            if is_cut and np.isin(each, list(special.values())).sum() == 3:  # the text itself has none of the three
                assert text_of(each[1:-1], tokenizer.decode, special) == row["text"]
            if not is_cut:
                assert tokenizer.decode(each) == row["text"]


def test_special_ids(tmp_path: Path) -> None:
    assert special_ids(tmp_path, Objective()) == {}
    with pytest.raises(GristmillError, match=r"no readable tokenizer\.json"):
        special_ids(tmp_path, Objective(fim=0.5))
    names = ["<s>", PREFIX, SUFFIX, "<|extra_0|>", "<|extra_1|>", "<|extra_3|>"]
    added = [{"id": number, "content": name, "special": True} for number, name in enumerate(names)]
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added}))
    with pytest.raises(GristmillError, match=r"no <\|fim_middle\|>.*--reserve"):
        special_ids(tmp_path, Objective(fim=0.5))
    assert special_ids(tmp_path, Objective(span_corruption=0.15)) == {"<|extra_0|>": 3, "<|extra_1|>": 4}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"added_tokens": added[:4]}))
    with pytest.raises(GristmillError, match=r"no <\|extra_1\|>"):
        special_ids(tmp_path, Objective(span_corruption=0.15))


@pytest.mark.parametrize(("fim", "spans", "told"), [(1.5, 0, "between 0 and 1"), (0, 1.0, "between 0 and 1"), (0.5, 0.15, "choose one")])
def test_what_cannot_be(fim: float, spans: float, told: str) -> None:
    with pytest.raises(GristmillError, match=told):
        Objective(fim=fim, span_corruption=spans)


def test_one_objective_has_one_name() -> None:
    assert Objective(fim=0.5).manifest() == {"fim": 0.5}
    assert Objective().manifest() == {}
