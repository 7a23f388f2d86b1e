"""What an archive holds, as far as its first 4 KB show: articles, opinions, PDFs or code. Several sources read .zip and .tar.gz.

A source takes an archive that shows what it reads; one that shows nothing known goes to the first source of the recipe that takes such.

    shown_kind(head)  # "code": the head of a repository's .zip
"""

import re
import struct
import zlib
from collections.abc import Iterator

from corpus.extraction.code import may_be_code
from corpus.sources.archives import ZIP_MAGIC, inflated, is_tar
from corpus.sources.framing import GZIP_MAGIC

ARTICLES, OPINIONS, PDFS, CODE = "articles", "opinions", "pdfs", "code"
# Keys of CourtListener's and of the Caselaw Access Project's records that no other JSON has: "plain_text" stands within their first 2 KB.
OPINION_KEYS = re.compile(
    rb'"(?:plain_text|html_with_citations|html_lawbox|html_columbia|html_anon_2020|xml_harvard|sub_opinions|casebody|case_name|'
    rb'case_name_full|name_abbreviation|decision_date|docket_number|head_matter)"\s*:'
)
_BLOCK = 512
_CAP_NAMES = re.compile(r"(?:^|/)(?:(?:json|html)/\d{4,}-\d\d[^/]*|(?:Volume|Cases|Reporter)Metadata\.json)$")
_PMC = re.compile(r"(?:^|/)PMC\d{3,}")
_REPOSITORY = re.compile(
    r"(?:^|/)(?:PKG-INFO|README[^/]*|LICEN[CS]E[^/]*|\.git[^/]*|\.github/.*|setup\.cfg|pyproject\.toml|package\.json)$"
)
_PAPERS = (".tex", ".bbl", ".bib", ".bst", ".sty", ".cls", ".eps")
_PROSE = (".html", ".htm", ".xhtml", ".md", ".markdown", ".rst")  # languages too, and found in any archive


def shown_kind(head: bytes) -> str:
    """Of a .zip, .tar or .tar.gz by its first bytes; empty where nothing known is seen, or TeX."""
    files = list(shown_files(head))
    if any(name.lower().endswith(".nxml") or _PMC.search(name) or b"<article" in content for name, content in files):
        return ARTICLES
    if any(_CAP_NAMES.search(name) or b"<casebody" in content or _is_opinion(name, content) for name, content in files):
        return OPINIONS
    names = [name for name, _ in files]
    if any(_REPOSITORY.search(name) for name in names):
        return CODE
    lowered = [name.lower() for name in names]
    if any(name.endswith(_PAPERS) for name in lowered):
        return ""
    if any(may_be_code(name) and "." in name.rpartition("/")[2] and not name.endswith(_PROSE) for name in lowered):
        return CODE
    return PDFS if any(name.endswith(".pdf") for name in lowered) else ""


def shown_files(head: bytes) -> Iterator[tuple[str, bytes]]:
    """(name, the beginning of its content) of the members that begin in ``head``."""
    if head.startswith(ZIP_MAGIC):
        yield from _zipped(head)
        return
    content = inflated(head) if head.startswith(GZIP_MAGIC) else head
    at = 0
    while is_tar(content[at:]):
        header = content[at : at + _BLOCK]
        size = int(told.group(1) or b"0", 8) if (told := re.fullmatch(rb"[ \0]*([0-7]*)[ \0]*", header[124:136])) else 0
        if header[156:157] in (b"0", b"\0"):
            yield header[:100].partition(b"\0")[0].decode("utf-8", "replace"), content[at + _BLOCK : at + _BLOCK + size]
        at += _BLOCK + -(-size // _BLOCK) * _BLOCK


def _zipped(head: bytes) -> Iterator[tuple[str, bytes]]:
    """By the local headers: of one whose size stands behind its data, the next is searched for."""
    at = 0
    while at >= 0 and len(head) >= at + 30:
        method, packed, name_bytes, extra_bytes = struct.unpack_from("<8xH8xI4xHH", head, at)
        begin = at + 30 + name_bytes + extra_bytes
        name, data = head[at + 30 : at + 30 + name_bytes].decode("utf-8", "replace"), head[begin:]
        if not name.endswith("/"):
            yield name, _inflated(data) if method == 8 else data[:packed] if packed else data
        at = head.find(ZIP_MAGIC, begin + packed)


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj(-15).decompress(data, 4096)
    except zlib.error:
        return b""


def _is_opinion(name: str, content: bytes) -> bool:
    return name.lower().endswith((".json", ".jsonl")) and OPINION_KEYS.search(content) is not None
