"""JSON lines and Parquet: every line accounted for, damage costs itself alone, splits change nothing."""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.sources.tables import JsonlSource, ParquetSource
from tests.corpus.sources.reading import input_file, outcomes

LINES = [{"id": str(number), "text": f"Text {number}.", "url": f"http://a.example/{number}"} for number in range(40)]


def read(path: Path, source: Source, splits: list[tuple[int, int]] | None = None) -> tuple[list[dict[str, Any]], ReadLog]:
    file = InputFile(0, path.name, str(path), path.stat().st_size)
    log = ReadLog()
    ranges = source.splits(file) if splits is None else splits
    rows = [row for start, end in ranges for batch in source.read(Split(file, start, end, 0), log) for row in batch.to_pylist()]
    return rows, log


def test_lines_good_and_bad(tmp_path: Path) -> None:
    body = [
        '{"id": "1", "text": "Hello."}',
        "not json",
        "[1, 2]",
        "",
        '{"id": "2"}',
        '{"text": " "}',
        '{"text": "\\ud800 lone"}',
        '{"text": 7}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(body))
    rows, log = read(path, JsonlSource())
    assert [row["text"] for row in rows] == ["Hello.", None, None, "? lone", None]
    assert [bool(row["failed"]) for row in rows] == [False, True, True, False, True]
    assert [(damage.what, damage.offset, damage.lost_bytes) for damage in log.damages] == [
        ("json:bad_line", 30, 9),
        ("json:bad_line", 39, 7),
    ]
    assert rows[0]["origin"]["offset"] == 0


@given(st.integers(1, 400), st.lists(st.integers(0, 60), max_size=12))
def test_splits_change_nothing(tmp_path_factory: pytest.TempPathFactory, split_bytes: int, lengths: list[int]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "a.jsonl"
    path.write_text("".join(json.dumps({"text": "x" * length + "."}) + "\n" for length in lengths))
    whole, _ = read(path, JsonlSource())
    parts, _ = read(path, JsonlSource(split_bytes=split_bytes))
    assert parts == whole
    assert len(whole) == len(lengths)


def test_a_line_too_long_is_counted_and_not_held(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "x" * 5000}) + "\n" + json.dumps({"text": "short"}) + "\n")
    rows, _ = read(path, JsonlSource(max_document_bytes=1000))
    assert [row["text"] for row in rows] == [None, "short"]
    assert rows[0]["failed"][0]["reason"] == "table:too_large"


def test_compressed(tmp_path: Path) -> None:
    body = "".join(json.dumps(line) + "\n" for line in LINES).encode()
    plain = tmp_path / "a.jsonl"
    plain.write_bytes(body)
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(body))
    (tmp_path / "a.jsonl.zst").write_bytes(pa.compress(body, codec="zstd", asbytes=True))
    expected = [row["id"] for row in read(plain, JsonlSource())[0]]
    for name in ("a.jsonl.gz", "a.jsonl.zst"):
        assert [row["id"] for row in read(tmp_path / name, JsonlSource())[0]] == expected


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("gz", "cut"), ("gz", "overwritten"), ("gz", "followed by junk"), ("zst", "cut"), ("zst", "followed by junk")],
)
def test_damage_in_a_compressed_file_costs_what_follows(tmp_path: Path, kind: str, fault: str) -> None:
    draw = random.Random(1)
    lines = [json.dumps({"id": str(number), "text": f"{draw.getrandbits(8000):x}"}) + "\n" for number in range(400)]
    body = "".join(lines).encode()
    packed = gzip.compress(body) if kind == "gz" else pa.compress(body, codec="zstd", asbytes=True)
    middle = len(packed) // 2
    damaged = {
        "cut": packed[:middle],
        "overwritten": packed[:middle] + b"\xff" * 500 + packed[middle + 500 :],
        "followed by junk": packed + b"junk" * 10,
    }[fault]
    path = tmp_path / f"a.jsonl.{kind}"
    path.write_bytes(damaged)
    rows, log = read(path, JsonlSource())
    texts = [row["text"] for row in rows]
    if fault == "followed by junk":
        assert len(texts) == 400 if kind == "gz" else len(texts) >= 396
    else:
        assert 100 <= len(texts) < 400
        assert texts[:100] == [json.loads(line)["text"] for line in lines[:100]]
    assert "compression:corrupt" in [damage.what for damage in log.damages]
    assert all(0 < damage.lost_bytes <= len(damaged) for damage in log.damages)


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([*LINES, {"id": "none", "text": None, "url": None}]), path, row_group_size=7)
    rows, log = read(path, ParquetSource())
    assert [row["text"] for row in rows] == [line["text"] for line in LINES] + [None]
    assert rows[-1]["failed"][0]["reason"] == "table:no_text"
    assert [row["origin"]["offset"] for row in rows] == list(range(41))
    assert read(path, ParquetSource(row_groups_a_split=1))[0] == rows
    assert not log.damages
    with pytest.raises(InputError, match=r"no column 'content'.*it has id, text, url"):
        read(path, ParquetSource(text_field="content"))


def test_values_that_python_has_not(tmp_path: Path) -> None:
    """A date behind the year 9999, a time zone that is none, bytes that are no UTF-8: they cost themselves."""
    path = tmp_path / "a.parquet"
    bad_text = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\4\0\0\0"), pa.py_buffer(b"ab\xffc")])
    far = pa.array([2**62], pa.int64())
    for date in (
        far.cast(pa.timestamp("us")),
        far.cast(pa.timestamp("us", "Nowhere/Else")),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
    ):
        pq.write_table(pa.table({"text": bad_text, "date": date}), path)
        (row,), log = read(path, ParquetSource())
        assert (row["text"], row["date"], log.damages) == ("ab\ufffdc", None, [])


def test_rows_of_a_table_are_bounded_by_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["x" * 1000] * 40 + ["y" * 5000]}), path, use_dictionary=False)
    source = ParquetSource(max_document_bytes=4000, batch_bytes=10_000)
    batches = list(source.read(Split(input_file(path), 0, 1), ReadLog()))
    assert [batch.num_rows for batch in batches] == [10, 10, 10, 10, 1]
    assert outcomes([row for batch in batches for row in batch.to_pylist()]) == ["ok"] * 40 + ["table:too_large"]


def test_damaged_parquet_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(LINES), path, row_group_size=10, compression="zstd")
    metadata = pq.ParquetFile(path).metadata
    body = bytearray(path.read_bytes())
    at = metadata.row_group(1).column(1).dictionary_page_offset or metadata.row_group(1).column(1).data_page_offset
    body[at : at + 40] = b"\xff" * 40
    path.write_bytes(bytes(body))
    rows, log = read(path, ParquetSource())
    assert [row["text"] for row in rows] == [line["text"] for line in LINES[:10] + LINES[20:]]
    assert [damage.what for damage in log.damages] == ["parquet:corrupt_row_group"]
    assert log.damages[0].lost_bytes > 0
    path.write_bytes(bytes(body[:-20]))
    rows, log = read(path, ParquetSource())
    assert rows == []
    assert [(damage.what, damage.lost_bytes) for damage in log.damages] == [("parquet:no_footer", len(body) - 20)]
