"""Digests that a record states of itself, compared while it is read."""

import base64
import hashlib
from pathlib import Path

import pytest

from corpus.sources.digests import digests_hold
from corpus.sources.source import Damage, ReadLog, Split
from corpus.sources.warc import WarcSource
from tests.golden import on_disk, ten, warc

HTTP = "application/http; msgtype=response"
BLOCK = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
OF_NOTHING = "3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"  # as Heritrix and Common Crawl write the SHA-1 of no bytes


def sha1(content: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(content).digest()).decode()


@pytest.mark.parametrize(
    ("headers", "block", "holds"),
    [
        ({}, BLOCK, True),
        ({"warc-block-digest": f"sha1:{OF_NOTHING}"}, b"", True),
        ({"warc-block-digest": f"sha1:{OF_NOTHING.lower()}"}, b"", True),
        ({"warc-block-digest": f"SHA-1:{OF_NOTHING}"}, b"", True),
        ({"warc-block-digest": "sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709"}, b"", True),
        ({"warc-block-digest": "md5:d41d8cd98f00b204e9800998ecf8427e"}, b"", True),
        ({"warc-block-digest": f"sha1:{OF_NOTHING}"}, b"x", False),
        ({"warc-block-digest": "sha1:"}, b"", False),
        ({"warc-block-digest": "sha1:!"}, b"", False),
        ({"warc-block-digest": "blake9:x"}, b"", True),
        ({"warc-payload-digest": sha1(b"text")}, b"text", True),
        ({"warc-payload-digest": sha1(b"text")}, b"test", False),
        ({"warc-payload-digest": sha1(b"hello"), "content-type": HTTP}, BLOCK, True),
        ({"warc-payload-digest": sha1(b"5\r\nhello\r\n0\r\n\r\n"), "content-type": HTTP}, BLOCK, True),
        ({"warc-payload-digest": sha1(BLOCK), "content-type": HTTP}, BLOCK, False),
        ({"warc-payload-digest": sha1(b"hello"), "warc-block-digest": sha1(b"?"), "content-type": HTTP}, BLOCK, False),
        ({"warc-payload-digest": f"sha1:{OF_NOTHING}", "content-type": HTTP}, b"HTTP/1.1 204 No Content", True),
    ],
)
def test_a_record(headers: dict[str, str], block: bytes, holds: bool) -> None:
    assert digests_hold(headers, block) == holds


def test_while_an_archive_is_read(tmp_path: Path) -> None:
    """A wrong digest is counted with its place, and its page is a document like the others."""
    pages = ten()  # warcio states their digests
    plain, offsets = warc(pages, gzip=False)
    content = plain.replace(sha1(pages[4].body).encode(), sha1(b"another").encode())
    assert content != plain
    file = on_disk(tmp_path, "a.warc", content)
    for check, expected in ((False, []), (True, [Damage("a.warc", offsets[4], 0, "warc:other_digest")])):
        log = ReadLog()
        batches = WarcSource(check_digests=check).read(Split(file, 0, len(content)), log)
        assert [row["url"] for batch in batches for row in batch.to_pylist()] == [each.url for each in pages]
        assert log.damages == expected
