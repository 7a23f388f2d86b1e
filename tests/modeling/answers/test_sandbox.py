"""Programs that a model wrote: what is right passes, what is hostile fails as that program alone."""

import socket
from pathlib import Path

import pytest

from modeling.answers.sandbox import Limits, problem, run_program

LIMITS = Limits(seconds=4, cpu_seconds=2, memory_bytes=1 << 28)


def test_this_machine_can_shut_programs_in() -> None:
    assert problem() is None


def test_what_is_right_passes() -> None:
    ran = run_program("import math, tempfile\nopen('mine', 'w').write('x')\ntempfile.TemporaryFile()\nassert math.gcd(12, 18) == 6", LIMITS)
    assert ran.passed, ran.told


@pytest.mark.parametrize(
    ("program", "outcome"),
    [
        ("assert 1 == 2, 'no'", "failed"),
        ("def f(:", "failed"),
        ("raise SystemExit(0)", "failed"),
        ("import os; os._exit(0)", "failed"),
        ("import time; time.sleep(60)", "timed out"),
        ("x = []\nwhile True: x.append(bytearray(1 << 24))", "failed"),
        ("import os\nwhile True: os.fork()", "failed"),
        ("import subprocess; subprocess.run(['true'])", "failed"),
        ("import threading\nthreading.Thread(target=print).start()", "failed"),
        ("import socket; socket.socket(socket.AF_UNIX)", "failed"),
        ("import os; os.stat('/dev/zero')", "failed"),
        ("import os, signal\nos.kill(os.getppid(), signal.SIGKILL); os.kill(-1, signal.SIGKILL)\nraise ValueError", "failed"),
        ("open('big', 'wb').write(bytes(1 << 26))", "failed"),
        ("kept = [open('/dev/null') for _ in range(100)]", "failed"),
        ("print('x' * 100_000_000)", "failed"),
        ("import sys; sys.stdout = None; open('/tmp/gristmill-escaped', 'w')", "failed"),
        ("import os; os.environ['PATH']; os.environ['PYTHONPATH']", "failed"),
        ("import ctypes, os\nlibc = ctypes.CDLL(None)\nassert libc.mount(b'none', b'/', None, 4096 | 32, None) == 0", "failed"),
    ],
)
def test_what_is_hostile_fails(program: str, outcome: str) -> None:
    ran = run_program(program, LIMITS)
    assert not ran.passed
    assert ran.outcome == outcome, ran.told
    assert run_program("pass", LIMITS).passed  # and nothing else does


def test_an_endless_loop_ends_by_its_cpu_seconds() -> None:
    assert run_program("while True: pass", Limits(seconds=60, cpu_seconds=1)).outcome == "failed"


def test_files_outside_stay(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("whole")
    kept.chmod(0o666)
    for program in (
        f"open({str(kept)!r}, 'w').write('broken')",
        f"import os; os.remove({str(kept)!r})",
        f"open({str(tmp_path / 'new')!r}, 'w')",
    ):
        assert not run_program(program, LIMITS).passed
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("kept", "whole")]


def test_no_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        ran = run_program(f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 2)", LIMITS)
        assert not ran.passed
        assert "Operation not permitted" in ran.told
        with pytest.raises(TimeoutError):
            server.accept()
