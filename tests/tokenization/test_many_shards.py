"""Ten thousand shards: opening reads the manifest alone, and no more files stay open than a process may hold."""

import json
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from corpus.errors import InputError
from modeling.order import DataOrder
from tests.benchmarks.loader import many_shards
from tokenization.packing import pack
from tokenization.shards import TokenFolder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return many_shards(tmp_path_factory.mktemp("many") / "tokens", shards=2_000, tokens=65)


def test_opening_reads_no_shard(folder: Path) -> None:
    """The shards are not there at all: it is opened, packed and ordered nevertheless, and only reading says that one is missing."""
    away = folder.rename(folder.with_name("away"))
    folder.mkdir()
    (folder / "manifest.json").write_bytes((away / "manifest.json").read_bytes())
    try:
        split = TokenFolder.open(folder).split("train")
        windows = pack(split, 64)
        assert (split.tokens, split.documents, windows.count) == (130_000, 2_000, 129_999 // 64)
        assert len(DataOrder(windows.count, 8, 0).windows_of(10**6)) == 8
        with pytest.raises(InputError, match="a token shard is missing"):
            windows.read(0)
    finally:
        (folder / "manifest.json").unlink()
        folder.rmdir()
        away.rename(folder)


def test_few_files_stay_open(folder: Path) -> None:
    """All windows are read where the process may open 320 files more; and each document is found again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, len(os.listdir("/dev/fd")) + 320), hard))
    try:
        split = TokenFolder.open(folder).split("train")
        windows = pack(split, 64)
        read = np.concatenate([windows.read(number).ids[1:] for number in range(windows.count)])
        names = [windows.documents(number) for number in range(0, windows.count, 97)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert np.array_equal(read, split.read(1, 1 + windows.count * 64))
    assert names == [
        [f"{at:05d}" for at in range((97 * each * 64 + 1) // 65, (97 * each * 64 + 64) // 65 + 1)] for each in range(len(names))
    ]


def test_the_manifest_counts(folder: Path) -> None:
    told = json.loads((folder / "manifest.json").read_bytes())["splits"]["train"]
    assert told["tokens"] == sum(shard["tokens"] for shard in told["shards"])
