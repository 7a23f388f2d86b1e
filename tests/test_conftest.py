"""The rule about skips: allowed on a desk, a failure where GRISTMILL_REQUIRE_ALL is set."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SKIPS = {
    "test_one.py": "import pytest\ndef test_it(): pytest.skip('no data')\ndef test_known(): pytest.xfail('known')\n",
    "test_whole.py": "import pytest\npytest.importorskip('no_such_module')\n",
}


@pytest.mark.parametrize(("required", "expected"), [("", "2 skipped, 1 xfailed"), ("1", "1 failed, 1 xfailed, 1 error")])
def test_a_skip_is_a_failure_where_all_is_required(tmp_path: Path, required: str, expected: str) -> None:
    for name, text in SKIPS.items():
        (tmp_path / name).write_text(text)
    options = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--continue-on-collection-errors", "--rootdir", str(tmp_path)]
    environment = {**os.environ, "GRISTMILL_REQUIRE_ALL": required, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert expected in ran.stdout, ran.stdout
    assert (ran.returncode == 0) == (not required)
