"""Hashes that decide something: identity, order, split, sample.

All of them are xxHash (XXH3, 64 or 128 bits) over UTF-8 with a fixed seed, never Python's ``hash()``, which changes from process
to process. What is not part of the message (path, position, run) cannot move a document.

    >>> document_id("<urn:uuid:1>", "http://example.com/", "2026-01-01T00:00:00Z", "sha1:AB")[:8]
    'a0e4cc89'
"""

import xxhash


def document_id(*origin: str) -> str:
    """What an origin says of itself -> 32 hex digits (128 bits).

    The parts are length-prefixed, so that ("ab", "c") and ("a", "bc") differ. Pairs of equal ids become probable
    near 2**64 documents.
    """
    message = b"".join(b"%d:%s" % (len(part), part) for part in (text.encode("utf-8", "replace") for text in origin))
    return xxhash.xxh3_128_hexdigest(message)


def content_digest(text: str) -> bytes:
    """16 bytes of XXH3-128 over UTF-8 (lone surrogates become ``?``)."""
    return xxhash.xxh3_128_digest(text.encode("utf-8", "replace"))


def fraction(key: str, salt: str) -> float:
    """A number in [0, 1) that depends on ``key`` and ``salt`` alone; 53 bits."""
    return (xxhash.xxh3_64_intdigest(f"{salt}\0{key}".encode()) >> 11) / (1 << 53)


def rank(key: str, salt: str) -> int:
    """A 64-bit number to order by: the smallest ranks are a uniform sample, the same on every machine."""
    return xxhash.xxh3_64_intdigest(f"{salt}\0{key}".encode())
