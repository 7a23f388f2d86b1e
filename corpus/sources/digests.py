"""Whether a record of a web archive is what its own digests say: ``WARC-Block-Digest`` and ``WARC-Payload-Digest``.

    digests_hold({"warc-block-digest": "sha1:3I42H3S6NNFQ2MSVX7XZKYAYSCX5QBYJ"}, b"")  # False

A payload is what the server sent behind its headers: by the standard (WARC 1.1, 5.9) without the chunks of its transfer, which many
crawlers hash along all the same. Either is right.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping

from corpus.sources.http import BadChunks, join_chunks

_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")


def digests_hold(headers: Mapping[str, str], block: bytes) -> bool:
    """``headers``: the record's, by lower-case name. True too where it states no digest, or one by an algorithm that is not known here."""
    if not _is_of(headers.get("warc-block-digest", ""), block):
        return False
    stated = headers.get("warc-payload-digest", "")
    if not stated or "application/http" not in headers.get("content-type", ""):
        return _is_of(stated, block)
    found = _END_OF_HEADERS.search(block)
    payload = block[found.end() :] if found else b""
    return _is_of(stated, payload) or _is_of(stated, _without_chunks(payload))


def _is_of(stated: str, content: bytes) -> bool:
    name, _, value = stated.strip().partition(":")
    name = name.lower().replace("-", "")
    if name not in _ALGORITHMS:
        return True
    return hashlib.new(name, content, usedforsecurity=False).digest() == _decoded(value.strip(), hashlib.new(name).digest_size)


def _decoded(value: str, size: int) -> bytes:
    """Base 32, as nearly all write it, or hexadecimal."""
    try:
        return (
            bytes.fromhex(value) if len(value) == 2 * size else base64.b32decode(value.rstrip("=") + "=" * (-len(value) % 8), casefold=True)
        )
    except (ValueError, binascii.Error):
        return b""


def _without_chunks(payload: bytes) -> bytes:
    try:
        return join_chunks(payload)
    except BadChunks:
        return payload
