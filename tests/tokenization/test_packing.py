"""Windows against plain Python: every token a target once, and the documents of a window found again."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError
from tokenization.packing import CONCATENATE, DOCUMENT, pack
from tokenization.shards import INDEX, TokenFolder, TokenShard, TokenSplit
from tokenization.tokenizer import PAD


def split_of(folder: Path, shards: list[list[int]]) -> tuple[TokenSplit, list[list[int]]]:
    """A split whose documents have the given lengths, shard by shard; the ids count on through the stream."""
    folder.mkdir(parents=True)
    written, streams, at = [], [], 10
    for number, lengths in enumerate(shards):
        ids = np.arange(at, at + sum(lengths), dtype="<u2")
        ids.tofile(folder / f"{number:05d}.bin")
        rows = [
            {"id": f"{number}-{each}", "source": "s", "language": "en", "tokens": length, "bytes": 1} for each, length in enumerate(lengths)
        ]
        pa.parquet.write_table(pa.Table.from_pylist(rows, INDEX), folder / f"{number:05d}.parquet")
        written.append(TokenShard(f"{number:05d}", len(lengths), sum(lengths), len(lengths), "", ""))
        start = at
        for length in lengths:
            streams.append(list(range(start, start + length)))
            start += length
        at = start
    return TokenSplit(folder, written, np.dtype("<u2")), streams


shapes = st.lists(st.lists(st.integers(2, 12), max_size=6), min_size=1, max_size=4).filter(lambda shards: any(shards))


@given(shards=shapes, context=st.integers(1, 9))
def test_concatenated(tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], context: int) -> None:
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", shards)
    stream = [each for document in found for each in document]
    names = [name for document, name in zip(found, split.index["id"].to_pylist(), strict=True) for _ in document]
    if len(stream) <= context:
        with pytest.raises(InputError, match="too few for one window"):
            pack(split, context, CONCATENATE)
        return
    windows = pack(split, context, CONCATENATE)
    assert windows.count == (len(stream) - 1) // context
    targets = []
    for number in range(windows.count):
        window = windows.read(number)
        expected = stream[number * context : (number + 1) * context + 1]
        assert window.ids.tolist() == expected
        assert window.mask.all()
        targets += window.ids[1:].tolist()
        assert windows.documents(number) == list(dict.fromkeys(names[number * context + 1 : (number + 1) * context + 1]))
    assert targets == stream[1 : 1 + windows.count * context]
    assert windows.waste().cropped == pytest.approx((len(stream) - 1 - len(targets)) / len(stream))
    assert windows.targets(np.arange(windows.count)).tolist() == [context] * windows.count


@given(shards=shapes, context=st.integers(1, 9))
def test_one_document(tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], context: int) -> None:
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", shards)
    windows = pack(split, context, DOCUMENT)
    assert windows.count == len(found)
    kept = 0
    for number, document in enumerate(found):
        window = windows.read(number)
        held = document[: context + 1]
        kept += len(held)
        assert window.ids.tolist() == held + [PAD] * (context + 1 - len(held))
        assert window.mask.tolist() == [at < len(held) - 1 for at in range(context)]
        assert windows.targets(np.array([number])).tolist() == [window.mask.sum()]
        assert windows.documents(number) == [split.index["id"][number].as_py()]
    waste = windows.waste()
    assert waste.cropped == pytest.approx(1 - kept / split.tokens)
    assert waste.padded == pytest.approx(1 - kept / (windows.count * (context + 1)))


def test_windows_of_a_real_split(small_tokens: Path) -> None:
    split = TokenFolder.open(small_tokens).split("train")
    windows = pack(split, 64)
    tokenizer = TokenFolder.open(small_tokens).tokenizer()
    number = windows.count // 2
    texts = {name: at for at, name in enumerate(split.index["id"].to_pylist())}
    named = [texts[name] for name in windows.documents(number)]
    whole = "".join(tokenizer.decode(split.read(split.document_starts[at], split.document_starts[at + 1])) for at in named)
    assert tokenizer.decode(windows.read(number).ids[1:]) in whole
