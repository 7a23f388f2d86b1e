"""Damaged archives, made by code from ten good pages of which the fifth is damaged, and pages that no browser would show.

ARCHIVES["a flip in the deflate stream"]() -> ("a.warc.gz", bytes); PAGES["100,000 nested tags"]() -> Page
"""

import bz2
import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import replace

import brotli
from fastwarc.stream_io import ZstdWriter

from tests.archives import arc_records, lz4, records, wacz, zstd
from tests.golden import Page, page, ten, warc

FIFTH = 4
HTML = [("Content-Type", "text/html; charset=utf-8")]


def members(**changed: bytes) -> bytes:
    """The archive of ten members, the fifth as given: ``plain`` bytes of its record, or ``packed`` ones of its member."""
    made = [gzip.compress(record, mtime=0) for record in records(ten())]
    if "plain" in changed:
        made[FIFTH] = gzip.compress(changed["plain"], mtime=0)
    made[FIFTH] = changed.get("packed", made[FIFTH])
    return b"".join(made)


def plain(changed: bytes) -> bytes:
    made = records(ten())
    made[FIFTH] = changed
    return b"".join(made)


def fifth() -> bytes:
    return records(ten())[FIFTH]


def flipped(content: bytes, at: int) -> bytes:
    damaged = bytearray(content)
    damaged[at] ^= 0xFF
    return bytes(damaged)


def with_length(told: bytes) -> bytes:
    record = fifth()
    start = record.index(b"Content-Length: ") + 16
    return record[:start] + told + record[record.index(b"\r\n", start) :]


def _block_of(change: Callable[[bytes], bytes]) -> bytes:
    record = fifth()
    start = record.index(b"HTTP/1.1")
    return record[:start] + change(record[start:-4]) + b"\r\n\r\n"


def packed() -> bytes:
    return gzip.compress(fifth(), mtime=0)


def _flip(at: int) -> Callable[[], tuple[str, bytes]]:
    return lambda: ("a.warc.gz", members(packed=flipped(packed(), at)))


def _length(name: str, told: bytes) -> Callable[[], tuple[str, bytes]]:
    if name == "a.warc":
        return lambda: (name, plain(with_length(told)))
    if name == "one.warc.gz":
        return lambda: (name, gzip.compress(plain(with_length(told)), mtime=0))
    return lambda: (name, members(plain=with_length(told)))


LENGTHS = {
    "larger": b"99999",
    "smaller": b"7",
    "negative": b"-1",
    "huge": b"999999999999999999",
    "of 2 GB": b"2147483648",
    "no number": b"x",
}

# In each of these nine pages are whole, and the fifth is in the ledger with a reason, or its place is among the damages.
ARCHIVES: dict[str, Callable[[], tuple[str, bytes]]] = {
    "a flip in the magic of gzip": _flip(0),
    "a flip in the method of gzip": _flip(2),
    "a flip in the deflate stream": _flip(60),
    "a flip in the first block's type": _flip(10),
    "a flip in the checksum": _flip(-6),
    "a flip in the length of gzip": _flip(-2),
    "a flip in the version of WARC": lambda: ("a.warc", plain(flipped(fifth(), 2))),
    "a flip in the name of a length": lambda: ("a.warc", plain(flipped(fifth(), fifth().index(b"Content-Length") + 3))),
    "a flip in a length": lambda: ("a.warc", plain(flipped(fifth(), fifth().index(b"Content-Length") + 16))),
    "a flip in the status line": lambda: ("a.warc", plain(flipped(fifth(), fifth().index(b"HTTP/1.1") + 10))),
    "the record cut in its middle": lambda: ("a.warc", plain(fifth()[: len(fifth()) // 2] + b"\r\n\r\n")),
    "the member cut in its middle": lambda: ("a.warc.gz", members(packed=packed()[: len(packed()) // 2])),
    "the member is empty": lambda: ("a.warc.gz", members(plain=b"")),
    "the member is no record": lambda: ("a.warc.gz", members(plain=b"<html>" * 1000)),
    "the member is a bomb": lambda: ("a.warc.gz", members(plain=bytes(50_000_000))),
    "the member is a bomb behind a header": lambda: ("a.warc.gz", members(plain=with_length(b"999999999999") + bytes(50_000_000))),
    "NULs": lambda: ("a.warc.gz", members(packed=bytes(5000))),
    "NULs in a plain file": lambda: ("a.warc", plain(bytes(5000) + b"\r\n\r\n")),
    "a header of 10 MB": lambda: ("a.warc", plain(fifth().replace(b"WARC-Date", b"X: " + b"y" * 10_000_000 + b"\r\nWARC-Date"))),
    "a header of 10 MB in a member": lambda: (
        "a.warc.gz",
        members(plain=fifth().replace(b"WARC-Date", b"X: " + b"y" * 10_000_000 + b"\r\nWARC-Date")),
    ),
    "a million header lines": lambda: ("a.warc", plain(fifth().replace(b"WARC-Date", b"X: y\r\n" * 1_000_000 + b"WARC-Date"))),
    "an answer with a header of 10 MB": lambda: (
        "a.warc.gz",
        warc([replace(each, headers=[("X", "y" * 10_000_000)]) if at == FIFTH else each for at, each in enumerate(ten())])[0],
    ),
    "a status of twenty digits": lambda: (
        "a.warc.gz",
        warc([replace(each, status="9" * 20) if at == FIFTH else each for at, each in enumerate(ten())])[0],
    ),
    "an answer of NULs": lambda: (
        "a.warc",
        plain(_block_of(lambda block: bytes(len(block)))),
    ),
    "a flip in bzip2": lambda: (
        "a.warc.bz2",
        b"".join(flipped(bz2.compress(each), 60) if at == FIFTH else bz2.compress(each) for at, each in enumerate(records(ten()))),
    ),
    "a flip in zstd": lambda: (
        "a.warc.zst",
        b"".join(flipped(zstd([each]), 6) if at == FIFTH else zstd([each]) for at, each in enumerate(records(ten()))),
    ),
    "a flip in lz4": lambda: (
        "a.warc.lz4",
        b"".join(flipped(lz4([each]), 6) if at == FIFTH else lz4([each]) for at, each in enumerate(records(ten()))),
    ),
    "a flip in a wacz": lambda: ("a.wacz", wacz({"a.warc.gz": members(packed=flipped(packed(), 60))})),
    "a line of ARC without a length": lambda: (
        "a.arc",
        b"".join(each.replace(b" text/html ", b" text/html x") if at == FIFTH + 1 else each for at, each in enumerate(arc_records(ten()))),
    ),
    **{f"a length {name}": _length("a.warc.gz", told) for name, told in LENGTHS.items()},
    **{f"a length {name}, plain": _length("a.warc", told) for name, told in LENGTHS.items()},
    **{f"a length {name}, all in one member": _length("one.warc.gz", told) for name, told in LENGTHS.items()},
}

# In each of these all ten pages are whole.
HARMLESS: dict[str, Callable[[], tuple[str, bytes]]] = {
    "all in one member": lambda: ("a.warc.gz", gzip.compress(b"".join(records(ten())), mtime=0)),
    "two members glued by junk": lambda: ("a.warc.gz", members(packed=packed() + b"\x1f\x8b\x08junk\0" * 50)),
    "lines end with LF": lambda: (
        "a.warc",
        b"".join(each[: each.index(b"HTTP/1.1")].replace(b"\r\n", b"\n") + each[each.index(b"HTTP/1.1") :] for each in records(ten())),
    ),
    "no empty lines between records": lambda: ("a.warc", b"".join(each.removesuffix(b"\r\n\r\n") for each in records(ten()))),
    "one line end between records": lambda: ("a.warc", b"".join(each.removesuffix(b"\r\n") for each in records(ten()))),
    "empty lines too many": lambda: ("a.warc", b"".join(each + b"\r\n" * 9 for each in records(ten()))),
    "NULs behind the end": lambda: ("a.warc", b"".join(records(ten())) + bytes(100_000)),
    "two lengths that differ": lambda: (
        "a.warc",
        plain(
            fifth()
            .replace(b"WARC-Date", b"X-Y: z\r\nWARC-Date")
            .replace(b"\r\n\r\nHTTP", b"\r\nContent-Length: 99999999999999\r\n\r\nHTTP", 1)
        ),
    ),
    "an answer that lies of its length": lambda: (
        "a.warc.gz",
        warc([replace(each, headers=[*HTML, ("Content-Length", "9" * 18)]) if at == FIFTH else each for at, each in enumerate(ten())])[0],
    ),
    "deep empty members": lambda: ("a.warc.gz", members(packed=packed() + gzip.compress(b"", mtime=0) * 500)),
}


def _zstd(body: bytes) -> bytes:
    out = io.BytesIO()
    writer = ZstdWriter(out)
    writer.write(body)
    writer.close()
    return out.getvalue()


def _encoded(encoding: str, body: bytes) -> Callable[[], Page]:
    return lambda: page("http://b.example/", body, headers=[*HTML, ("Content-Encoding", encoding)])


def _html(body: bytes, charset: str = "utf-8") -> Callable[[], Page]:
    return lambda: page("http://b.example/", body, headers=[("Content-Type", f"text/html; charset={charset}")])


TEXT = (
    b"<html><body><p>" + b"Seventeen words of an honest page, which every reader of it would call a paragraph. " * 9 + b"</p></body></html>"
)
# page -> whether its text must come out
PAGES: dict[str, tuple[Callable[[], Page], bool | None]] = {
    "brotli": (_encoded("br", brotli.compress(TEXT)), True),
    "zstd": (_encoded("zstd", _zstd(TEXT)), True),
    "deflate": (_encoded("deflate", zlib.compress(TEXT)), True),
    "bare deflate": (_encoded("deflate", zlib.compress(TEXT)[2:-4]), True),
    "gzip in brotli": (_encoded("gzip, br", brotli.compress(gzip.compress(TEXT))), True),
    "brotli cut": (_encoded("br", brotli.compress(TEXT)[:40]), False),
    "zstd cut": (_encoded("zstd", _zstd(TEXT)[:40]), False),
    "gzip cut": (_encoded("gzip", gzip.compress(TEXT)[:40]), False),
    "no brotli": (_encoded("br", b"\xff" * 99), False),
    "a gzip bomb": (_encoded("gzip", gzip.compress(bytes(50_000_000))), False),
    "a zstd bomb": (_encoded("zstd", _zstd(bytes(50_000_000))), False),
    "a brotli bomb": (_encoded("br", brotli.compress(bytes(50_000_000), quality=1)), False),
    "ninety encodings": (_encoded(", ".join(["gzip"] * 90), gzip.compress(TEXT)), None),
    "a chunk that says more": (
        lambda: page("http://b.example/", b"fff\r\n" + TEXT, headers=[*HTML, ("Transfer-Encoding", "chunked")]),
        False,
    ),
    "a chunk of 10^18 bytes": (
        lambda: page("http://b.example/", b"5\r\nhello\r\nfffffffffffffff\r\nx", headers=[*HTML, ("Transfer-Encoding", "chunked")]),
        False,
    ),
    "UTF-8 called UTF-16": (_html(TEXT, "utf-16"), None),
    "a charset that is none": (_html(TEXT, "klingon-8"), True),
    "a charset of NULs": (_html(TEXT, "\1\2"), True),
    "Latin 1 called UTF-8": (_html(TEXT.replace(b"honest", b"\xe9\xe8\xff")), True),
    "lone surrogates": (_html(TEXT.replace(b"honest", b"\xed\xa0\x80\xed\xbf\xbf")), True),
    "lone surrogates as references": (_html(TEXT.replace(b"honest", b"&#xD800;&#55357;&#x110000;&#0;")), True),
    "NULs in the text": (_html(TEXT.replace(b"honest", b"\0ho\0nest")), True),
    "bidi and zero-width tricks": (_html(TEXT.replace(b"honest", "\u202eho\u200bne\u2066st\ufeff\u2069".encode())), True),
    "100,000 nested tags": (_html(b"<div>" * 100_000 + TEXT + b"</div>" * 99_999), None),
    "200,000 unclosed tags": (_html(b"<b><i>" * 100_000 + TEXT), None),
    "a table of a million columns": (_html(b"<table><tr>" + b"<td>x" * 1_000_000 + b"</table>" + TEXT), None),
    "a megabyte without a space": (_html(b"<p>" + b"x" * 2**20 + b"</p>"), None),
    "a megabyte of one sign": (_html(b"<p>" + "é".encode() * 2**19 + b"</p>"), None),
    "an attribute of 5 MB": (_html(b'<p class="' + b"x" * 5_000_000 + b'">' + TEXT), None),
    "100,000 attributes": (_html(b"<p " + b"a=b " * 100_000 + b">" + TEXT), None),
    "a comment that does not end": (_html(TEXT + b"<!--" * 10_000), None),
    "a tag that does not end": (_html(TEXT + b"<a href='" + b"x" * 100_000), None),
    "entities without an end": (_html(b"<p>" + b"&amp" * 100_000 + b"&#" * 100_000 + TEXT), None),
}
