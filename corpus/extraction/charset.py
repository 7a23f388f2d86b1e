"""Bytes of a page to characters: byte-order mark, then the server's word, then the page's, then a guess; and which of them it was.

Bytes that can only be UTF-8 are UTF-8, whatever was declared: of 47 labelled real pages that declare another charset, three are.

decode("caf\\xe9".encode("latin-1"), "iso-8859-1", is_html=True) -> ("café", "http")
"""

import codecs
import re

import numpy as np
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from corpus.kernels.seek import is_utf8

BOM, HTTP, META, DETECTOR = "bom", "http", "meta", "detector"
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
# Bytes from _LEAD on begin characters of UTF-8. With so many of them a text of another charset is not UTF-8 by chance: of 33,704 stretches
# of the Declaration of Human Rights, in its languages and 21 charsets, none was.
_LEAD, _TELLING = 0xC0, 8
_META_BYTES = 4096  # the standard says 1024; 2 % of real pages declare it later, behind scripts
_META = re.compile(
    rb"""<meta[^>]{0,512}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|<\?xml[^>]{0,128}encoding\s*=\s*["']([\w.:-]{1,40})""", re.IGNORECASE
)
# Windows' supersets, which is what pages that declare the standard are written in.
_WIDER = {"shift_jis": "cp932", "gbk": "gb18030", "gb2312": "gb18030", "euc_kr": "cp949", "iso8859-11": "cp874", "iso8859-9": "cp1254"}


def decode(payload: bytes, http_charset: str | None, is_html: bool) -> tuple[str, str]:
    """(text, source of the charset). Never raises: what cannot be decoded is replaced; a label nobody knows counts as none."""
    start, encoding, source = _encoding(payload, http_charset, is_html)
    return payload[start:].decode(encoding, "replace"), source


def to_utf8(payload: bytes, http_charset: str | None, is_html: bool) -> tuple[bytes, str]:
    """What ``decode`` gives, as UTF-8: the payload itself where it is that already, as nine pages in ten are."""
    start, encoding, source = _encoding(payload, http_charset, is_html)
    if encoding == "utf-8" and is_utf8(payload):
        return payload[start:], source
    return payload[start:].decode(encoding, "replace").encode("utf-8", "replace"), source


def codec_of(sample: bytes) -> str:
    """Python's codec for bytes that nobody says anything about: UTF-8 if they are that, else the detector's guess."""
    return _encoding(sample, None, False)[1]


def _encoding(payload: bytes, http_charset: str | None, is_html: bool) -> tuple[int, str, str]:
    """(bytes of a mark to leave out, Python's codec, source)."""
    for mark, encoding in _BOMS:
        if payload.startswith(mark):
            return len(mark), encoding, BOM
    declared, source = _declared(payload, http_charset, is_html)
    if declared and (declared == "utf-8" or np.count_nonzero(np.frombuffer(payload, np.uint8) >= _LEAD) < _TELLING):
        return 0, declared, source
    if is_utf8(payload):  # by chance next to impossible beyond ASCII
        return 0, "utf-8", DETECTOR
    if declared:
        return 0, declared, source
    return 0, _codec(detect_encoding(payload)) or "cp1252", DETECTOR


def _declared(payload: bytes, http_charset: str | None, is_html: bool) -> tuple[str | None, str]:
    """(Python's codec or None, who said so): the server, else the page."""
    declared = _codec(http_charset)
    if declared or not is_html:
        return declared, HTTP
    found = _META.search(payload, 0, _META_BYTES)
    declared = _codec((found.group(1) or found.group(2)).decode("ascii", "replace")) if found else None
    # a page that says utf-16 in ASCII bytes is not: the standard takes it for UTF-8
    return "utf-8" if declared and declared.startswith("utf-16") else declared, META


def _codec(label: str | None) -> str | None:
    """A charset label as found in the wild -> Python's codec, by the WHATWG's table (iso-8859-1 means cp1252); None if unknown."""
    if not label:
        return None
    try:
        mapped = map_encoding_to_html5(label.strip().strip("\"'").lower(), fallback_utf8=False)
        name = codecs.lookup(mapped).name if mapped else None
    except (LookupError, ValueError):
        return None
    return _WIDER.get(name, name) if name else None
