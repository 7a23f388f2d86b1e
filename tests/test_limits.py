"""At the limits of a machine: a full disk, little memory, an object store."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow.dataset as ds
import pytest
from moto.server import ThreadedMotoServer
from pyarrow import fs

from corpus.demo.crawl import crawl_demo
from tests.conftest import REPOSITORY
from tests.golden import page, ten, warc
from tests.processes import TIMEOUT_SECONDS, environment, gristmill
from tests.road import assert_accounted, content, ledger


def in_small_disk(size: str, mount: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    """The command with a tmpfs of ``size`` at ``mount``, in a mount namespace of its own."""
    script = f'mount -t tmpfs -o size={size} tmpfs "{mount}" && exec "$@"; exit 99'
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    whole = ["unshare", *user, "--mount", "sh", "-c", script, "sh", *map(str, command)]
    return subprocess.run(whole, cwd=REPOSITORY, env=environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)


@pytest.mark.parametrize("size", ["200k", "400k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    (tmp_path / "disk").mkdir()
    probe = in_small_disk("64k", tmp_path / "disk", "true")
    if probe.returncode:
        pytest.skip(f"no mount namespaces here: {probe.stderr.strip()}")
    crawl_demo(tmp_path / "crawl", pages=0)
    listing = ["sh", "-c", '"$@"; code=$?; find "$0" -name manifest.json | grep . && exit 98; exit $code', tmp_path / "disk" / "corpus"]
    arguments = [sys.executable, "-m", "jobs.cli", "curate", "extract", "--input", tmp_path / "crawl", "--master", "local[2]"]
    ran = in_small_disk(size, tmp_path / "disk", *listing, *arguments, "--output", tmp_path / "disk" / "corpus")
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert "no space left on the disk" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_one_record_of_200_mb_with_a_gigabyte_of_memory(tmp_path: Path) -> None:
    """1 GiB for the executor and 1 GiB for its Python worker; the record is counted as too large, the small ones are kept."""
    small = ten()
    large = page("http://a.example/large", b"<p>" + b"all work and no play " * (200 * 2**20 // 21))
    (tmp_path / "a.warc.gz").write_bytes(warc([*small[:5], large, *small[5:]])[0])
    submit = Path(sys.executable).with_name("spark-submit")
    memory = ["--conf", "spark.executor.memory=1g", "--conf", "spark.executor.pyspark.memory=1g", "--driver-memory", "1g"]
    command = [submit, "--master", "local-cluster[1,1,1024]", *memory, REPOSITORY / "jobs" / "curate.py", "extract"]
    command += ["--input", tmp_path / "a.warc.gz", "--output", tmp_path / "corpus"]
    ran = subprocess.run(
        list(map(str, command)),
        env=environment(PYSPARK_PYTHON=sys.executable, PYTHONPATH=str(REPOSITORY)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-3000:]
    assert_accounted(tmp_path / "corpus")
    outcomes = {row["url"]: (row["outcome"], row["value"]) for row in ledger(tmp_path / "corpus")}
    assert outcomes["http://a.example/large"][0] == "warc:too_large"
    assert outcomes["http://a.example/large"][1] > 200 * 2**20 - 100
    assert [outcome for outcome, _ in outcomes.values()].count("kept") == 10
    run = json.loads((tmp_path / "corpus" / "run.json").read_text())
    assert run["peak_memory_bytes"]["worker_python"] < 600 * 2**20, run["peak_memory_bytes"]


@pytest.fixture
def store() -> Iterator[dict[str, str]]:
    """A local S3 server; what a process needs in its environment to use it."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    client = boto3.client(
        "s3",
        endpoint_url=settings["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_bucket(Bucket="bucket")
    for number in range(2):
        client.put_object(Bucket="bucket", Key=f"crawl/deep/{number}.warc.gz", Body=warc(ten()[number * 5 : number * 5 + 5])[0])
    client.put_object(Bucket="bucket", Key="crawl/notes.txt", Body=b"no archive")
    yield settings
    server.stop()


def test_from_an_object_store_and_into_it(store: dict[str, str], tmp_path: Path) -> None:
    """The same bytes as on a local disk."""
    (tmp_path / "crawl" / "deep").mkdir(parents=True)
    for number in range(2):
        (tmp_path / "crawl" / "deep" / f"{number}.warc.gz").write_bytes(warc(ten()[number * 5 : number * 5 + 5])[0])
    (tmp_path / "crawl" / "notes.txt").write_bytes(b"no archive")
    here = gristmill("curate", "extract", "--input", tmp_path / "crawl", "--output", tmp_path / "local")
    assert here.returncode == 0, here.stderr
    arguments = ["curate", "extract", "--input", "s3a://bucket/crawl", "--output", "s3://bucket/corpus", "--work", tmp_path / "work"]
    ran = gristmill(*arguments, **store)
    assert ran.returncode == 0, ran.stderr
    remote = fs.S3FileSystem(region="us-east-1", endpoint_override=store["AWS_ENDPOINT_URL"], access_key="testing", secret_key="testing")
    assert (
        ds.dataset("bucket/corpus/documents", filesystem=remote).count_rows() == ds.dataset(tmp_path / "local" / "documents").count_rows()
    )
    for name, body in content(tmp_path / "local").items():
        with remote.open_input_stream(f"bucket/corpus/{name}") as stream:
            assert stream.read() == body, name
    assert "This corpus was whole already" in gristmill(*arguments, **store).stdout
    missing = gristmill("curate", "extract", "--input", "s3://bucket/none", "--output", tmp_path / "o", **store)
    assert missing.returncode == 2
    assert "no such file or folder: s3://bucket/none" in missing.stderr
