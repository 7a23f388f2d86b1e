"""Reading that survives a crash: a source's ``read`` in a child process, begun again behind the record at which the child died.

Native code parses what strangers wrote (zlib, zstd, Arrow, PDFium, FastWARC), and may take its process along. A task that is tried again
reads like this; one that is tried for the first time pays one call a record for it (``ReadLog.parse``). The child says at which record
it is. Where it dies within one, the record is left out and counted (``read:crashed``); where Python raises there, the record too
(``read:failed``). Where it dies between records, the documents before stay, and the rest of the split is lost and counted.

    for batch in read_carefully(WarcSource(), split, log): ...
"""

import json
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import IO, Any, final

import pyarrow as pa

from corpus.errors import GristmillError
from corpus.sources.source import Damage, ReadLog, Source, Split

CRASHED, FAILED = "read:crashed", "read:failed"
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
_MAX_SKIPPED = 100  # records of a split; each costs a child and a reading from the beginning
_HEAD = struct.Struct("<cq")
_AT, _BATCH, _LOG, _ERROR, _FAILED = b"a", b"b", b"l", b"e", b"f"
_BETWEEN = -1


@final
@dataclass(frozen=True)
class _Order:
    """What a child is to read. ``rows``: after so many it stops, as if the split ended there."""

    source: Source
    split: Split
    skip: frozenset[int]
    rows: int | None = None


def read_carefully(source: Source, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
    """The batches of ``source.read(split, log)``, but for what crashes it."""
    order, delivered, what = _Order(source, split, frozenset()), 0, CRASHED
    while True:
        child = _Child(order)
        try:
            known = delivered
            for batch in child.batches():
                new = batch.slice(known)
                known -= batch.num_rows - new.num_rows
                delivered += new.num_rows
                if new.num_rows:
                    yield new
        finally:
            child.stop()
        if child.log is not None:
            _adopt(log, child.log)
            if order.rows is not None:
                begins = split.start if log.next is None else min(log.next, split.end)
                log.damages.append(Damage(split.file.file, begins, split.end - begins, what))
                log.first, log.next = begins if log.first is None else log.first, None  # the next split begins where it finds a record
            return
        fine = _one_by_one(order.source)
        if child.at >= 0 and len(order.skip) < _MAX_SKIPPED:
            order = replace(order, skip=order.skip | {child.at})
        elif order.source != fine:
            order = replace(order, source=fine)
        elif order.rows is None:
            order, what = replace(order, rows=delivered), child.what
        else:
            raise RuntimeError(f"{split.file.uri}: reading crashes now here, now there")


def _one_by_one(source: Source) -> Source:
    """The source with a batch for each row, so that none is lost that was read before the crash."""
    return replace(source, batch_bytes=1) if "batch_bytes" in {each.name for each in fields(source)} else source  # type: ignore[arg-type, type-var, call-arg]


def _adopt(log: ReadLog, told: ReadLog) -> None:
    log.records.update(told.records)
    log.read_bytes += told.read_bytes
    log.damages += told.damages
    log.first, log.next = told.first, told.next


@final
class _Child:
    """One process that reads. ``at``: the offset of the record at which it died; ``log``: what it met, if it lived to say it."""

    def __init__(self, order: _Order):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path)}
        command = [sys.executable, "-P", "-c", "from corpus.sources.careful import serve; serve()"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self.at = _BETWEEN
        self.log: ReadLog | None = None
        self.what = CRASHED
        assert self.process.stdin is not None
        self.process.stdin.write(_dumped(order))
        self.process.stdin.close()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Until the child ends. Raises what a user can mend, and RuntimeError where it was killed from outside."""
        assert self.process.stdout is not None
        for kind, body in _messages(self.process.stdout):
            if kind == _AT:
                (self.at,) = struct.unpack("<q", body)
            elif kind == _BATCH:
                yield from pa.ipc.open_stream(body)
            elif kind == _LOG:
                self.log = _log(body)
            elif kind == _ERROR:
                raise _error(body)
            else:
                print(body.decode(), file=sys.stderr)  # for the executor's log
                self.what = FAILED
        status = self.process.wait()
        if self.log is None and self.what == CRASHED and -status not in CRASHES:
            raise RuntimeError(f"the child that read {self.process.args!r} ended with {status}")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def serve() -> None:
    """The child's side: an order on standard input, messages on standard output."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no message
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    def send(kind: bytes, body: bytes) -> None:
        out.write(_HEAD.pack(kind, len(body)) + body)
        out.flush()

    order: _Order = pickle.load(sys.stdin.buffer)
    log = ReadLog(watch=_watch(order.skip, lambda offset: send(_AT, struct.pack("<q", offset))))
    left = order.rows
    try:
        for batch in order.source.read(order.split, log) if left != 0 else ():
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, batch.schema) as messages:
                messages.write_batch(batch)
            send(_BATCH, sink.getvalue().to_pybytes())
            left = None if left is None else left - batch.num_rows
            if left is not None and left <= 0:
                break
    except (GristmillError, OSError) as error:
        send(_ERROR, _told(error))
    except Exception:
        send(_FAILED, traceback.format_exc().encode())
    else:
        told = {"records": dict(log.records), "read_bytes": log.read_bytes, "damages": list(map(asdict, log.damages))}
        send(_LOG, json.dumps({**told, "first": log.first, "next": log.next}).encode())
    out.close()
    os._exit(0)  # what a crash has damaged is not taken down in order


def _watch(skip: frozenset[int], tell: Callable[[int], None]) -> Callable[..., Any]:
    def parse(log: ReadLog, file: str, offset: int, size: int, parser: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        if offset in skip:
            log.damages.append(Damage(file, offset, size, CRASHED))
            return None
        tell(offset)
        try:
            return parser(*arguments)
        except (GristmillError, OSError):
            raise
        except Exception:
            log.damages.append(Damage(file, offset, size, FAILED))
            return None
        finally:
            tell(_BETWEEN)

    return parse


def _log(body: bytes) -> ReadLog:
    """What a child says is JSON: it has read what strangers wrote, and a pickle of its could run code here."""
    told = json.loads(body)
    return ReadLog(**{**told, "records": Counter(told["records"]), "damages": [Damage(**each) for each in told["damages"]]})


def _told(error: GristmillError | OSError) -> bytes:
    told: dict[str, str | int | None]
    if isinstance(error, GristmillError):
        told = {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
    else:
        told = {"number": error.errno, "text": error.strerror or str(error), "file": str(error.filename or "")}
    return json.dumps(told).encode()


def _error(body: bytes) -> Exception:
    told = json.loads(body)
    if "number" in told:  # Python makes FileNotFoundError of its number
        return OSError(told["text"]) if told["number"] is None else OSError(told["number"], told["text"], told["file"] or None)
    known = {each.__name__: each for each in GristmillError.__subclasses__()}
    return known.get(told["kind"], GristmillError)(told["what"], where=told["where"], hint=told["hint"])


def _messages(stream: IO[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Whole ones alone."""
    while len(head := stream.read(_HEAD.size)) == _HEAD.size:
        kind, length = _HEAD.unpack(head)
        body = stream.read(length)
        if len(body) < length:
            return
        yield kind, body


def _dumped(order: _Order) -> bytes:
    """By value where the source is a class of a notebook's, which a child cannot import."""
    try:
        return pickle.dumps(order)
    except (pickle.PicklingError, AttributeError):
        from pyspark import cloudpickle  # loaded in a task already; the child does without

        return bytes(cloudpickle.dumps(order))
