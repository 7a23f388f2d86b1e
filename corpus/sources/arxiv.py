"""arXiv's sources: a file for each paper (`1911.02782.gz`, `2004.14974v2.tar.gz`) or arXiv's own bulk archives of them (`arXiv_src_*.tar`).

A paper is a gzip of a tar, or of one TeX file; or a PDF, which is counted out here. Titles, licences, categories and dates come from
arXiv's metadata, a file of JSON lines, where its path is given.

    for batch in ArxivSource(metadata="arxiv-metadata-oai-snapshot.json").read(split, log): ...
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, final

import pyarrow as pa

from corpus.errors import AssetError
from corpus.extraction.papers import read_paper
from corpus.rights import license_of
from corpus.sources.archives import Bounds, Member, Seekable, TarReader, gunzip, inflated, is_tar, members, safe_path
from corpus.sources.contents import ARTICLES, CODE, OPINIONS, shown_kind
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.rows import Fault, batches, row
from corpus.sources.source import Damage, InputFile, ReadLog, Source, Split
from corpus.sources.warc import parse_date
from corpus.step import Reason
from corpus.storage import locate

PDF_ONLY = Reason("arxiv:pdf_only", "the paper was submitted as PDF, without a source")
NO_TEX = Reason("arxiv:no_tex", "the source holds no TeX (PostScript, HTML, Word)")
WITHDRAWN = Reason("arxiv:withdrawn", "the paper was withdrawn by its authors or by arXiv")
NO_TEXT = Reason("arxiv:no_text", "nothing is left of the paper but its markup")
TOO_LARGE = Reason("arxiv:too_large", "the source is larger than the limit in bytes, packed or unpacked")

_ID = re.compile(r"(?<!\d)(\d{4}\.\d{4,5})(v\d{1,2})?(?!\d)|(?<![a-z-])([a-z-]{2,20}(?:\.[A-Z]{2})?)_?/?(\d{7})(v\d{1,2})?(?!\d)")
_AUTO_IGNORE = re.compile(rb"\s*%\s*auto-ignore", re.IGNORECASE)
_SAYS_WITHDRAWN = re.compile(
    r"(?:paper|article|manuscript|submission|preprint|work)\b.{0,60}\bwithdrawn|withdrawn by", re.IGNORECASE | re.DOTALL
)
_METADATA_ID = re.compile(rb'"id"\s*:\s*"([^"]{4,40})"')
_NONEXCLUSIVE = "LicenseRef-arXiv-nonexclusive-distrib"


@final
@dataclass(frozen=True, kw_only=True)
class ArxivSource(Source):
    """``metadata``: arXiv's snapshot of JSON lines; without it a licence is unknown and a title is the TeX file's own. ``license`` is then
    null: most of arXiv allows nobody but arXiv to distribute a paper, so filter by it before you publish anything."""

    name: str = "arxiv"
    collection: str = ""
    metadata: str = ""
    max_packed_bytes: int = 64 * 2**20
    max_source_bytes: int = 256 * 2**20  # unpacked, with the pictures
    max_file_bytes: int = 8 * 2**20  # of one TeX file; larger ones are data
    batch_bytes: int = 16 * 2**20
    split_bytes: int = 128 * 2**20

    reasons = (PDF_ONLY, NO_TEX, WITHDRAWN, NO_TEXT, TOO_LARGE)

    def assets(self) -> tuple[str, ...]:
        return (self.metadata,) if self.metadata else ()

    def accepts(self, file: InputFile, head: bytes) -> bool:
        """By an arXiv number in its name or in that of the first paper in it."""
        if is_tar(head):
            return "arxiv" in file.file.lower() or bool(_ID.search(head[:100].split(b"\0")[0].decode("utf-8", "replace")))
        if not _ID.search(file.file.rpartition("/")[2]):
            return False
        content = inflated(head) if head.startswith(GZIP_MAGIC) else b""
        if is_tar(content):
            return shown_kind(head) not in (ARTICLES, OPINIONS, CODE)
        is_another = content.startswith((b"{", b"[", b"<?xml", b"<mediawiki", b"WARC/"))  # a table or a dump with a number in its name
        return head.startswith((GZIP_MAGIC, b"%PDF-")) and not is_another

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        size = max(1, file.size_bytes)
        if not file.file.lower().endswith(".tar"):
            return [(0, size)]
        return [(start, min(start + self.split_bytes, size)) for start in range(0, size, self.split_bytes)]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        yield from batches(self._rows(split, log), "arxiv", self.batch_bytes)

    def _rows(self, split: Split, log: ReadLog) -> Iterator[dict[str, Any]]:
        file = split.file
        with file.place.open() as stream:
            head = stream.read(512)
            stream.seek(0)
            if is_tar(head):
                bounds = Bounds(member_bytes=self.max_packed_bytes, archive_bytes=2**62)
                reader = TarReader(Seekable(stream), file.file, bounds, log)
                end = split.end if split.end < file.size_bytes else 2**62  # the last one sees whether the file is whole
                for member in reader.members(split.start, end, exact=split.exact or split.start == 0):
                    log.read_bytes += member.size
                    if member.path.lower().endswith((".gz", ".pdf", ".tgz", ".tex", ".ps", ".html")):
                        made = log.parse(file.file, member.offset, member.size, self._row, member, file, log)
                        if made:
                            yield made
                    else:
                        log.records["arxiv:other_file"] += 1
                log.first, log.next = reader.first, reader.next
            elif split.start == 0:  # one paper, whatever its name made of splits
                log.read_bytes += file.size_bytes
                is_small = file.size_bytes <= self.max_packed_bytes
                member = Member(file.file, stream.read() if is_small else None, file.size_bytes, 0)
                made = log.parse(file.file, 0, file.size_bytes, self._row, member, file, log)
                if made:
                    yield made

    def _row(self, member: Member, file: InputFile, log: ReadLog) -> dict[str, Any]:
        number = arxiv_number(member.path)
        told = _told(self.metadata, number) if self.metadata and number else {}
        text, title, fault = self._text(member, file, log)
        versions = told.get("versions")
        created = versions[0].get("created") if isinstance(versions, list) and versions and isinstance(versions[0], dict) else None
        categories = told.get("categories")
        given = told.get("title")
        return row(
            self,
            file,
            key=(number or member.path,),
            offset=member.offset,
            text=text,
            fault=fault,
            record_id=number,
            url=f"https://arxiv.org/abs/{number}" if number else None,
            title=" ".join(given.split()) if isinstance(given, str) else title,
            date=_date(created) or parse_date(str(told.get("update_date"))),
            license=_license(told.get("license")),
            labels={"categories": categories} if isinstance(categories, str) else None,
        )

    def _text(self, member: Member, file: InputFile, log: ReadLog) -> tuple[str | None, str | None, Fault | None]:
        """(text, title, fault) of one paper."""
        content = member.content
        if content is None:
            return None, None, (TOO_LARGE, member.size, self.max_packed_bytes)
        if content.startswith(b"%PDF-"):
            return None, None, (PDF_ONLY, None, None)
        if not content.startswith(GZIP_MAGIC):
            files = {"paper.tex": content[: self.max_file_bytes]}
        elif is_tar(inflated(content, 512)):
            within = ReadLog()
            bounds = Bounds(member_bytes=self.max_file_bytes, archive_bytes=self.max_source_bytes, members=10_000)
            files = {}
            for inner in members(io.BytesIO(content), file.file, bounds, within):
                path = safe_path(inner.path)
                if path is None:
                    log.records["archive:unsafe_path"] += 1
                elif inner.content is not None:
                    files[path] = inner.content
            if within.records["archive:over_the_bounds"]:
                return None, None, (TOO_LARGE, None, self.max_source_bytes)
            log.records.update(within.records)
            log.damages += [replace(each, offset=member.offset) for each in within.damages]  # theirs are in what it unpacks to
        else:
            single, is_whole = gunzip(content, self.max_file_bytes)
            if single is None:
                return None, None, (TOO_LARGE, None, self.max_file_bytes)
            if not is_whole:  # what stands before the damage is read
                log.damages.append(Damage(file.file, member.offset, member.size, "gzip:damaged"))
            files = {"paper.tex": single}
        return self._paper(files, log)

    def _paper(self, files: dict[str, bytes], log: ReadLog) -> tuple[str | None, str | None, Fault | None]:
        only = next(iter(files.values())) if len(files) == 1 else b""
        if _AUTO_IGNORE.match(only):
            return None, None, (WITHDRAWN, None, None)
        if only.startswith(b"%PDF-"):
            return None, None, (PDF_ONLY, None, None)
        paper = read_paper(files, 2 * self.max_file_bytes)
        if paper is None:
            has_pdf = any(content.startswith(b"%PDF-") for content in files.values())
            return None, None, (PDF_ONLY if has_pdf else NO_TEX, None, None)
        for name, count in (("refused", paper.refused), ("missing", paper.missing), ("macros_bounded", int(paper.bounded))):
            if count:
                log.records[f"latex:input_{name}" if name != "macros_bounded" else "latex:macros_bounded"] += count
        if len(paper.text) < 1_000 and _SAYS_WITHDRAWN.search(paper.text):
            return None, paper.title, (WITHDRAWN, None, None)
        return (paper.text, paper.title, None) if paper.text else (None, paper.title, (NO_TEXT, None, None))


def arxiv_number(path: str) -> str | None:
    """``0001/astro-ph0001001.gz`` -> ``astro-ph/0001001``; ``1911.02782v2.gz`` -> ``1911.02782``."""
    found = _ID.search(path.rpartition("/")[2])
    if not found:
        return None
    return found.group(1) or f"{found.group(3)}/{found.group(4)}"


def _license(address: Any) -> str | None:
    if not isinstance(address, str):
        return None
    return _NONEXCLUSIVE if "nonexclusive" in address else license_of(address)


def _date(created: Any) -> datetime | None:
    """``Thu, 7 Nov 2019 10:00:00 GMT``"""
    try:
        found = parsedate_to_datetime(str(created))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


@lru_cache(maxsize=2)
def _index(path: str) -> dict[str, int]:
    """Number -> offset of its line: 2.7 million papers, about 300 MB for the whole of arXiv; read once a process."""
    found: dict[str, int] = {}
    try:
        with locate(path).open() as stream:
            at = 0
            for line in io.BufferedReader(stream, 2**20):  # type: ignore[type-var]
                number = _METADATA_ID.search(line, 0, 200)
                if number:
                    found.setdefault(number.group(1).decode("utf-8", "replace"), at)
                at += len(line)
    except OSError as error:
        raise AssetError("cannot read arXiv's metadata", where=path, hint=error.strerror or str(error)) from error
    return found


def _told(path: str, number: str) -> dict[str, Any]:
    """What the metadata says of a paper; nothing where it says nothing."""
    at = _index(path).get(number)
    if at is None:
        return {}
    with locate(path).open() as stream:
        stream.seek(at)
        line = io.BufferedReader(stream, 2**16).readline(2**22)  # type: ignore[type-var]
    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}
