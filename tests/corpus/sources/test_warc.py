"""WARC reading against warcio, and through every kind of damage of which other readers die or fall silent."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from warcio.archiveiterator import ArchiveIterator

from corpus.sources.source import InputFile, ReadLog, Split
from corpus.sources.warc import (
    BAD_HTTP,
    BROKEN_CHUNKING,
    CUT_OFF,
    NO_PAYLOAD,
    NOT_TEXT,
    STATUS,
    TOO_LARGE,
    TRUNCATED,
    UNKNOWN_ENCODING,
    WarcSource,
)
from tests.golden import Page, archive_in_archive, corrupt_member, on_disk, page, ten, warc, whole_file_gzip


def read(file: InputFile, source: WarcSource | None = None, **split: Any) -> tuple[list[dict[str, Any]], ReadLog]:
    log = ReadLog()
    asked = Split(file, **({"start": 0, "end": file.size_bytes} | split))
    return [row for batch in (source or WarcSource()).read(asked, log) for row in batch.to_pylist()], log


def reasons(rows: list[dict[str, Any]]) -> list[str | None]:
    return [row["failed"][0]["reason"] if row["failed"] else None for row in rows]


@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("version", ["WARC/1.0", "WARC/1.1"])
def test_rows_of_a_good_file(tmp_path: Path, gzip: bool, version: str) -> None:
    pages = [*ten(), page("", "software: x", kind="warcinfo", content_type="application/warc-fields")]
    content, offsets = warc(pages, gzip=gzip, version=version)
    rows, log = read(on_disk(tmp_path, "a.warc.gz" if gzip else "a.warc", content))
    assert [row["url"] for row in rows] == [each.url for each in pages[:10]]
    assert [row["payload"] for row in rows] == [each.body for each in pages[:10]]
    assert [row["origin"]["offset"] for row in rows] == offsets[:10]
    assert reasons(rows) == [None] * 10
    assert log.records == {"warc:warcinfo": 1}
    assert (log.first, log.next, log.damages) == (0, len(content), [])


@pytest.mark.parametrize(
    ("bad", "reason", "value"),
    [
        (page("http://x.example/", "gone", status="404 Not Found"), STATUS, 404),
        (page("http://x.example/", b"\x89PNG\r\n\x1a\n" + bytes(99), headers=[("Content-Type", "image/png")]), NOT_TEXT, None),
        (page("http://x.example/", bytes(range(256)) * 4, headers=[]), NOT_TEXT, None),
        (page("http://x.example/", ""), NO_PAYLOAD, None),
        (page("http://x.example/", "x", headers=[("Content-Type", "text/html"), ("Content-Encoding", "rot13")]), UNKNOWN_ENCODING, None),
        (
            page("http://x.example/", b"\x1f\x8bnot", headers=[("Content-Type", "text/html"), ("Content-Encoding", "gzip")]),
            UNKNOWN_ENCODING,
            None,
        ),
        (page("http://x.example/", b"5\r\nhello\r\nff\r\nbreaks off", headers=[("Transfer-Encoding", "chunked")]), BROKEN_CHUNKING, None),
        (page("http://x.example/", "x", warc_headers={"WARC-Truncated": "length"}), TRUNCATED, None),
        (page("http://x.example/", b"x" * 3000), TOO_LARGE, None),
        (page("http://x.example/", "no http", kind="resource", content_type="application/http; msgtype=response"), BAD_HTTP, None),
    ],
)
def test_each_reason(tmp_path: Path, bad: Page, reason: Any, value: float | None) -> None:
    content, _ = warc([page("http://a.example/", "<p>fine</p>"), bad, page("http://b.example/", "<p>fine</p>")])
    rows, log = read(on_disk(tmp_path, "a.warc.gz", content), WarcSource(max_record_bytes=2000))
    assert reasons(rows) == [None, reason.code, None]
    if value is not None:
        assert rows[1]["failed"][0]["value"] == value
    assert rows[1]["payload"] is None
    assert log.damages == []


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ([("Transfer-Encoding", "chunked")], b"5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nTrailer: 1\r\n\r\n", b"hello world"),
        ([("Transfer-Encoding", "chunked")], b"<p>already joined</p>", b"<p>already joined</p>"),
        ([("Content-Encoding", "gzip")], gzip.compress(b"<p>packed</p>", mtime=0), b"<p>packed</p>"),
        ([("Content-Encoding", "deflate")], zlib.compress(b"<p>packed</p>"), b"<p>packed</p>"),
        ([("Content-Encoding", "deflate")], zlib.compress(b"<p>bare</p>")[2:-4], b"<p>bare</p>"),
        ([("Content-Encoding", "gzip")], b"<p>unpacked by the crawler</p>", b"<p>unpacked by the crawler</p>"),
        (
            [("Content-Encoding", "gzip")],
            gzip.compress(b"<p>two ", mtime=0) + gzip.compress(b"members</p>", mtime=0),
            b"<p>two members</p>",
        ),
        ([("Content-Encoding", "gzip")], gzip.compress(b"<p>padded</p>", mtime=0) + bytes(9), b"<p>padded</p>"),
        ([("Transfer-Encoding", "gzip")], gzip.compress(b"<p>in transfer</p>", mtime=0), b"<p>in transfer</p>"),
        ([("Transfer-Encoding", "gzip, chunked")], _chunk(gzip.compress(b"<p>both</p>", mtime=0)), b"<p>both</p>"),
        ([("Transfer-Encoding", "identity")], b"<p>as it is</p>", b"<p>as it is</p>"),
    ],
)
def test_bodies(tmp_path: Path, headers: list[tuple[str, str]], body: bytes, expected: bytes) -> None:
    content, _ = warc([page("http://a.example/", body, headers=[("Content-Type", "text/html"), *headers])])
    rows, _ = read(on_disk(tmp_path, "a.warc.gz", content))
    assert rows[0]["payload"] == expected


def test_a_bomb_stops_at_the_bound(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    content, _ = warc([page("http://a.example/", bomb, headers=[("Content-Type", "text/html"), ("Content-Encoding", "gzip")])])
    rows, _ = read(on_disk(tmp_path, "a.warc.gz", content), WarcSource(max_record_bytes=1_000_000))
    assert reasons(rows) == [TOO_LARGE.code]


def test_a_corrupt_member_costs_itself_alone(tmp_path: Path) -> None:
    """Curator's loop over warcio lost the seven records after it, without a word."""
    content, offsets = warc(ten())
    rows, log = read(on_disk(tmp_path, "a.warc.gz", corrupt_member(content, offsets, 2)))
    whole = [row["url"] for row, reason in zip(rows, reasons(rows), strict=True) if reason is None]
    assert whole == [f"http://a.example/{number}" for number in range(10) if number != 2]
    assert [(damage.what, damage.offset, damage.lost_bytes) for damage in log.damages] == [
        ("gzip:corrupt", offsets[2], offsets[3] - offsets[2])
    ]


def test_a_file_cut_in_a_record(tmp_path: Path) -> None:
    """warcio returns the records before it and no error; FastWARC one more, empty."""
    content, offsets = warc(ten())
    cut = content[: offsets[7] + 60]
    rows, log = read(on_disk(tmp_path, "a.warc.gz", cut))
    assert [reason for reason in reasons(rows) if reason is None] == [None] * 7
    assert set(reasons(rows[7:])) <= {CUT_OFF.code}
    assert [(damage.what, damage.offset, damage.lost_bytes) for damage in log.damages] == [("gzip:truncated", offsets[7], 60)]


@pytest.mark.parametrize("junk", [b"garbage between members" * 9, bytes(5000), b"\x1f\x8b\x08" * 20])
def test_junk_between_members(tmp_path: Path, junk: bytes) -> None:
    content, offsets = warc(ten())
    rows, log = read(on_disk(tmp_path, "a.warc.gz", content[: offsets[4]] + junk + content[offsets[4] :]))
    assert reasons(rows) == [None] * 10
    assert sum(damage.lost_bytes for damage in log.damages) == len(junk)


def test_plain_file_with_a_wrong_length(tmp_path: Path) -> None:
    content, offsets = warc(ten(), gzip=False)
    start = content.index(b"Content-Length: ", offsets[3])
    end = content.index(b"\r\n", start)
    wrong = content[:start] + b"Content-Length: 99999" + content[end:]
    rows, log = read(on_disk(tmp_path, "a.warc", wrong))
    assert [row["url"] for row in rows] == [f"http://a.example/{number}" for number in range(10)]
    assert reasons(rows) == [None] * 3 + [CUT_OFF.code] + [None] * 6
    assert [damage.what for damage in log.damages] == ["warc:bad_length"]


def test_all_records_in_one_member(tmp_path: Path) -> None:
    file = on_disk(tmp_path, "a.warc.gz", whole_file_gzip(ten()))
    rows, log = read(file)
    assert reasons(rows) == [None] * 10
    assert len({row["origin"]["offset"] for row in rows}) == 10
    assert log.damages == []


@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("split_bytes", [100, 333, 1000, 4096])
def test_splits_give_every_record_once(tmp_path: Path, gzip: bool, split_bytes: int) -> None:
    content, _ = warc(ten(), gzip=gzip)
    file = on_disk(tmp_path, "a.warc.gz" if gzip else "a.warc", content)
    source = WarcSource(split_bytes=split_bytes)
    whole, _ = read(file)
    parts = [read(file, source, start=start, end=end) for start, end in source.splits(file)]
    assert [row["id"] for rows, _ in parts for row in rows] == [row["id"] for row in whole]
    met = [log for _, log in parts if log.first is not None]
    assert [log.next for log in met[:-1]] == [log.first for log in met[1:]]


def test_an_archive_inside_an_archive_shows_where_splits_do_not_meet(tmp_path: Path) -> None:
    content, offsets = archive_in_archive()
    file = on_disk(tmp_path, "a.warc.gz", content)
    inside = offsets[1] + 400  # in the middle of the second record, before a member of the inner archive
    _, before = read(file, start=0, end=inside)
    wrong, after = read(file, start=inside, end=file.size_bytes)
    assert any(row["url"].startswith("http://inner.example") for row in wrong)
    assert before.next == offsets[2]
    assert after.first != before.next, "the driver sees that the splits do not meet"
    again, log = read(file, start=before.next, end=file.size_bytes, exact=True)
    assert [row["url"] for row in again] == [f"http://a.example/{number}" for number in (1, 2, 3)]
    assert log.first == before.next


@given(bodies=st.lists(st.binary(max_size=3000), min_size=1, max_size=8), gzip=st.booleans())
@settings(max_examples=25)
def test_payloads_equal_warcio(tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], gzip: bool) -> None:
    content, _ = warc(
        [page(f"http://a.example/{at}", body, headers=[("Content-Type", "text/html")]) for at, body in enumerate(bodies)], gzip=gzip
    )
    expected = [record.content_stream().read() for record in ArchiveIterator(io.BytesIO(content))]
    file = on_disk(tmp_path_factory.mktemp("warc"), "a.warc.gz" if gzip else "a.warc", content)
    rows, log = read(file)
    assert [row["payload"] or b"" for row in rows] == expected
    assert log.damages == []


@pytest.mark.parametrize("position", range(0, 2400, 97))
def test_a_flipped_byte_never_ends_the_reading(tmp_path: Path, position: int) -> None:
    content, _ = warc(ten())
    damaged = bytearray(content)
    damaged[position % len(damaged)] ^= 0x55
    rows, log = read(on_disk(tmp_path, "a.warc.gz", bytes(damaged)))
    assert sum(reason is None for reason in reasons(rows)) >= 9
    assert log.damages or len(rows) + sum(log.records.values()) == 10


@pytest.mark.parametrize(
    ("name", "head", "ours"),
    [
        ("a.warc", b"WARC/1.0\r\n", True),
        ("noname", b"WARC/1.1\r\n", True),
        ("empty.warc.gz", b"", True),
        ("damaged.warc.gz", b"\0\0\0\0", True),
        ("a.arc", b"filedesc://x", True),
        ("a.warc.bz2", b"BZh91AY", True),
        ("a.warc", b"\x28\xb5\x2f\xfd", True),
        ("a.cdx", b" CDX N b a", False),
        ("a.jsonl", b'{"text": 1}', False),
    ],
)
def test_what_is_ours_is_decided_by_content_first(name: str, head: bytes, ours: bool) -> None:
    assert WarcSource().accepts(InputFile(0, name, name, len(head)), head) is ours


def test_ids_do_not_depend_on_where_the_file_lies(tmp_path: Path) -> None:
    content, _ = warc(ten())
    (tmp_path / "b").mkdir()
    one, _ = read(on_disk(tmp_path, "a.warc.gz", content))
    other, _ = read(on_disk(tmp_path / "b", "z.warc.gz", content))
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert len({row["id"] for row in one}) == 10
