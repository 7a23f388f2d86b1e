"""Archives in every format that gristmill reads, made of the same pages: what comes out of each must be the same.

FORMATS["warc.zst with a dictionary"](ten()) -> ("a.warc.zst", bytes)
"""

import bz2
import gzip
import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

from fastwarc.stream_io import Lz4Writer, ZstdWriter, zstd_train_dictionary_from_samples

from tests.golden import Page, warc


def records(pages: Sequence[Page]) -> list[bytes]:
    """The bytes of each record of the plain WARC."""
    plain, starts = warc(pages, gzip=False)
    return [plain[start:end] for start, end in zip(starts, [*starts[1:], len(plain)], strict=True)]


def arc_records(pages: Sequence[Page], version: int = 1) -> list[bytes]:
    """As Heritrix 1 wrote them: a line that describes the file, then a line and the answer for each page."""
    fields = "URL IP-address Archive-date Content-type" + (" Result-code Checksum Location Offset Filename" if version == 2 else "")
    body = f"{version} 0 gristmill\n{fields} Archive-length\n\n".encode()
    more = b"200 - - 0 a.arc " if version == 2 else b""
    made = [b"filedesc://a.arc 0.0.0.0 20260101000000 text/plain %s%d\n%s\n" % (more, len(body), body)]
    for each in pages:
        http = f"HTTP/1.1 {each.status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in each.headers) + "\r\n"
        answer = http.encode() + each.body
        made.append(b"%s 10.0.0.1 20260101000000 text/html %s%d\n%s\n" % (each.url.encode(), more, len(answer), answer))
    return made


def zstd(pieces: Sequence[bytes], dictionary: bytes | None = None, *, packed: bool = False) -> bytes:
    """A frame a piece; the dictionary before them, compressed itself if ``packed``."""
    out = io.BytesIO()
    writer = ZstdWriter(out, dictionary=dictionary, compress_dictionary_frame=packed)
    for piece in pieces:
        writer.write(piece)
        writer.finish()
    writer.close()
    return out.getvalue()


def skippable(content: bytes, kind: int) -> bytes:
    """A frame that holds nothing of the stream (RFC 8878, 3.1.2), of the kind 0x50 to 0x5F."""
    return bytes([kind]) + b"\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content


def lz4(pieces: Sequence[bytes]) -> bytes:
    made = []
    for piece in pieces:
        out = io.BytesIO()
        writer = Lz4Writer(out)
        writer.write(piece)
        writer.close()
        made.append(out.getvalue())
    return b"".join(made)


def wacz(files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A WACZ as py-wacz lays it out: archives, an index, pages, and what describes them."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(f"archive/{name}"), content, compression)
        made.writestr("indexes/index.cdx.gz", gzip.compress(b"com,example)/ 20260101000000 {}\n", mtime=0))
        made.writestr("pages/pages.jsonl", '{"format": "json-pages-1.0", "id": "pages"}\n')
        made.writestr("datapackage.json", '{"profile": "data-package", "wacz_version": "1.1.1"}')
    return out.getvalue()


def cut(content: bytes, size: int) -> list[bytes]:
    """Pieces of ``size`` bytes, whatever records they cut through."""
    return [content[at : at + size] for at in range(0, len(content), size)]


def _dictionary(pages: Sequence[Page]) -> bytes:
    return zstd_train_dictionary_from_samples(records(pages) * 20, 2048)


Make = Callable[[Sequence[Page]], tuple[str, Any]]
FORMATS: dict[str, Make] = {
    "warc": lambda pages: ("a.warc", warc(pages, gzip=False)[0]),
    "warc.gz": lambda pages: ("a.warc.gz", warc(pages)[0]),
    "warc.gz as one member": lambda pages: ("a.warc.gz", gzip.compress(b"".join(records(pages)), mtime=0)),
    "warc.gz cut anywhere (bgzip)": lambda pages: (
        "a.warc.gz",
        b"".join(gzip.compress(piece, mtime=0) for piece in cut(b"".join(records(pages)), 700)),
    ),
    "warc.bz2": lambda pages: ("a.warc.bz2", bz2.compress(b"".join(records(pages)))),
    "warc.bz2, a member a record": lambda pages: ("a.warc.bz2", b"".join(map(bz2.compress, records(pages)))),
    "warc.bz2 cut anywhere (pbzip2)": lambda pages: ("a.warc.bz2", b"".join(map(bz2.compress, cut(b"".join(records(pages)), 900)))),
    "warc.zst": lambda pages: ("a.warc.zst", zstd(records(pages))),
    "warc.zst as one frame": lambda pages: ("a.warc.zst", zstd([b"".join(records(pages))])),
    "warc.zst cut anywhere (pzstd)": lambda pages: ("a.warc.zst", zstd(cut(b"".join(records(pages)), 700))),
    "warc.zst with a dictionary": lambda pages: ("a.warc.zst", zstd(records(pages), _dictionary(pages))),
    "warc.zst with a packed dictionary": lambda pages: ("a.warc.zst", zstd(records(pages), _dictionary(pages), packed=True)),
    "warc.lz4": lambda pages: ("a.warc.lz4", lz4(records(pages))),
    "warc.lz4 as one frame": lambda pages: ("a.warc.lz4", lz4([b"".join(records(pages))])),
    "wacz": lambda pages: ("a.wacz", wacz({"one.warc.gz": warc(pages[:4])[0], "two.warc": b"".join(records(pages)[4:])})),
    "wacz, deflated": lambda pages: (
        "a.wacz",
        wacz({"one.warc.gz": warc(pages[:4])[0], "two.warc": b"".join(records(pages)[4:])}, zipfile.ZIP_DEFLATED),
    ),
    "arc": lambda pages: ("a.arc", b"".join(arc_records(pages))),
    "arc 2": lambda pages: ("a.arc", b"".join(arc_records(pages, 2))),
    "arc.gz": lambda pages: ("a.arc.gz", b"".join(gzip.compress(each, mtime=0) for each in arc_records(pages))),
    "arc.bz2": lambda pages: ("a.arc.bz2", bz2.compress(b"".join(arc_records(pages)))),
}
