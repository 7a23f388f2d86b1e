"""Windows against plain Python: every token a target once, and the documents of a window found again."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError
from tokenization.best_fit import assign, packed
from tokenization.packing import BEST_FIT, CONCATENATE, DOCUMENT, PACKINGS, Windows, pack, pack_groups
from tokenization.shards import INDEX, TokenFolder, TokenShard, TokenSplit
from tokenization.streams import FOLDER, streams, whole
from tokenization.tokenizer import PAD


def split_of(folder: Path, shards: list[list[int]]) -> tuple[TokenSplit, list[list[int]]]:
    """A split whose documents have the given lengths, shard by shard; the ids count on through the stream. Sources go by turns."""
    folder.mkdir(parents=True)
    written, streams, at = [], [], 10
    for number, lengths in enumerate(shards):
        ids = np.arange(at, at + sum(lengths), dtype="<u2")
        ids.tofile(folder / f"{number:05d}.bin")
        rows = [
            {"id": f"{number}-{each}", "source": "wbx"[each % 3], "language": None if each % 2 else "en", "tokens": length, "bytes": 1}
            for each, length in enumerate(lengths)
        ]
        pq.write_table(pa.Table.from_pylist(rows, INDEX), folder / f"{number:05d}.parquet")
        written.append(TokenShard(f"{number:05d}", len(lengths), sum(lengths), len(lengths), "", ""))
        start = at
        for length in lengths:
            streams.append(list(range(start, start + length)))
            start += length
        at = start
    return TokenSplit(folder, written, np.dtype("<u2")), streams


shapes = st.lists(st.lists(st.integers(2, 12), max_size=6), min_size=1, max_size=4).filter(lambda shards: any(shards))


def names_of(split: TokenSplit, found: list[list[int]]) -> dict[int, str]:
    """Each id of the split -> its document."""
    return {token: name for document, name in zip(found, split.index["id"].to_pylist(), strict=True) for token in document}


def assert_documents(windows: Windows, names: dict[int, str]) -> None:
    """What a window says of its documents is what its counted targets are of; and all windows at once say the same."""
    counted = Counter[tuple[int, str]]()
    for number in range(windows.count):
        window = windows.read(number)
        held = [names[token] for token in window.ids[1:][window.mask].tolist()]
        assert windows.documents(number) == list(dict.fromkeys(held))
        counted.update((number, name) for name in held)
    assert windows.targets(np.arange(windows.count)).tolist() == [int(windows.read(number).mask.sum()) for number in range(windows.count)]
    pieces = windows.pieces(0, windows.count)
    told = Counter[tuple[int, str]]()
    rows = windows.split.rows(pieces.begins)["id"].to_pylist()
    for number, name, targets in zip(pieces.windows.tolist(), rows, pieces.targets.tolist(), strict=True):
        told[number, name] += targets
    assert told == counted


@given(shards=shapes, context=st.integers(1, 9))
def test_concatenated(tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], context: int) -> None:
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", shards)
    stream = [each for document in found for each in document]
    if len(stream) <= context:
        with pytest.raises(InputError, match="too few for one window"):
            pack(split, context, CONCATENATE)
        return
    windows = pack(split, context, CONCATENATE)
    assert windows.count == (len(stream) - 1) // context
    targets = []
    for number in range(windows.count):
        window = windows.read(number)
        assert window.ids[0] == stream[number * context], "inputs are the stream, one behind"
        assert window.mask.all()
        targets += window.ids[1:].tolist()
    assert targets == stream[1 : 1 + windows.count * context]
    assert_documents(windows, names_of(split, found))
    waste = windows.waste()
    assert waste.cropped == pytest.approx((len(stream) - 1 - len(targets)) / len(stream))
    parts = [{(token - 11) // context for token in document[1:]} for document in found]
    assert waste.cut == pytest.approx(sum(len(each) > 1 for each in parts) / len(found))
    assert not (split.folder.parent / FOLDER).exists(), "the default needs no index"


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
    assert_documents(windows, names_of(split, found))
    waste = windows.waste()
    assert waste.cropped == pytest.approx(1 - kept / split.tokens)
    assert waste.padded == pytest.approx(1 - kept / (windows.count * (context + 1)))
    assert waste.cut == pytest.approx(sum(len(each) > context + 1 for each in found) / len(found))


@given(shards=shapes, context=st.integers(1, 14))
def test_best_fit(tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], context: int) -> None:
    """Every id but a document's first is a target once; who fits into a window is whole in one, from its first id on."""
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", shards)
    windows = pack(split, context, BEST_FIT)
    places: dict[int, list[tuple[int, int]]] = {}  # target -> (window, the id that it follows there)
    held = 0
    for number in range(windows.count):
        window = windows.read(number)
        assert window.mask.any()
        held += int((window.ids != PAD).sum())
        for at in np.flatnonzero(window.mask).tolist():
            places.setdefault(int(window.ids[at + 1]), []).append((number, int(window.ids[at])))
    assert sorted(places) == sorted(token for document in found for token in document[1:])
    assert {len(each) for each in places.values()} <= {1}
    for document in found:
        wheres = [places[token][0] for token in document[1:]]
        if len(document) <= context + 1:
            assert len({window for window, _ in wheres}) == 1
        begun = [document[0] if at % context == 0 else document[at] for at in range(len(wheres))]
        assert [before for _, before in wheres] == begun, "a piece begins with the document's first id, whatever lies beside it"
    assert_documents(windows, names_of(split, found))
    waste = windows.waste()
    assert waste.cropped == 0
    assert waste.padded == pytest.approx(1 - held / (windows.count * (context + 1)))
    assert waste.cut == pytest.approx(sum(len(each) > context + 1 for each in found) / len(found))


@given(sizes=st.lists(st.integers(1, 20), max_size=60), room=st.integers(20, 40))
def test_assign_is_best_fit_decreasing(sizes: list[int], room: int) -> None:
    """Against the plain algorithm: the fullest window that has the room; of those alike the last that was touched."""
    left: list[int] = []
    touched: list[int] = []
    expected = [0] * len(sizes)
    for time, at in enumerate(sorted(range(len(sizes)), key=lambda each: -sizes[each])):
        fitting = [window for window, free in enumerate(left) if free >= sizes[at]]
        if not fitting:
            left.append(room)
            touched.append(0)
            fitting = [len(left) - 1]
        window = min(fitting, key=lambda each: (left[each], -touched[each]))
        left[window] -= sizes[at]
        touched[window] = time
        expected[at] = window
    assert assign(np.array(sizes, np.int64), room).tolist() == expected


def test_best_fit_by_hand() -> None:
    """Lengths 6, 4, 3, 3 in windows of 6 ids (5 targets): 6 alone, 4 alone, 3 and 3 together: nothing cut, 2 of 18 positions empty."""
    [(pieces, counts)] = packed(np.array([0, 6, 10, 13, 16]), 5, 100)
    assert pieces["document"].tolist() == [0, 1, 2, 3]
    assert counts.tolist() == [1, 1, 2]


@given(lengths=st.lists(st.integers(2, 12), min_size=1, max_size=20), block=st.integers(1, 7))
def test_blocks_bound_what_is_held(lengths: list[int], block: int) -> None:
    """After a block begin new windows; no piece is lost or comes twice."""
    starts = np.cumsum([0, *lengths])
    made = list(packed(starts, 5, block))
    for number, (pieces, counts) in enumerate(made):
        assert set(pieces["document"] // block) == {number}
        assert counts.sum() == len(pieces)
    targets = Counter[int]()
    for pieces, _ in made:
        for document, number in zip(pieces["document"].tolist(), pieces["targets"].tolist(), strict=True):
            targets[document] += number
    assert [targets[at] for at in range(len(lengths))] == [length - 1 for length in lengths]


@given(shards=shapes, context=st.integers(1, 6), packing=st.sampled_from(PACKINGS), by=st.sampled_from(["source", "language"]))
def test_groups(tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], context: int, packing: str, by: str) -> None:
    """Each group's documents in their order, packed as if there were no others; a window is of one group."""
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", shards)
    group_of = dict(zip(split.index["id"].to_pylist(), [each or "unknown" for each in split.index[by].to_pylist()], strict=True))
    names = names_of(split, found)
    windows = pack_groups(split, context, packing, by=by)
    assert list(windows.groups) == sorted(set(group_of.values()))
    for stream in streams(split, by=by):
        mine = [document for document in found if group_of[names[document[0]]] == stream.name]
        assert stream.read(0, stream.tokens).tolist() == [token for document in mine for token in document]
        assert stream.begins.tolist() == [document[0] - 10 for document in mine]
    if windows.count:
        assert_documents(windows, names)
    for number in range(windows.count):
        assert {group_of[name] for name in windows.documents(number)} == {windows.groups[windows.group_of(number)]}


def test_an_index_is_made_once_and_elsewhere_where_it_must(tmp_path: Path) -> None:
    split, _ = split_of(tmp_path / "train", [[5, 4], [3]])
    made = whole(split).document_starts.tolist()
    [folder] = (tmp_path / FOLDER).iterdir()
    (folder / "00000.starts").write_bytes(np.array([7, 7, 7, 7], "<i8").tobytes())
    assert whole(split).document_starts.tolist() == [7, 7, 7, 7], "it was read, not made again"
    other, _ = split_of(tmp_path / "other" / "train", [[5, 4], [3]])
    (tmp_path / "other" / FOLDER).write_text("a file where the folder would go")
    assert whole(other).document_starts.tolist() == made == [0, 5, 9, 12]


def test_windows_of_a_real_split(small_tokens: Path) -> None:
    split = TokenFolder.open(small_tokens).split("train")
    windows = pack(split, 64)
    tokenizer = TokenFolder.open(small_tokens).tokenizer()
    number = windows.count // 2
    texts = {name: at for at, name in enumerate(split.index["id"].to_pylist())}
    named = [texts[name] for name in windows.documents(number)]
    whole = "".join(tokenizer.decode(split.read(split.document_starts[at], split.document_starts[at + 1])) for at in named)
    assert tokenizer.decode(windows.read(number).ids[1:]) in whole
