"""From a step to its documents and back to the web page; what was seen how often, against reading every window."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.cli import gristmill as cli
from jobs.running import run
from modeling.config import TrainConfig
from modeling.data import arrange
from modeling.presets import preset
from modeling.seen import SEEN, by_source, documents_of, seen
from modeling.train import fingerprint_of
from tests.road import documents
from tests.tokenization.test_packing import names_of, shapes, split_of
from tokenization.packing import PACKINGS
from tokenization.shards import TokenFolder

MIXTURES = [None, {"phases": [{"until": 0.5, "weights": {"w": 1}}, {"weights": {"w": 1, "b": 3}}]}]


@given(shards=shapes, packing=st.sampled_from(PACKINGS), steps=st.integers(0, 9), mixture=st.sampled_from(MIXTURES))
def test_seen_is_what_the_batches_hold(
    tmp_path_factory: pytest.TempPathFactory, shards: list[list[int]], packing: Any, steps: int, mixture: Any
) -> None:
    split, found = split_of(tmp_path_factory.mktemp("split") / "train", [[9, 9, 9], *shards])
    train = TrainConfig(
        steps=10, global_batch_tokens=12, micro_batch_windows=4, learning_rate=1, warmup_steps=0, packing=packing, mixture=mixture
    )
    windows, order = arrange(split, 3, train)
    names, sources = names_of(split, found), dict(zip(split.index["id"].to_pylist(), split.index["source"].to_pylist(), strict=True))
    counted, once = Counter[str](), Counter[str]()
    for window in range(windows.count):
        read = windows.read(window)
        once.update(names[token] for token in read.ids[1:][read.mask].tolist())
    for step in range(steps):
        mine = Counter[str]()
        for window in order.windows_of(step).tolist():
            read = windows.read(window)
            mine.update(names[token] for token in read.ids[1:][read.mask].tolist())
        rows = documents_of(windows, order, first_step=step, last_step=step + 1).to_pylist()
        told = Counter[str]()
        for row in rows:
            assert row["step"] == step + 1
            assert row["source"] == sources[row["id"]]
            assert row["id"].startswith(f"{int(row['shard'])}-")
            told[row["id"]] += row["targets"]
        assert told == mine
        counted += mine
    tables = list(seen(windows, order, steps))
    rows = pa.concat_tables(tables).to_pylist()
    assert [row["id"] for row in rows] == split.index["id"].to_pylist()
    for row in rows:
        assert row["targets"] == counted[row["id"]]
        assert row["times"] == pytest.approx(counted[row["id"]] / max(1, once[row["id"]]))
    for row in by_source(iter(tables)):
        mine = [name for name, source in sources.items() if source == row["source"]]
        assert row["documents"] == len(mine)
        assert row["seen"] == sum(counted[name] > 0 for name in mine)
        assert row["targets"] == sum(counted[name] for name in mine)


def said(capsys: pytest.CaptureFixture[str], *command: str | Path) -> list[list[str]]:
    capsys.readouterr()
    run(cli, list(map(str, command)))
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_from_a_step_to_the_page(small_tokens: Path, small_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The settings of a run that was begun are enough: no preset, no field need be remembered."""
    tokens = TokenFolder.open(small_tokens)
    model, train = preset("tiny", tokens.manifest["tokenizer"]["vocabulary"])
    state = tmp_path / "model" / "checkpoints" / "step-00000004" / "state.json"
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"step": 4, "fingerprint": fingerprint_of(tokens, model, train)}))
    lines = said(capsys, "batches", small_tokens, "--model", tmp_path / "model", "--step", "3", "--until", "4", "--corpus", small_corpus)
    windows, order = arrange(tokens.split("train"), model.context_length, train)
    urls = {row["id"]: row["url"] for row in documents(small_corpus)}
    expected = [
        [str(step + 1), str(window), urls[name]]
        for step in (2, 3)
        for window in order.windows_of(step).tolist()
        for name in windows.documents(window)
    ]
    assert [[step, window, url] for step, window, _, _, url in lines] == expected
    said(capsys, "batches", small_tokens, "--model", tmp_path / "model", "--seen-until", "4", "--output", tmp_path / "seen.parquet")
    table = pq.read_table(tmp_path / "seen.parquet")
    assert table.schema == SEEN
    assert sum(table["targets"].to_pylist()) == 4 * train.global_batch_tokens


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ([], "either --step or --seen-until is needed"),
        (["--step", "1", "--model", "/nowhere"], "this is no model, and no unfinished run"),
        (["--step", "1", "--corpus", "{tmp}"], "no manifest.json"),
        (["--step", "5", "--until", "4"], "step 4 is before step 5"),
        (["--step", "1", "--output", "{tmp}/seen.parquet"], "--output goes with --seen-until"),
        (["--seen-until", "1", "--corpus", "{tmp}"], "--until and --corpus go with --step"),
        (["--step", "1", "--mixture", "{tmp}/none.yaml"], "the mixture cannot be read"),
    ],
)
def test_one_clear_line(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], told: str) -> None:
    with pytest.raises(SystemExit) as leaving:
        run(cli, ["batches", str(small_tokens), *(each.format(tmp=tmp_path) for each in more)])
    error = capsys.readouterr().err
    assert (leaving.value.code, len(error.strip().splitlines())) == (2, 1), error
    assert told in error
