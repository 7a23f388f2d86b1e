"""Executors in processes of their own, with nothing but the zips that spark-submit gave them."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.engine import curate
from corpus.recipe import load
from corpus.session import BRIEF_JAVA
from corpus.version import code_version
from tests.conftest import REPOSITORY
from tests.golden import ten, warc
from tests.processes import TIMEOUT_SECONDS, environment
from tests.road import assert_accounted, content, documents

# Three JVMs, each of which would compile its own code for longer than it uses it, and 200 tasks a shuffle: 94 s became 36.
BRIEF = ["--conf", "spark.executor.memory=1g", "--conf", "spark.sql.shuffle.partitions=4", "--driver-java-options", BRIEF_JAVA]
BRIEF += ["--conf", f"spark.executor.extraJavaOptions={BRIEF_JAVA}"]

# What a user's package looks like: it measures from which file the executor has imported gristmill.
STEP = """
from dataclasses import dataclass
import pyarrow as pa
import corpus.step
from corpus import document

@dataclass(frozen=True, kw_only=True)
class Whence(corpus.step.DocumentStep):
    signals = {"whence": pa.string()}

    def __call__(self, batch):
        return document.with_signals(batch, {"whence": pa.array([corpus.step.__file__] * batch.num_rows, pa.string())})
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of what git tracks or would track."""
    folder = tmp_path_factory.mktemp("wheel")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    for name in listed.stdout.splitlines():
        if (REPOSITORY / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / "source" / name)
    command = [sys.executable, "-m", "build", "--quiet", "--wheel", "--outdir", str(folder), str(folder / "source")]
    subprocess.run(command, check=True, timeout=TIMEOUT_SECONDS, capture_output=True)
    return next(folder.glob("*.whl"))


def test_the_wheel_has_all_code_and_resources(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    listed = subprocess.run(["git", "ls-files", "corpus", "jobs"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    tracked = {name for name in listed.stdout.splitlines() if (REPOSITORY / name).is_file()}
    assert tracked - packed == set()
    assert not any(name.startswith(("tests", "notebooks", "build")) for name in packed)


@pytest.mark.long
def test_submitted_to_a_cluster(wheel: Path, tmp_path: Path) -> None:
    """local-cluster: two executors of 1 GiB, py-files for gristmill and for a step of the user's; the same bytes as embedded."""
    shutil.copy(wheel, tmp_path / "gristmill.zip")
    with zipfile.ZipFile(tmp_path / "my_steps.zip", "w") as packed:
        packed.writestr("my_steps.py", STEP)
    for number in range(3):
        (tmp_path / f"{number}.warc.gz").write_bytes(warc(ten()[number * 3 : number * 3 + 3])[0])
    inputs = [str(tmp_path / f"{number}.warc.gz") for number in range(3)]
    data = load("extract").to_data()
    data["steps"] = ["my_steps:Whence", *data["steps"]]
    (tmp_path / "mine.yaml").write_text(json.dumps(data))
    submit = Path(sys.executable).with_name("spark-submit")
    command = [submit, "--master", "local-cluster[2,1,1024]", *BRIEF]
    command += ["--py-files", f"{tmp_path}/gristmill.zip,{tmp_path}/my_steps.zip", REPOSITORY / "jobs" / "curate.py"]
    command += [tmp_path / "mine.yaml", "--input", *inputs, "--output", tmp_path / "corpus", "--allow", "my_steps"]
    ran = subprocess.run(
        list(map(str, command)),
        env=environment(PYSPARK_PYTHON=sys.executable),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-4000:]
    assert_accounted(tmp_path / "corpus")
    whence = {row["signals"]["whence"] for row in documents(tmp_path / "corpus")}
    assert len(whence) in (1, 2)
    assert all("gristmill.zip" in place for place in whence), whence


def test_a_cluster_writes_the_same_bytes(wheel: Path, spark: SparkSession, tmp_path: Path) -> None:
    """The text recipe with all its steps and resources on executors, beside the embedded run."""
    shutil.copy(wheel, tmp_path / "gristmill.zip")
    with (tmp_path / "a.jsonl").open("w") as lines:
        for number, page in enumerate(ten()):
            lines.write(json.dumps({"id": str(number), "text": page.body.decode(), "url": page.url}) + "\n")
    submit = Path(sys.executable).with_name("spark-submit")
    code = tmp_path / "machine_code" / f"gristmill-{code_version('corpus.kernels')}"  # or each executor compiles
    shutil.copytree(REPOSITORY / "corpus" / "kernels" / "__pycache__", code, ignore=shutil.ignore_patterns("*.pyc"))
    command = [submit, "--master", "local-cluster[2,1,1024]", *BRIEF, "--py-files", tmp_path / "gristmill.zip"]
    command += [REPOSITORY / "jobs" / "curate.py", "text", "--input", tmp_path / "a.jsonl", "--output", tmp_path / "submitted"]
    ran = subprocess.run(
        list(map(str, command)),
        env=environment(PYSPARK_PYTHON=sys.executable, NUMBA_CACHE_DIR=str(tmp_path / "machine_code")),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-4000:]
    curate(load("text"), [str(tmp_path / "a.jsonl")], str(tmp_path / "embedded"), spark=spark)
    assert content(tmp_path / "submitted") == content(tmp_path / "embedded")
