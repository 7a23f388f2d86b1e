"""Every format gives the same rows of the same pages, whole, in splits, and but for the one that is damaged."""

import bz2
import contextlib
import gzip
import io
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.sources.source import InputFile, ReadLog, Split
from corpus.sources.warc import CUT_OFF, WarcSource
from tests.archives import FORMATS, arc_records, records, skippable, wacz, zstd
from tests.golden import on_disk, page, ten, warc

PAGES = ten()
URLS = [each.url for each in PAGES]


def read(file: InputFile, source: WarcSource | None = None, **split: Any) -> tuple[list[dict[str, Any]], ReadLog]:
    log = ReadLog()
    asked = Split(file, **({"start": 0, "end": file.size_bytes} | split))
    return [row for batch in (source or WarcSource()).read(asked, log) for row in batch.to_pylist()], log


def whole(rows: list[dict[str, Any]]) -> dict[str, bytes]:
    return {row["url"]: row["payload"] for row in rows if not row["failed"]}


def made(folder: Path, name: str) -> InputFile:
    return on_disk(folder, *FORMATS[name](PAGES))


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_pages(tmp_path: Path, name: str) -> None:
    file = made(tmp_path, name)
    assert WarcSource().accepts(file, Path(file.uri).read_bytes()[:4096])
    rows, log = read(file)
    assert [row["url"] for row in rows] == URLS
    assert [row["payload"] for row in rows] == [each.body for each in PAGES]
    assert {str(row["date"]) for row in rows} == {"2026-01-01 00:00:00+00:00"}
    assert len({row["origin"]["offset"] for row in rows}) == 10
    assert log.damages == []
    assert log.records == ({"warc:warcinfo": 1} if name.startswith("arc") else {})


ZSTD_FLAGS = ("-1", "--ultra -22 --long=27", "--no-check --no-content-size", "--check -T2 --rsyncable", "--fast=5 --no-compress-literals")
ZSTD_KINDS = ("a frame a record", "one frame", "skippable frames between", "with a dictionary", "with a packed dictionary")


@pytest.mark.parametrize("kind", ZSTD_KINDS)
@pytest.mark.parametrize("flags", ZSTD_FLAGS)
def test_twenty_five_archives_by_the_zstd_tool(tmp_path: Path, kind: str, flags: str) -> None:
    """What `zstd` writes, and the dictionary that `zstd --train` makes, before the frames as IIPC's specification has it."""
    if not (tool := shutil.which("zstd")):
        pytest.skip("no zstd: apt install zstd")

    def packed(content: bytes, *more: object) -> bytes:
        return subprocess.run([tool, "-qc", *flags.split(), *map(str, more)], input=content, capture_output=True, check=True).stdout

    pieces, before, more = records(PAGES), b"", ()
    if "dictionary" in kind:
        for number, piece in enumerate(pieces * 10):
            (tmp_path / f"{number}.record").write_bytes(piece + bytes([number]))
        samples = sorted(tmp_path.glob("*.record"))
        subprocess.run([tool, "-q", "--train", *samples, "--maxdict=2048", "-o", tmp_path / "dictionary"], check=True, capture_output=True)
        dictionary, more = (tmp_path / "dictionary").read_bytes(), ("-D", tmp_path / "dictionary")
        before = skippable(packed(dictionary) if "packed" in kind else dictionary, 0x5D)
    pieces = [b"".join(pieces)] if kind == "one frame" else pieces[:4] + [b"".join(pieces[4:])]  # each is a process
    between = skippable(b"not of the stream", 0x53) if "skippable" in kind else b""
    file = on_disk(tmp_path, "a.warc.zst", before + b"".join(between + packed(piece, *more) for piece in pieces) + between)
    assert WarcSource().accepts(file, Path(file.uri).read_bytes()[:4096])
    rows, log = read(file)
    assert [(row["url"], row["payload"]) for row in rows] == [(each.url, each.body) for each in PAGES]
    assert log.damages == []


@pytest.mark.parametrize("flags", [[], ["--detect-pages"], ["--text"], ["--split-seeds", "--detect-pages"]])
@pytest.mark.parametrize("number", range(1, 6))
def test_twenty_collections_by_py_wacz(tmp_path: Path, flags: list[str], number: int) -> None:
    """Of one to five archives, compressed and plain, with the pages and the texts that py-wacz finds in them."""
    main = pytest.importorskip("wacz.main")
    inputs, expected = [], {}
    for at in range(number):
        pages = [page(f"http://{at}.example/{each}", f"<title>T{each}</title><p>Page {each} of {at}.</p>") for each in range(3)]
        path = tmp_path / f"{at}.warc{'' if at % 2 else '.gz'}"
        path.write_bytes(warc(pages, gzip=not at % 2)[0])
        inputs.append(str(path))
        expected |= {each.url: each.body for each in pages}
    made = tmp_path / "a.wacz"
    with contextlib.redirect_stdout(io.StringIO()):
        main.main(["create", "-o", str(made), *flags, *inputs])
    file = InputFile(0, made.name, str(made), made.stat().st_size)
    assert WarcSource().accepts(file, made.read_bytes()[:4096])
    rows, log = read(file)
    assert whole(rows) == expected
    assert log.damages == []


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("split_bytes", [150, 1000, 4096])
def test_splits_give_every_record_once(tmp_path: Path, name: str, split_bytes: int) -> None:
    file = made(tmp_path, name)
    source = WarcSource(split_bytes=split_bytes)
    expected, _ = read(file)
    parts = [read(file, source, start=start, end=end) for start, end in source.splits(file)]
    assert [(row["id"], row["origin"]) for rows, _ in parts for row in rows] == [(row["id"], row["origin"]) for row in expected]
    met = [log for _, log in parts if log.first is not None]
    assert [log.next for log in met[:-1]] == [log.first for log in met[1:]]


@pytest.mark.parametrize("name", FORMATS)
def test_what_stands_before_a_cut_is_read(tmp_path: Path, name: str) -> None:
    file_name, content = FORMATS[name](PAGES)
    for size in (len(content) // 3, len(content) * 2 // 3, len(content) - 5):
        rows, log = read(on_disk(tmp_path, file_name, content[:size]))
        there = whole(rows)
        assert all(there[each.url] == each.body for each in PAGES if each.url in there)
        assert log.damages
        if "as one" in name or "arc.bz2" in name and "," not in name and "(" not in name or "dictionary" in name:
            continue  # gzip gives what it can, the others a block or nothing, and ten pages are one; the dictionary is half of the file
        assert len(there) >= len(PAGES) * size // len(content) - (7 if "wacz" in name else 4)


@pytest.mark.parametrize("name", [name for name in FORMATS if name.split(",")[0] not in ("wacz",)])
@given(at=st.floats(0, 1), flip=st.integers(1, 255))
@settings(max_examples=12)
def test_a_flipped_byte(tmp_path_factory: pytest.TempPathFactory, name: str, at: float, flip: int) -> None:
    """Where a member is a record, it costs one record at most, or those before the next member that begins one."""
    file_name, content = FORMATS[name](PAGES)
    damaged = bytearray(content)
    damaged[int(at * (len(content) - 1))] ^= flip
    file = on_disk(tmp_path_factory.mktemp("flip"), file_name, bytes(damaged))
    rows, log = read(file)
    right = sum(whole(rows).get(each.url) == each.body for each in PAGES)
    if file_name.endswith(("arc", "gz")) and "member" not in name and "cut" not in name and int(at * len(content)) > 200:
        assert right >= 8
    assert right == 10 or log.damages or len(rows) + sum(log.records.values()) >= 10


@pytest.mark.parametrize("name", FORMATS)
@given(at=st.floats(0, 1), removed=st.integers(0, 300), put=st.binary(max_size=40))
@settings(max_examples=8)
def test_bytes_removed_and_put_in(tmp_path_factory: pytest.TempPathFactory, name: str, at: float, removed: int, put: bytes) -> None:
    """Never an exception; what stands before the place is the same wherever a record is a member, or the file is plain."""
    file_name, content = FORMATS[name](PAGES)
    place = int(at * len(content))
    folder = tmp_path_factory.mktemp("mutation")
    good, _ = read(on_disk(folder, file_name, content))
    rows, log = read(on_disk(folder, file_name, content[:place] + put + content[place + removed :]))
    if not any(told in name for told in ("one", "cut", "bz2", "wacz", "dictionary")):
        starts = [row["origin"]["offset"] for row in good]
        before = [row["url"] for row, end in zip(good, [*starts[1:], len(content)], strict=True) if end <= place]
        if name in ("arc", "arc 2"):
            before = before[:-1]  # a record of plain ARC has no end mark of its own: only the next line shows that its length is right
        assert [url for url in whole(rows) if url in before] == before
    assert all(damage.offset >= 0 for damage in log.damages)


def test_the_true_offset_inside_a_wacz(tmp_path: Path) -> None:
    """What is stored is found at its offset by anything that reads a range of the file."""
    file = made(tmp_path, "wacz")
    rows, _ = read(file)
    content = Path(file.uri).read_bytes()
    for row in rows[:4]:
        assert content[row["origin"]["offset"] :].startswith(b"\x1f\x8b\x08")
    for row in rows[4:]:
        assert content[row["origin"]["offset"] :].startswith(b"WARC/1.0")


def test_bombs_in_a_zip_are_refused(tmp_path: Path) -> None:
    packed = gzip.compress(gzip.compress(b"WARC/1.0\r\n" + bytes(20_000_000), mtime=0), mtime=0)
    bomb = wacz({"bomb.warc.gz": gzip.decompress(packed), "good.warc.gz": warc(PAGES)[0]}, zipfile.ZIP_DEFLATED)
    rows, log = read(on_disk(tmp_path, "bomb.wacz", bomb))
    assert list(whole(rows)) == URLS
    assert [damage.what for damage in log.damages] == ["zip:bomb"]
    content = bytearray(wacz({"one.warc.gz": warc(PAGES)[0], "two.warc.gz": warc(PAGES)[0]}))
    second = content.rindex(b"PK\x01\x02", 0, content.index(b"archive/two.warc.gz", content.index(b"PK\x01\x02")))
    content[second + 42 : second + 46] = bytes(4)  # the second entry of the directory says that it lies where the first one does
    rows, log = read(on_disk(tmp_path, "overlap.wacz", bytes(content)))
    assert list(whole(rows)) == URLS
    assert [damage.what for damage in log.damages] == ["zip:overlap"]


def test_a_dictionary_that_is_damaged(tmp_path: Path) -> None:
    """Nothing can be read without it: said, record by record or in one piece, and no exception."""
    _, content = FORMATS["warc.zst with a dictionary"](PAGES)
    rows, log = read(on_disk(tmp_path, "a.warc.zst", content[:4] + b"\xff\xff\xff\x7f" + content[8:]))
    assert rows == []
    assert log.damages or log.read_bytes
    rows, log = read(on_disk(tmp_path, "b.warc.zst", content[:8] + bytes(300) + content[308:]))
    assert rows == []
    assert sum(damage.lost_bytes for damage in log.damages) > 700
    for at in range(8, 140, 7):  # its tables: FastWARC's reader panics on some of these
        read(on_disk(tmp_path, "c.warc.zst", content[:at] + b"\xff\x00\xfe" + content[at + 3 :]))


def test_what_an_arc_says(tmp_path: Path) -> None:
    lines = [
        b"dns:a.example 10.0.0.1 20080430204825 text/dns 6\n1.2.3.4\n"[:-2] + b"\n",
        b"http://a.example/a b.html 10.0.0.1 20080430204826 text/html 11\n<p>bare</p>\n",
        b"http://a.example/none 211.111.217.29 20110804181142  39\nSSH-2.0-OpenSSH_5.3p1 Debian-3ubuntu3\r\n\n\n",
        b"http://a.example/v6 2001:db8::1 20080430204827 text/plain 30\nHTTP/1.0 404 Not Found\r\n\r\ngone12\n"[:-3] + b"\n",
    ]
    file = on_disk(tmp_path, "a.arc", arc_records([])[0] + b"".join(lines))
    rows, log = read(file)
    assert [(row["url"], row["media_type"]) for row in rows][:2] == [
        ("dns:a.example", "text/dns"),
        ("http://a.example/a b.html", "text/html"),
    ]
    assert rows[1]["payload"] == b"<p>bare</p>"
    assert str(rows[1]["date"]) == "2008-04-30 20:48:26+00:00"
    assert rows[2]["url"] == "http://a.example/none"
    assert log.records == {"warc:warcinfo": 1}


def test_records_that_are_no_documents_are_told_apart(tmp_path: Path) -> None:
    digest = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"
    unchanged = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
    pages = [
        page("http://a.example/1", "", kind="revisit", warc_headers={"WARC-Profile": digest}),
        page("http://a.example/2", "", kind="revisit", warc_headers={"WARC-Profile": unchanged}),
        page("http://a.example/3", "", kind="revisit", warc_headers={"WARC-Profile": "of their own"}),
        page("http://a.example/4", '{"Envelope": {}}', kind="metadata", content_type="application/json"),
        page("http://a.example/5", "fetchTimeMs: 3", kind="metadata", content_type="application/warc-fields"),
    ]
    rows, log = read(on_disk(tmp_path, "a.warc.gz", warc(pages)[0]))
    assert rows == []
    assert log.records == {
        "warc:revisit:identical-payload-digest": 1,
        "warc:revisit:server-not-modified": 1,
        "warc:revisit": 1,
        "wat:metadata": 1,
        "warc:metadata": 1,
    }


def test_wet_keeps_the_language_that_common_crawl_found(tmp_path: Path) -> None:
    wet = page(
        "http://a.example/",
        "Ein Text.",
        kind="conversion",
        content_type="text/plain",
        warc_headers={"WARC-Identified-Content-Language": "deu,eng"},
    )
    rows, _ = read(on_disk(tmp_path, "a.warc.wet.gz", warc([wet])[0]))
    assert (rows[0]["payload"], rows[0]["media_type"]) == (b"Ein Text.", "text/plain")
    assert rows[0]["http_headers"] == [{"name": "content-language", "value": "deu,eng"}]


def test_a_wrong_length_in_one_member_costs_one_record(tmp_path: Path) -> None:
    """Larger than what follows, than the limit, than any disk; smaller; and no number."""
    for told in (b"99999", b"2147483648", b"999999999999999999", b"7", b"-5", b"many"):
        pieces = records(PAGES)
        start = pieces[3].index(b"Content-Length: ") + len(b"Content-Length: ")
        pieces[3] = pieces[3][:start] + told + pieces[3][pieces[3].index(b"\r\n", start) :]
        for name, content in (
            ("a.warc.gz", gzip.compress(b"".join(pieces))),
            ("a.warc", b"".join(pieces)),
            ("a.warc.bz2", bz2.compress(b"".join(pieces))),
            ("a.warc.zst", zstd([b"".join(pieces)])),
        ):
            rows, log = read(on_disk(tmp_path, name, content))
            assert list(whole(rows)) == URLS[:3] + URLS[4:], (name, told)
            assert log.damages, (name, told)
            assert CUT_OFF.code in {row["failed"][0]["reason"] for row in rows if row["failed"]} or told[:1] in b"-m"
