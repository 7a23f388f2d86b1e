"""What a source is: it says which files are its own, cuts them into splits, and reads a split into batches.

A source must account for all that it met: rows for documents (with a fault where it had to reject one), and a
:class:`ReadLog` for the rest: other records by type, damage with file and offset, and where reading really began and ended.

    for batch in WarcSource().read(split, log): ...
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar, final

import pyarrow as pa

from corpus.step import Reason
from corpus.storage import Place

T = TypeVar("T")


@final
@dataclass(frozen=True)
class InputFile:
    """One file of the input: its input's number, its path relative to that input, where it lies, its size and digest."""

    input: int
    file: str
    uri: str
    size_bytes: int
    sha256: str = ""

    @property
    def place(self) -> Place:
        return Place(self.uri)


@final
@dataclass(frozen=True)
class Split:
    """What one task reads: the records of ``file`` that begin at an offset in [start, end) of the file as it lies on disk."""

    file: InputFile
    start: int
    end: int
    source: int = 0  # index into the recipe's sources
    exact: bool = False  # `start` is known to be the beginning of a record: take it without searching


@final
@dataclass(frozen=True)
class Damage:
    """A stretch of a file that could not be read. It costs what lies in it and nothing more."""

    file: str
    offset: int
    lost_bytes: int
    what: str  # "gzip:corrupt", "gzip:truncated", "warc:bad_header", "json:bad_line", …


@final
@dataclass
class ReadLog:
    """What a source met that is not a document, counted while it reads one split.

    ``first`` and ``next`` are the offsets of the first record read and of the record after the last one. The driver checks that the
    splits of a file meet (``next`` of one is ``first`` of the following); where they don't, a later split began at what only looked
    like a record (an archive inside an archive), and is read again from the true place.
    """

    records: Counter[str] = field(default_factory=Counter)  # by type: "warc:request", "warc:warcinfo", …
    read_bytes: int = 0
    damages: list[Damage] = field(default_factory=list)
    first: int | None = None
    next: int | None = None
    watch: Callable[..., Any] | None = None  # of a careful reading

    def parse(self, file: str, offset: int, size: int, parser: Callable[..., T], *arguments: Any) -> T | None:
        """``parser(*arguments)``, the record's ``size`` bytes at ``offset`` being what it parses. None where that has crashed the process
        before, or raises, in a careful reading (``sources.careful``): then the record is among the damages."""
        return parser(*arguments) if self.watch is None else self.watch(self, file, offset, size, parser, arguments)  # type: ignore[no-any-return]


class Source(ABC):
    """Frozen, keyword-only dataclasses, like steps: fields are settings, ``read`` is a function of the split."""

    adds: ClassVar[tuple[str, ...]] = ()  # transient columns of its batches, of those that document.PAGE names
    reasons: ClassVar[tuple[Reason, ...]] = ()

    def assets(self) -> tuple[str, ...]:
        """Paths of the user's files, beside the inputs, that the result depends on; their digests go into the manifest."""
        return ()

    @abstractmethod
    def accepts(self, file: InputFile, head: bytes) -> bool:
        """Is this file ours to read? ``head`` is its first 4096 bytes or fewer. Decided by content first, name second. Raises InputError,
        which says why, for what is ours and lacks what the recipe names: it is listed as unread."""

    @abstractmethod
    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        """[start, end) offsets that tile the file, in order; found without reading it."""

    @abstractmethod
    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        """Batches with all columns of ``document.WORKING`` and of ``adds``, bounded by bytes. Never raises for damaged content."""
