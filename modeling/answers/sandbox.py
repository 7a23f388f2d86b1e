"""Runs a program that a model wrote: in a child without network, with limits, in a folder that is thrown away; nothing else is trusted.

What holds it, on Linux, without rights of the superuser:

* namespaces of users, network, processes and mounts of its own (``unshare``): no interface that is up, no process of ours to see or to
  kill; every file system is read-only but for a small one in memory, in which it runs; /tmp, /run and /dev are empty but for /dev/null;
* a filter of system calls (seccomp): no other process or thread, no socket of any kind, no mount;
* limits on CPU seconds, address space, file size and open files; no core dump; no new privileges; a clock on the wall; no variable of
  our environment.

This keeps honest mistakes and clumsy malice of a language model from the machine. It is no virtual machine: the kernel is shared, and
files that the user may read can be read (they cannot be sent anywhere).

    run_program("print(1)", Limits()).passed       # True
    problem()                                      # None, or why this machine cannot do it
"""

import contextlib
import os
import platform
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Literal, final

Outcome = Literal["passed", "failed", "timed out"]
_TOLD_BYTES = 2000
# System calls that are refused, by machine: AUDIT_ARCH, then socket, clone, clone3, ptrace, mount, umount2, unshare, setns, bpf,
# io_uring_setup, keyctl, add_key, userfaultfd, perf_event_open, mount_setattr, open_tree, move_mount, fsopen; on x86-64 fork and vfork too.
_REFUSED = {
    "x86_64": (0xC000003E, 41, 56, 435, 101, 165, 166, 272, 308, 321, 425, 250, 248, 323, 298, 442, 428, 429, 430, 57, 58),
    "aarch64": (0xC00000B7, 198, 220, 435, 117, 40, 39, 97, 268, 280, 425, 219, 217, 282, 241, 442, 428, 429, 430),
}
# Runs as process 1 of the namespaces: mounts, then a child with the limits, whose exit code is handed on. 442 is mount_setattr (Linux
# 5.12): AT_RECURSIVE is 0x8000, MOUNT_ATTR_RDONLY 1. The filter, in BPF: another architecture or a call that is refused gives EPERM.
_GUARD = r"""
import ctypes, os, resource, signal, struct, sys
folder, *told = sys.argv[1:]
cpu, memory, size, files, audit, *refused = map(int, told)
source = sys.stdin.buffer.read()
libc = ctypes.CDLL(None, use_errno=True)
def must(code, what):
    if code:
        sys.exit("cannot shut in: %s: %s" % (what, os.strerror(ctypes.get_errno())))
read_only = struct.pack("=QQQQ", 1, 0, 0, 0)
must(libc.syscall(442, -100, b"/", 0x8000, read_only, len(read_only)), "file systems read-only")
def memory_at(place):
    must(libc.mount(b"tmpfs", place.encode(), b"tmpfs", 6, b"size=%d,nr_inodes=1000,mode=755" % size), "memory at " + place)
null = os.open("/dev/null", os.O_PATH)
memory_at(folder)
keep = os.open(folder, os.O_PATH)
inside = [os.path.realpath(each) for each in (sys.prefix, sys.base_prefix, sys.executable)]
for place in ("/tmp", "/run", "/dev"):
    if os.path.isdir(place) and not any((each + "/").startswith(os.path.realpath(place) + "/") for each in inside):
        memory_at(place)
        if place == "/dev":
            os.close(os.open("/dev/null", os.O_CREAT))
            must(libc.mount(b"/proc/self/fd/%d" % null, b"/dev/null", None, 4096, None), "/dev/null")
        must(libc.syscall(442, -100, place.encode(), 0, read_only, len(read_only)), place)
os.fchdir(keep)
os.close(keep)
os.close(null)
with open("program.py", "wb") as file:
    file.write(source)
child = os.fork()
if child:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    os._exit(0 if status == 0 else 1)
os.setsid()
for name, value in (("CPU", cpu), ("AS", memory), ("FSIZE", size), ("NOFILE", files), ("CORE", 0)):
    resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))
must(libc.prctl(38, 1, 0, 0, 0), "no new privileges")
steps = [(0x20, 0, 0, 4), (0x15, 1, 0, audit), (6, 0, 0, 0x50001), (0x20, 0, 0, 0), (0x35, 0, 1, 0x40000000), (6, 0, 0, 0x50001)]
for number in refused:
    steps += [(0x15, 0, 1, number), (6, 0, 0, 0x50001)]
steps.append((6, 0, 0, 0x7FFF0000))
program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in steps))
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("steps", ctypes.c_void_p)]
os.environ["TMPDIR"] = os.environ["HOME"] = "."
os.closerange(3, files)
told = Filter(len(steps), ctypes.addressof(program))
must(libc.prctl(22, 2, ctypes.byref(told), 0, 0), "filter of system calls")
os.execv(sys.executable, [sys.executable, "-I", "/proc/self/cwd/program.py"])
"""


@final
@dataclass(frozen=True, kw_only=True)
class Limits:
    """Of one program: seconds on the wall and of CPU, bytes of memory, bytes of all files, open files."""

    seconds: int = 10
    cpu_seconds: int = 5
    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 24
    open_files: int = 64


@final
@dataclass(frozen=True)
class Ran:
    """How a program ended, and the last of what it said on stderr."""

    outcome: Outcome
    told: str

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"


def run_program(source: str, limits: Limits) -> Ran:
    """Run a Python program; ``passed`` where its last line is reached and it ends with exit code 0: one that leaves early has not passed.

    Never raises for what the program does.
    """
    mark = secrets.token_hex(16)
    source += f"\nimport os\nos.write(1, b'{mark}')\n"
    with (
        tempfile.TemporaryDirectory(prefix="gristmill-program-") as name,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as told,
    ):
        child = subprocess.Popen(
            _command(name, limits), stdin=subprocess.PIPE, stdout=said, stderr=told, cwd="/", start_new_session=True,
            env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONHASHSEED": "0", "TMPDIR": name, "HOME": name},
        )  # fmt: skip
        try:
            child.communicate(source.encode("utf-8", "replace"), limits.seconds)
            outcome: Outcome = "passed" if child.returncode == 0 and _tail(said, len(mark)) == mark else "failed"
        except subprocess.TimeoutExpired:
            outcome = "timed out"
        finally:
            _end(child)
        return Ran(outcome, _tail(told, _TOLD_BYTES))


def _tail(file: IO[bytes], size: int) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - size))
    return file.read(size).decode("utf-8", "replace")


@cache
def problem() -> str | None:
    """Why programs cannot be shut in here; None where they can. Found by trying."""
    if sys.platform != "linux":
        return "programs are shut in by Linux's namespaces, which this system has not"
    if not shutil.which("unshare"):
        return "the command `unshare` (util-linux) is not there"
    if platform.machine() not in _REFUSED:
        return f"system calls are known for {' and '.join(_REFUSED)}, not for {platform.machine()}"
    probe = f"""import os
assert os.getpid() < 10, "processes"
try:
    open(os.path.join({str(Path(__file__).parent)!r}, "x"), "w")
except OSError:
    pass
else:
    raise AssertionError("files")
"""
    ran = run_program(probe, Limits())
    return None if ran.passed else f"namespaces without rights are not allowed here: {(ran.told.strip().splitlines() or ['?'])[-1]}"


def _command(folder: str, limits: Limits) -> list[str]:
    """``unshare``, then this interpreter, isolated, on ``_GUARD``, which sets the limits and becomes the program."""
    namespaces = ["unshare", "--user", "--map-root-user", "--net", "--ipc", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
    told = [limits.cpu_seconds, limits.memory_bytes, limits.file_bytes, limits.open_files, *_REFUSED[platform.machine()]]
    return [*namespaces, sys.executable, "-I", "-c", _GUARD, folder, *map(str, told)]


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End whatever is left: the process namespace goes with its first process."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert child.stdin
    with contextlib.suppress(OSError):
        child.stdin.close()
