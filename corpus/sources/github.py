"""Repositories of code: archives (`.zip`, `.tar.gz`, `.tar`, sdists, wheels), checked-out trees, and tables as BigQuery exports them.

A file that is code becomes a row with its path, its language and the licence it is under: its own SPDX header, or the nearest licence file
above it in the repository. What is no code (pictures, data, binaries) is counted by type.

    for batch in GithubSource().read(split, log): ...
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, final

import pyarrow as pa
from pyarrow import fs

from corpus.errors import InputError
from corpus.extraction.books import PAGE_OF_BOOK
from corpus.extraction.code import may_be_code, source_text
from corpus.extraction.licenses import LICENSE_FILE, PACKAGE_FILES, canonical, header, license_of_file
from corpus.sources.archives import Bounds, Member, inflated, is_tar, is_zip, members, safe_path
from corpus.sources.contents import CODE, shown_kind
from corpus.sources.framing import GZIP_MAGIC
from corpus.sources.rows import Fault, batches, row
from corpus.sources.source import InputFile, ReadLog, Source, Split
from corpus.sources.tables import open_parquet, parquet_rows, parquet_splits
from corpus.step import Reason
from corpus.storage import Place

TOO_LARGE = Reason("code:too_large", "the file is larger than the limit in bytes")
BINARY = Reason("code:binary", "the file is binary in spite of its name, or a notebook that cannot be read")
NO_TEXT = Reason("code:no_text", "the file is empty")

_ARCHIVES = (".zip", ".whl", ".tar", ".tar.gz", ".tgz")
_NOT_CODE_IN_ZIP = (b"mimetypeapplication/", b"[Content_Types].xml", b"META-INF/MANIFEST.MF")  # books and office files; Java's classes
_LICENSE_BYTES = 256 * 1024
_DIST_INFO = re.compile(r"(?:^|/)[^/]+\.dist-info(?:/licenses(?:/.*)?)?$")  # what a wheel says of the package that lies beside


@final
@dataclass(frozen=True, kw_only=True)
class GithubSource(Source):
    """``max_file_bytes``: larger files are data or generated (The Stack takes up to 1 MiB, arXiv 2211.15533). ``max_archive_bytes``: what
    all files of one archive may come to unpacked. The name of the repository is the one folder that holds everything in an archive, else
    the archive's or the input folder's name."""

    name: str = "github"
    collection: str = ""
    max_file_bytes: int = 2**20
    max_archive_bytes: int = 8 * 2**30
    batch_bytes: int = 16 * 2**20

    reasons = (TOO_LARGE, BINARY, NO_TEXT)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        if name.endswith(_ARCHIVES):
            if is_zip(head):
                return not any(mark in head for mark in _NOT_CODE_IN_ZIP) and shown_kind(head) in (CODE, "")
            return (is_tar(head) or (head.startswith(GZIP_MAGIC) and is_tar(inflated(head, 512)))) and shown_kind(head) in (CODE, "")
        return PAGE_OF_BOOK not in head and may_be_code(file.file) and ("." in name.rpartition("/")[2] or head.startswith(b"#!"))

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return [(0, max(1, file.size_bytes))]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        is_archive = split.file.file.lower().endswith(_ARCHIVES)
        rows = self._archive(split.file, log) if is_archive else self._single(split.file, log)
        yield from batches(rows, "github", self.batch_bytes)

    def _archive(self, file: InputFile, log: ReadLog) -> Iterator[dict[str, Any]]:
        """Read twice: for the licences, which may stand behind the files they hold for; then for the files."""
        bounds = Bounds(member_bytes=max(self.max_file_bytes, _LICENSE_BYTES), archive_bytes=self.max_archive_bytes)
        texts: dict[str, str] = {}
        stated: dict[str, str] = {}
        roots: set[str] = set()
        with file.place.open() as stream:
            for member in members(stream, file.file, bounds, ReadLog()):
                path = safe_path(member.path)
                if path:
                    roots.add(path.partition("/")[0] if "/" in path else "")
                    found = license_of_file(posixpath.basename(path), (member.content or b"")[:_LICENSE_BYTES])
                    if found:
                        by_file = stated if posixpath.basename(path) in PACKAGE_FILES else texts
                        by_file.setdefault(_DIST_INFO.sub("", posixpath.dirname(path)), found)
        licenses = {**texts, **stated}  # the author's word on a package goes before the likeness of a text
        root = next(iter(roots)) if len(roots) == 1 else ""
        repository = root or _without_ending(file.file.rpartition("/")[2])
        with file.place.open() as stream:
            for member in members(stream, file.file, bounds, log):
                path = safe_path(member.path)
                log.read_bytes += member.size
                if path is None:
                    log.records["archive:unsafe_path"] += 1
                elif not may_be_code(path) or LICENSE_FILE.fullmatch(posixpath.basename(path)):
                    log.records["code:other_file"] += 1
                else:
                    inner = path.removeprefix(f"{root}/") if root else path
                    license = _nearest(path, licenses)
                    made = log.parse(file.file, member.offset, member.size, self._row, member, inner, repository, license, file, log)
                    if made:
                        yield made

    def _single(self, file: InputFile, log: ReadLog) -> Iterator[dict[str, Any]]:
        root = Place(file.uri[: len(file.uri) - len(file.file)].rstrip("/"))
        content = None
        if file.size_bytes <= self.max_file_bytes:
            content = file.place.read_bytes()
        log.read_bytes += file.size_bytes
        member = Member(file.file, content, file.size_bytes, 0)
        if LICENSE_FILE.fullmatch(posixpath.basename(file.file)):
            log.records["code:other_file"] += 1
            return
        license = next((found for folder in _above(file.file) if (found := _license_in((root / folder if folder else root).uri))), None)
        made = self._row(member, file.file, root.uri.rpartition("/")[2], license, file, log)
        if made:
            yield made

    def _row(self, member: Member, path: str, repository: str, license: str | None, file: InputFile, log: ReadLog) -> dict[str, Any] | None:
        return code_row(self, file, path, repository, license, member.content, member.size, member.offset, self.max_file_bytes, log)


@final
@dataclass(frozen=True, kw_only=True)
class CodeParquetSource(Source):
    """Parquet with a file a row, as BigQuery's `github_repos` or The Stack: content, path, repository, licence (a name, or a list)."""

    name: str = "code_parquet"
    collection: str = ""
    content_field: str = "content"
    path_field: str = "path"
    repository_field: str = "repo_name"
    license_field: str = "license"
    max_file_bytes: int = 2**20
    batch_bytes: int = 16 * 2**20
    row_groups_a_split: int = 8

    reasons = (TOO_LARGE, BINARY, NO_TEXT)

    def accepts(self, file: InputFile, head: bytes) -> bool:
        if not head.startswith(b"PAR1"):
            return False
        parquet = open_parquet(file)
        return parquet is not None and {self.content_field, self.path_field} <= set(parquet.schema_arrow.names)

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        return parquet_splits(file, self.row_groups_a_split)

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        yield from batches(self._rows(split, log), "code_parquet", self.batch_bytes)

    def _rows(self, split: Split, log: ReadLog) -> Iterator[dict[str, Any]]:
        wanted = (self.content_field, self.path_field, self.repository_field, self.license_field)
        for number, fields in parquet_rows(split, wanted, log, 64, self.batch_bytes):
            if self.content_field not in fields:
                raise InputError(f"no column {self.content_field!r}", where=split.file.uri, hint="set code_parquet.content_field")
            content = fields[self.content_field]
            content = content.encode("utf-8", "replace") if isinstance(content, str) else content if isinstance(content, bytes) else b""
            path, repository, license = (fields.get(name) for name in wanted[1:])
            names = [str(name) for name in (license if isinstance(license, list) else [license] if license else []) if name]
            size = len(content)
            made = code_row(
                self,
                split.file,
                str(path or ""),
                str(repository or ""),
                " OR ".join(map(canonical, names)) or None,
                content if size <= self.max_file_bytes else None,
                size,
                number,
                self.max_file_bytes,
                log,
            )
            if made:
                yield made


def code_row(
    source: GithubSource | CodeParquetSource,
    file: InputFile,
    path: str,
    repository: str,
    license: str | None,
    content: bytes | None,
    size: int,
    offset: int,
    limit: int,
    log: ReadLog,
) -> dict[str, Any] | None:
    """One file; None where it is no code after all, which is counted. ``content`` None: it is over the limit."""
    fault: Fault | None = None
    found = source_text(path, content or b"")
    if content is None or size > limit:
        fault = (TOO_LARGE, size, limit)
    elif found.language is None:
        log.records["code:other_file"] += 1
        return None
    elif found.text is None:
        fault = (BINARY, None, None)
    elif not found.text.strip():
        fault = (NO_TEXT, None, None)
    labels = {"repository": repository, "path": path, "programming_language": found.language or ""}
    return row(
        source,
        file,
        key=(repository, path),
        offset=offset,
        text=found.text,
        fault=fault,
        record_id=path or None,
        title=path or None,
        charset_source=found.charset_source,
        license=(found.text and header(found.text)) or license,
        labels={name: value for name, value in labels.items() if value},
        collection=repository or None,
    )


def _above(path: str) -> Iterator[str]:
    """The folders above a file, the nearest first; the root is empty."""
    while path:
        path = posixpath.dirname(path)
        yield path


def _nearest(path: str, licenses: Mapping[str, str]) -> str | None:
    return next((found for folder in _above(path) if (found := licenses.get(folder))), None)


@lru_cache(maxsize=4096)
def _license_in(folder: str) -> str | None:
    """The licence that a file of a checked-out folder tells of; None where there is none, or none that is known."""
    names, folders = _entries(folder)
    packages = [name for name in folders if name.endswith(".dist-info")]
    names += [f"{packages[0]}/METADATA"] if len(packages) == 1 else []  # a wheel, unpacked; beside others it speaks for one of them
    for name in sorted(names, key=lambda name: (posixpath.basename(name) not in PACKAGE_FILES, name)):
        if not LICENSE_FILE.fullmatch(name) and posixpath.basename(name) not in PACKAGE_FILES:
            continue
        try:
            with (Place(folder) / name).open() as stream:
                found = license_of_file(posixpath.basename(name), stream.read(_LICENSE_BYTES))
        except OSError:
            continue
        if found:
            return found
    return None


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """(names of the files, names of the folders) in a folder."""
    place = Place(folder)
    try:
        found = place.filesystem.get_file_info(fs.FileSelector(place.path, allow_not_found=True))
    except (OSError, UnicodeError):  # a folder's name that is no UTF-8
        return [], []
    kinds = (fs.FileType.File, fs.FileType.Directory)
    files, folders = ([info.base_name for info in found if info.type == kind] for kind in kinds)
    return files, folders


def _without_ending(name: str) -> str:
    return next((name[: -len(ending)] for ending in sorted(_ARCHIVES, key=len, reverse=True) if name.lower().endswith(ending)), name)
