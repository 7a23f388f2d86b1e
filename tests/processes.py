"""What the tests share that run gristmill as its users do: in a process of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.conftest import REPOSITORY

TIMEOUT_SECONDS = int(os.environ.get("GRISTMILL_TEST_TIMEOUT", "300"))


def environment(**more: str) -> dict[str, str]:
    """This process's, without what a Spark session of this process has left in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK_"))}
    return {**kept, "GRISTMILL_DRIVER_MEMORY": "1g", **more}


def gristmill(*arguments: str | Path, cwd: Path = REPOSITORY, **more: str) -> subprocess.CompletedProcess[str]:
    """``gristmill ARGUMENTS`` to its end; ``more`` is environment."""
    command = [sys.executable, "-m", "jobs.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


def kill_when(reached: Callable[[], bool], arguments: Sequence[str | Path], more: Mapping[str, str]) -> None:
    """Start ``gristmill ARGUMENTS``, and once ``reached`` kill -9 its whole process group, the JVM included."""
    command = [sys.executable, "-m", "jobs.cli", *map(str, arguments)]
    with tempfile.TemporaryFile() as errors:  # a pipe that nobody reads would stop it after 64 KiB
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment(**more),
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            while not reached():
                assert process.poll() is None, f"ended before it could be killed: {_written(errors)}"
                assert time.monotonic() < deadline, "the moment to kill it never came"
                time.sleep(0.02)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def terminate_when(reached: Callable[[], bool], arguments: Sequence[str | Path], **more: str) -> subprocess.CompletedProcess[str]:
    """Start ``gristmill ARGUMENTS``, send it SIGTERM once ``reached``, and wait until it has ended by itself."""
    command = [sys.executable, "-m", "jobs.cli", *map(str, arguments)]
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, cwd=REPOSITORY, env=environment(**more), start_new_session=True, stdout=said, stderr=errors)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        try:
            while not reached():
                assert process.poll() is None, f"ended before it could be told to: {_written(errors)}"
                assert time.monotonic() < deadline, "the moment to end it never came"
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            process.wait(TIMEOUT_SECONDS)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(command, process.returncode, _written(said), _written(errors))


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")
