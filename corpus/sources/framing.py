"""Where records begin and end in a WARC or ARC file, through damage.

A `.warc.gz` is a chain of gzip members, one a record as a rule; a plain `.warc` is a chain of headers and bodies. Both, and chains of
bzip2, zstd and lz4, are cut here into frames: the bytes of one record, and whether it is whole. After damage reading goes on at the next
member (or header) that is one, and what lies between is logged: other readers stop there, and the rest of the file is lost in silence.

    for frame in frames(stream, split, limit=2**24, log=log): ...
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, final

from corpus.sources.compression import CODECS, GZIP, GZIP_MAGIC, LZ4, ZSTD, Blocks, Broken, Codec, Member, is_skippable, zstd_dictionary
from corpus.sources.grammar import ARC, WARC, Grammar
from corpus.sources.source import Damage, ReadLog, Split

__all__ = ["GZIP_MAGIC", "Frame", "Members", "after_skippable", "format_of", "frames"]  # GZIP_MAGIC for the sources of tables

_BLOCK = 1024 * 1024
_MAX_HEADER = 64 * 1024
_MAX_PASSED = 4 * 2**30  # decoded bytes without a record that are passed over before the next member is looked for: a bomb costs seconds
_MAX_REWINDS = 4  # a member, for records that say to be larger than the limit and are not
_NAMED_PLAIN = (b"WAR", b"fil")

_MAX_BLANK = 64  # zeros and empty lines between records; more are a hole
NOT_A_RECORD, BAD_LENGTH, BOMB, HOLE = "warc:not_a_record", "warc:bad_length", "warc:bomb", "warc:hole"


@final
@dataclass(frozen=True)
class Frame:
    """One record. ``content`` is header and body, the body left out where it is longer than the limit.

    ``offset`` is where its member (or, in a plain file, its header) begins; in a member that holds several records, plus the
    number of those before it, so that offsets differ. ``whole`` is false where it ends elsewhere than its header says.
    """

    offset: int
    content: bytes
    body_bytes: int
    too_large: bool
    whole: bool

    @property
    def block(self) -> bytes:
        """What stands behind the header of a whole record that is held."""
        return self.content[len(self.content) - self.body_bytes :]


def frames(stream: IO[bytes], split: Split, limit: int, log: ReadLog) -> Iterator[Frame]:
    """The records that begin in the split; ``limit``: bytes of a body above which it is passed over, never held."""
    blocks = Blocks(stream, split.file.size_bytes)
    codec, grammar = format_of(blocks, 0, split.file.file)
    chain: Frames = Members(blocks, codec, grammar) if codec else Plain(blocks, grammar)
    at = split.start if split.exact else chain.first() if split.start == 0 else chain.find(split.start)
    log.damages += [Damage(split.file.file, *found) for found in chain.damages]
    chain.damages.clear()
    while at < split.end:
        if log.first is None:
            log.first = at
        yield from chain.unit(at, limit)
        log.damages += [Damage(split.file.file, *found) for found in chain.damages]
        chain.damages.clear()
        log.next = at = chain.end
    log.read_bytes += max(0, (log.next or 0) - (log.first or 0))


def format_of(blocks: Blocks, at: int, name: str) -> tuple[Codec | None, Grammar]:
    """How the file that begins ``at`` is compressed, if it is, and what its records are: by content, and by name where that is damaged."""
    head = blocks.read(at, 4)
    codec = next((each for each in CODECS if head.startswith(each.magic)), ZSTD if is_skippable(head) else None)
    if codec is None and name.endswith(".gz") and not head.startswith(_NAMED_PLAIN):
        codec = GZIP
    if codec:
        dictionary = zstd_dictionary(blocks) if codec is ZSTD else b""
        content = codec.head(blocks, after_skippable(blocks, at), dictionary, 64)
    else:
        content = blocks.read(at, 64)
    content = content.lstrip()
    named_arc = ".arc" in name and not content.startswith(b"WARC/")
    return codec, ARC if content.startswith(b"filedesc:") or named_arc else WARC


def after_skippable(blocks: Blocks, at: int) -> int:
    """Past the frames of zstd and lz4 that hold nothing of the stream."""
    while is_skippable(blocks.read(at, 4)):
        at += 8 + int.from_bytes(blocks.read(at + 4, 4), "little")
    return at


class Frames:
    """Cuts a file into units (a record of a plain file; members whose records hang together) that begin and end alike for any split."""

    end: int  # where the unit after this one begins

    def __init__(self, blocks: Blocks, grammar: Grammar):
        self.blocks = blocks
        self.grammar = grammar
        self.damages: list[tuple[int, int, str]] = []  # (offset, lost bytes, what)

    def first(self) -> int:
        """Where the first unit begins."""
        return 0

    def unit(self, start: int, limit: int) -> Iterator[Frame]:
        """The records of the unit that begins at ``start``; damage goes to ``damages``."""
        raise NotImplementedError

    def find(self, start: int) -> int:
        """The first offset >= start where a unit begins; the file's size if there is none."""
        raise NotImplementedError

    def frame(self, offset: int, header: bytes, body: bytes, declared: int, limit: int, whole: bool) -> Frame:
        return Frame(offset, self.grammar.to_warc(header, body), declared, declared > limit, whole)


@final
class Members(Frames):
    """A chain of compressed members. A record may run on into the next one (bgzip, pbzip2, pzstd cut anywhere), unless one begins there."""

    member: Member

    def __init__(self, blocks: Blocks, codec: Codec, grammar: Grammar):
        super().__init__(blocks, grammar)
        self.codec = codec
        self.dictionary = zstd_dictionary(blocks) if codec is ZSTD else b""

    def first(self) -> int:
        return self._after_skippable(0)

    def _after_skippable(self, at: int) -> int:
        after = after_skippable(self.blocks, at) if self.codec in (ZSTD, LZ4) else at
        if after > self.blocks.size:
            self.damages.append((at, self.blocks.size - at, f"{self.codec.name}:truncated"))
        return min(after, self.blocks.size)

    def open(self, at: int) -> Member:
        self.member_at, self.number, self.passed, self.decoded, self.rewinds = at, 0, 0, 0, 0
        return self.codec.open(self.blocks, at, self.dictionary)

    def more(self, inside: bool = True) -> bool:
        """Append some bytes to the buffer; false at the end, which is that of the member unless we are inside a record. Raises Broken."""
        if self.member.finished:
            if not (inside and self.member.at < self.blocks.size) or self._begins(self.member.at):
                return False
            self.member = self.open(self.member.at)
        decoded = self.member.more()
        self.decoded += len(decoded)
        self.passed += len(decoded)
        if self.passed > _MAX_PASSED:
            raise Broken(BOMB)
        self.buffer += decoded
        return True

    def have(self, count: int, inside: bool = True) -> bool:
        while len(self.buffer) < count:
            if not self.more(inside):
                return False
        return True

    def unit(self, start: int, limit: int) -> Iterator[Frame]:
        self.member_at, self.buffer = start, bytearray()
        try:
            self.member = self.open(start)
            while self._skip_line_ends():
                yield from self._record(limit)
                self.passed = 0
            self.end = self._after_skippable(self.member.at)
            if self.member_at == start and self.number == 0 and self.decoded > _MAX_BLANK:
                self.damages.append((self.member_at, self.member.at - self.member_at, HOLE))
        except Broken as error:
            self.end = self.find(self.member_at + 1)
            self.damages.append((self.member_at, self.end - self.member_at, error.what))

    def _record(self, limit: int) -> Iterator[Frame]:
        offset, header = self.member_at + self.number, self._header()
        self.number += 1
        length = self.grammar.length(header) if header else None
        if header is None or length is None:
            self._resynchronise(offset, NOT_A_RECORD)
            return
        body, there, place = b"", False, (self.member_at, self.decoded - len(self.buffer))
        with suppress(Broken):  # it is raised again by the search for the next record, unless one stands before the damage
            held = length if length <= limit else 0
            there = (self.have(length) if held or not length else self._pass_over(length)) and self._ends_at(held)
        if there and length <= limit:
            with memoryview(self.buffer) as held_bytes:  # a slice of the buffer would be one copy more
                body = bytes(held_bytes[:length])
            del self.buffer[:length]
        yield self.frame(offset, header, body, length, limit, there)
        if not there:
            if length > limit:
                self._go_back(*place)
            self._resynchronise(offset, BAD_LENGTH)

    def _go_back(self, member_at: int, position: int) -> None:
        """To decoded byte ``position`` of a member that was passed over for the sake of a length that was wrong; a few times at most."""
        if member_at != self.member_at or self.rewinds == _MAX_REWINDS:
            return
        number, rewinds = self.number, self.rewinds + 1
        self.member = self.open(member_at)
        self.number, self.rewinds = number, rewinds
        self.buffer.clear()
        while self.decoded < position and self.more(False):
            del self.buffer[: max(0, len(self.buffer) - (self.decoded - position))]

    def _header(self) -> bytes | None:
        """The header, taken from the buffer; None where there is none within 64 KiB."""
        begins, ends = self.grammar.begins, self.grammar.ends
        if not begins.match(self.buffer):
            self.have(self.grammar.probe_bytes)
            if not begins.match(self.buffer):
                return None
        while not (found := ends.search(self.buffer, 0, _MAX_HEADER)):
            if len(self.buffer) >= _MAX_HEADER or not self.more():
                return None
        taken = bytes(self.buffer[: found.end()])
        del self.buffer[: found.end()]
        return taken

    def _pass_over(self, length: int) -> bool:
        while length > 0:
            if not self.buffer and not self.more():
                return False
            passed = min(length, len(self.buffer))
            del self.buffer[:passed]
            length -= passed
        return True

    def _ends_at(self, length: int) -> bool:
        """Whether a record begins after ``length`` bytes of the buffer, or nothing follows: to the end of the member, as its checksum is
        tested there."""
        while True:
            at = _after_line_ends(self.buffer, length)
            if at < len(self.buffer):
                self.have(at + self.grammar.probe_bytes, False)
                return bool(self.grammar.begins.match(self.buffer, at) or self.grammar.closes.match(self.buffer, length))
            del self.buffer[length:]
            if not self.more(False):
                return True

    def _skip_line_ends(self) -> bool:
        """Pass over CR, LF and NUL between records; false at the end of the member."""
        while True:
            del self.buffer[: _after_line_ends(self.buffer, 0)]
            if self.buffer:
                return True
            if not self.more(False):
                return False

    def _resynchronise(self, offset: int, what: str) -> None:
        """To the next record within the member, or to its end: what is passed over is lost, in decoded bytes if a record follows."""
        lost, keep = 0, self.grammar.probe_bytes + 16
        while not (found := self.grammar.next.search(self.buffer)):
            dropped = max(0, len(self.buffer) - keep)
            del self.buffer[:dropped]
            lost += dropped
            if not self.more(False):
                lost += len(self.buffer)
                self.buffer.clear()
                is_all = self.number == 1
                self.damages.append((self.member_at, self.member.at - self.member_at, what) if is_all else (offset, lost, what))
                return
        lost += found.start(1)
        del self.buffer[: found.start(1)]
        self.damages.append((offset, lost, what))

    def find(self, start: int) -> int:
        at = start
        while at < self.blocks.size:
            block = self.blocks.read(at, _BLOCK + len(self.codec.magic) - 1)
            inside = block.find(self.codec.magic)
            while inside >= 0:
                if self._begins(at + inside):
                    return at + inside
                inside = block.find(self.codec.magic, inside + 1)
            at += _BLOCK
        return self.blocks.size

    def _begins(self, at: int) -> bool:
        probe = self.grammar.probe_bytes
        return self.grammar.begins.match(self.codec.head(self.blocks, at, self.dictionary, probe + 10).lstrip(b"\r\n\0")) is not None


@final
class Plain(Frames):
    """Headers and bodies one after another, not compressed. The end of a record is looked at before its body is read."""

    def unit(self, start: int, limit: int) -> Iterator[Frame]:
        at = self.end = self._skip_blank(start)
        if at >= self.blocks.size:
            return
        header, length = self._header(at)
        if header is None or length is None:
            self.end = self.find(at + 1)
            self.damages.append((at, self.end - at, NOT_A_RECORD))
            return
        body_at = at + len(header)
        end = body_at + length
        follows = self._after_line_ends(end) if end <= self.blocks.size else -1
        if follows >= 0 and (follows == self.blocks.size or self._begins(follows) or self._closes(end)):
            yield self.frame(at, header, self.blocks.read(body_at, length) if length <= limit else b"", length, limit, True)
            self.end = self._skip_blank(end)
            return
        self.end = self.find(body_at)
        yield self.frame(at, header, b"", length, limit, False)
        self.damages.append((body_at, self.end - body_at, BAD_LENGTH))

    def _header(self, at: int) -> tuple[bytes | None, int | None]:
        for size in (4096, _MAX_HEADER):
            head = self.blocks.read(at, size)
            if not self.grammar.begins.match(head):
                continue
            if found := self.grammar.ends.search(head):
                return head[: found.end()], self.grammar.length(head[: found.end()])
        return None, None

    def _begins(self, at: int) -> bool:
        return self.grammar.begins.match(self.blocks.read(at, self.grammar.probe_bytes)) is not None

    def _closes(self, at: int) -> bool:
        return self.grammar.closes.match(self.blocks.read(at, 64)) is not None

    def _skip_blank(self, at: int) -> int:
        after = self._after_line_ends(at)
        if after - at > _MAX_BLANK:
            self.damages.append((at, after - at, HOLE))
        return after

    def _after_line_ends(self, at: int) -> int:
        while piece := self.blocks.piece(at, 4096):
            stripped = piece.lstrip(b"\r\n\0")
            at += len(piece) - len(stripped)
            if stripped:
                break
        return at

    def find(self, start: int) -> int:
        at, overlap = max(0, start - 4), self.grammar.probe_bytes + 16
        while at < self.blocks.size:
            block = self.blocks.read(at, _BLOCK + overlap)
            for found in self.grammar.next.finditer(block):
                if at + found.start(1) >= start:
                    return at + found.start(1)
            at += _BLOCK
        return self.blocks.size


def _after_line_ends(buffer: bytearray, at: int) -> int:
    """The place of the first byte from ``at`` that is neither CR, LF nor NUL; its length if there is none."""
    size = 16  # two line ends as a rule; megabytes of zeros in a hole
    while at < len(buffer):
        piece, size = bytes(buffer[at : at + size]), 4096
        stripped = piece.lstrip(b"\r\n\0")
        at += len(piece) - len(stripped)
        if stripped:
            break
    return at
