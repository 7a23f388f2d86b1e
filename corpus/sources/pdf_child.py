"""The child process that reads PDFs, and the parent's hold on it.

PDFium is native code: a file from a stranger may crash it, or keep it busy for ever. So it runs in a process of its own, one a split, with
bounds on memory and on CPU time a document; the document at which it dies is counted, and the next one gets a new child. The child gets
bytes through a pipe, and none of the environment's secrets. CPU time, not the clock: a result must not depend on the machine's load.

    with PdfChild(max_pages=2000, max_cpu_seconds=120, max_memory_bytes=2**31) as child:
        told = child.read(data)
"""

import json
import os
import resource
import select
import struct
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from importlib import import_module
from typing import IO, Any, Self, final

from corpus.extraction.extracted import Extracted
from corpus.step import Reason

CRASHED = Reason("pdf:crashed", "the PDF reader crashed on the file, or wanted more memory or time than its limit")

_LENGTH = struct.Struct("<q")
_SERVE = "from corpus.extraction.pdf import read_pdf; from corpus.sources.pdf_child import serve; serve(read_pdf)"
_CLOCK = 20  # times the CPU limit: for a child that sleeps, which no sound one does
_PASSED_ON = ("LD_LIBRARY_PATH", "PATH", "TMPDIR", "SYSTEMROOT")


@final
class PdfChild:
    """A child, started when the first document comes and again after each that it dies of."""

    def __init__(
        self, max_pages: int, max_cpu_seconds: int, max_memory_bytes: int, *, serve: str = _SERVE, ocr: str = "", ocr_dpi: int = 200
    ):
        self.settings = (max_pages, max_cpu_seconds, max_memory_bytes)
        self.ocr = (ocr, ocr_dpi)
        self.code = serve
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.stop()

    def read(self, data: bytes) -> Extracted:
        """What ``extraction.pdf.read_pdf`` says of the bytes; CRASHED if the child did not live to say it."""
        if self.process is None:
            self.process = self._started()
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(_LENGTH.pack(len(data)) + data)
            process.stdin.flush()
            ready, _, _ = select.select([process.stdout], [], [], _CLOCK * self.settings[1])
            told = _received(process.stdout) if ready else None
        except (BrokenPipeError, ConnectionResetError):
            told = None
        if told is None:
            self.stop()
            return Extracted(fault=CRASHED)
        return _from_json(told)

    def stop(self) -> None:
        """End the child, whatever it is at."""
        if self.process is not None:
            self.process.kill()
            for pipe in (self.process.stdin, self.process.stdout):
                with suppress(BrokenPipeError):
                    if pipe:
                        pipe.close()
            self.process.wait()
            self.process = None

    def _started(self) -> "subprocess.Popen[bytes]":
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": os.pathsep.join(os.path.abspath(path) for path in sys.path), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", "-c", self.code, *map(str, (*self.settings, *self.ocr))]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)


def serve(read_pdf: Callable[..., Extracted]) -> None:
    """The child's side: documents from standard input until it closes, answers to standard output. PDFium is loaded there alone."""
    max_pages, max_cpu_seconds, max_memory_bytes = map(int, sys.argv[1:4])
    module, _, name = sys.argv[4].partition(":")
    told = {"ocr": getattr(import_module(module), name), "dpi": int(sys.argv[5])} if module else {}
    _bound(resource.RLIMIT_AS, max_memory_bytes)
    _bound(resource.RLIMIT_CORE, 0)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what native code prints is no answer
    while (data := _received(sys.stdin.buffer)) is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        _bound(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + max_cpu_seconds)
        answer = _to_json(read_pdf(data, max_pages, **told))
        answers.write(_LENGTH.pack(len(answer)) + answer)
        answers.flush()


def _bound(kind: int, soft: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _received(stream: IO[bytes]) -> bytes | None:
    """One message; None where the other side has gone."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = stream.read(length)
    return data if len(data) == length else None


def _to_json(told: Extracted) -> bytes:
    fields: dict[str, Any] = {name: getattr(told, name) for name in ("text", "title", "value", "threshold")}
    fields |= {"counted": dict(told.counted), "date": told.date and told.date.isoformat()}
    fields |= {"fault": told.fault and [told.fault.code, told.fault.meaning]}
    return json.dumps(fields).encode()


def _from_json(told: bytes) -> Extracted:
    fields = json.loads(told)
    date, fault = fields.pop("date"), fields.pop("fault")
    return Extracted(**fields, date=datetime.fromisoformat(date) if date else None, fault=Reason(*fault) if fault else None)
