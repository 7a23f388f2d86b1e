"""Machine code of kernels in a zip, as executors have them: made once, found again by others."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

COUNT_HITS = """
import sys
sys.path.insert(0, sys.argv[1])
from corpus.kernels import seek
assert seek.__file__.startswith(sys.argv[1]), seek.__file__
assert seek.is_utf8("sixty-four bytes of text, and more than that, so that it is long enough: ü".encode())
print(sum(seek._is_utf8.stats.cache_hits.values()), sum(seek._is_utf8.stats.cache_misses.values()))
"""


def zipped(place: Path) -> Path:
    place.parent.mkdir(parents=True)
    with zipfile.ZipFile(place, "w") as packed:
        for path in (REPOSITORY / "corpus").rglob("*.py"):
            packed.write(path, path.relative_to(REPOSITORY))
    return place


@pytest.mark.parametrize("variable", ["NUMBA_CACHE_DIR", "XDG_CACHE_HOME", "SPARK_LOCAL_DIRS"])
def test_another_process_and_another_place_find_it(tmp_path: Path, variable: str) -> None:
    """And where nothing can be written, it is compiled all the same."""
    unwritable = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "/proc/none", "SPARK_LOCAL_DIRS": ""}
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | unwritable
    told = []
    for number, more in enumerate(({variable: str(tmp_path / "cache")}, {variable: str(tmp_path / "cache")}, {})):
        command = [sys.executable, "-c", COUNT_HITS, zipped(tmp_path / str(number) / "gristmill.zip")]
        ran = subprocess.run(command, env=environment | more, cwd=tmp_path, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told.append(ran.stdout.split())
    assert told == [["0", "1"], ["1", "0"], ["0", "1"]]
