"""Bad input to the second half of the road: each is one line that names the place, and never a traceback.

Folders are made without Spark, and a model without training: the commands must stop long before either would matter.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from corpus.errors import GristmillError
from corpus.storage import json_bytes, locate
from jobs.cli import gristmill
from modeling import checkpoint
from modeling.build import build
from modeling.config import ModelConfig
from modeling.finished import FORMAT as MODEL_FORMAT
from tokenization.encode import _manifest, encode, encode_shard
from tokenization.tokenizer import load
from tokenization.train import train_tokenizer

WORDS = ["the", "mill", "grinds", "corn", "while", "river", "runs", "past", "old", "stone", "wall", "children", "play", "near", "water"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """corpus/, tokenizer/, tokens/ and model/, as small as they can be."""
    root = tmp_path_factory.mktemp("whole")
    texts = [" ".join(WORDS[(at * step) % len(WORDS)] for step in range(1, 60)) + f" {at}.\n" for at in range(60)]
    split = ["train"] * 40 + ["validation"] * 10 + ["test"] * 10
    documents = root / "corpus" / "documents"
    documents.mkdir(parents=True)
    table = {"id": [f"{at:032x}" for at in range(60)], "source": ["made"] * 60, "language": ["en"] * 60, "split": split, "text": texts}
    pq.write_table(pa.table(table), documents / "00000.parquet")
    shards = {"documents": [{"file": "00000.parquet", "bytes": (documents / "00000.parquet").stat().st_size, "rows": 60}]}
    (root / "corpus" / "manifest.json").write_bytes(json_bytes({"format": "gristmill corpus 1", "shards": shards}))
    train_tokenizer(str(root / "corpus"), root / "tokenizer", kind="bpe", vocabulary=330)
    tokenizer = load(root / "tokenizer")
    for name in ("train", "validation", "test"):
        (root / "tokens" / name).mkdir(parents=True)
    written = encode_shard(locate(str(documents / "00000.parquet")), tokenizer, locate(str(root / "tokens")))
    shutil.copytree(root / "tokenizer", root / "tokens" / "tokenizer")
    facts = {"corpus": "0" * 64, "tokenizer": tokenizer.digest, "code": "x"}
    (root / "tokens" / "manifest.json").write_bytes(json_bytes(_manifest(facts, tokenizer, [written])))
    _model(root, tokenizer.digest)
    (root / "q.jsonl").write_text('{"prompt": "the mill", "answer": "grinds"}')
    return root


def _model(root: Path, tokenizer: str) -> None:
    config = ModelConfig(vocabulary=330, context_length=32, layers=1, width=16, heads=2, kv_heads=1, hidden=16)
    folder = root / "model"
    shutil.copytree(root / "tokenizer", folder / "tokenizer")
    checkpoint.write_config(folder, config)
    checkpoint.save_whole(checkpoint.gathered(build(config, 0), writes=True), folder / checkpoint.MODEL)
    files = {checkpoint.MODEL: checkpoint.sha256(folder / checkpoint.MODEL)}
    made = {"format": MODEL_FORMAT, "fingerprint": {}, "files": files, "parents": [{"tokens": "0"}, {"tokenizer": tokenizer}]}
    (folder / "manifest.json").write_bytes(json_bytes(made))


def gone(file: str) -> Callable[[Path], object]:
    return lambda root: (root / file).unlink()


def cut(file: str, keep: float = 0.5) -> Callable[[Path], object]:
    return lambda root: (root / file).write_bytes((content := (root / file).read_bytes())[: int(len(content) * keep)])


def holds(file: str, content: str) -> Callable[[Path], object]:
    return lambda root: (root / file).write_text(content)


def without(file: str, key: str) -> Callable[[Path], object]:
    def damage(root: Path) -> None:
        told = json.loads((root / file).read_bytes())
        del told[key]
        (root / file).write_bytes(json_bytes(told))

    return damage


def nothing(root: Path) -> None:
    pass


GENERATE = ["generate", "{root}/model", "--tokens", "1"]
EVALUATE = ["evaluate", "{root}/model", "{root}/tokens", "--output", "{root}/out"]
BATCHES = ["batches", "{root}/tokens", "--step", "1", "--set", "model.context_length=16", "--set", "train.global_batch_tokens=32"]
PRETRAIN = ["pretrain", "{root}/tokens", "--output", "{root}/out", "--set", "model.context_length=16", "--set", "train.steps=1"]
ANSWER = ["answer", "{root}/model", "--task", "{root}/q.jsonl", "--metric", "exact", "--output"]
REPORT = ["tokenizer-report", "{root}/corpus", "--tokenizer", "{root}/tokenizer", "--output"]
SEEN = ["batches", "{root}/tokens", "--seen-until", "1", *BATCHES[4:]]
TOKENIZER = ["train-tokenizer", "{root}/corpus", "--output", "{root}/out", "--vocab-size", "330"]
PLAN = ["plan", "--preset", "tiny"]


@pytest.mark.parametrize(
    ("damage", "arguments", "told"),
    [
        # wrong kinds of folder, and none
        (nothing, ["generate", "{root}/model", "--prompt", "caf\udce9"], "the prompt is no UTF-8: --prompt"),
        (nothing, ["generate", "{root}/nowhere"], "this is no finished model: {root}/nowhere"),
        (nothing, ["generate", "{root}/tokens"], "this is no model folder: {root}/tokens"),
        (nothing, ["evaluate", "{root}/model", "{root}/corpus", "--output", "{root}/out"], "this is no token folder: {root}/corpus"),
        (nothing, ["evaluate", "{root}/tokens", "{root}/model", "--output", "{root}/out"], "this is no model folder: {root}/tokens"),
        (nothing, ["batches", "{root}/corpus", "--step", "1"], "this is no token folder: {root}/corpus"),
        (
            nothing,
            ["batches", "{root}/corpus/manifest.json", "--step", "1"],
            "this is no finished token folder: {root}/corpus/manifest.json",
        ),
        (nothing, ["pretrain", "{root}/tokenizer", "--output", "{root}/out"], "this is no token folder: {root}/tokenizer"),
        (
            nothing,
            ["train-tokenizer", "{root}/tokens", "--output", "{root}/out"],
            "the manifest is of another format: {root}/tokens/manifest",
        ),
        (nothing, ["train-tokenizer", "{root}/nowhere", "--output", "{root}/out"], "this is no finished corpus"),
        # damaged manifests
        (cut("model/manifest.json"), GENERATE, "this is no finished model: {root}/model"),
        (cut("tokens/manifest.json"), BATCHES, "this is no finished token folder: {root}/tokens"),
        (cut("corpus/manifest.json"), TOKENIZER, "the manifest is damaged: {root}/corpus/manifest.json"),
        (holds("tokens/manifest.json", "[]"), BATCHES, "this is no token folder: {root}/tokens"),
        (holds("model/manifest.json", '{"format": "other 1"}'), GENERATE, "this is no model folder: {root}/model"),
        (without("tokens/manifest.json", "splits"), BATCHES, "this is no token folder: {root}/tokens"),
        (without("tokens/manifest.json", "tokenizer"), PRETRAIN, "this is no token folder: {root}/tokens"),
        (without("model/manifest.json", "files"), GENERATE, "this is no model folder: {root}/model"),
        (without("model/manifest.json", "parents"), EVALUATE, "this is no model folder: {root}/model"),
        (without("model/tokenizer/manifest.json", "kind"), GENERATE, "this is no tokenizer folder: {root}/model/tokenizer"),
        # half-written folders and truncated files
        (gone("model/model.safetensors"), GENERATE, "{root}/model/model.safetensors"),
        (cut("model/model.safetensors"), GENERATE, "the weights are not those that the manifest names: {root}/model/model.safetensors"),
        (gone("model/config.json"), GENERATE, "this is no model folder: {root}/model"),
        (holds("model/config.json", '{"gristmill": []}'), GENERATE, "this is no model folder: {root}/model"),
        (gone("model/tokenizer/manifest.json"), GENERATE, "this is no tokenizer folder: {root}/model/tokenizer"),
        (cut("model/tokenizer/tokenizer.model"), GENERATE, "not the one that its manifest names: {root}/model/tokenizer/tokenizer.model"),
        (gone("tokens/train/00000.bin"), EVALUATE, "a token shard is missing: {root}/tokens/train/00000.bin"),
        (cut("tokens/train/00000.bin"), EVALUATE, "a token shard is damaged"),
        (cut("tokens/train/00000.parquet"), BATCHES, "the index of a token shard cannot be read: {root}/tokens/train/00000.parquet"),
        (gone("tokens/train/00000.parquet"), BATCHES, "the index of a token shard cannot be read: {root}/tokens/train/00000.parquet"),
        (gone("tokens/tokenizer/manifest.json"), EVALUATE, "this is no tokenizer folder: {root}/tokens/tokenizer"),
        (
            gone("tokenizer/fertility.json"),
            [*TOKENIZER[:3], "{root}/tokenizer", *TOKENIZER[4:]],
            "is not whole: {root}/tokenizer/fertility",
        ),
        (cut("corpus/documents/00000.parquet"), TOKENIZER, "{root}/corpus"),
        (gone("corpus/documents/00000.parquet"), TOKENIZER, "{root}/corpus"),
        # outputs that are not to be had
        (nothing, [*EVALUATE[:-1], "{root}/corpus/manifest.json/out"], "cannot write: {root}/corpus/manifest.json/out"),
        (nothing, [*TOKENIZER[:3], "{root}/corpus/manifest.json/out", *TOKENIZER[4:]], "cannot write: {root}/corpus/manifest.json/out"),
        (nothing, [*PRETRAIN[:3], "{root}/corpus/manifest.json/out", *PRETRAIN[4:]], "cannot write: {root}/corpus/manifest.json/out"),
        (nothing, [*TOKENIZER[:3], "{root}/corpus", *TOKENIZER[4:]], "this is no tokenizer folder: {root}/corpus"),
        (nothing, [*PRETRAIN[:3], "{root}/corpus", *PRETRAIN[4:]], "this is no model folder: {root}/corpus"),
        (nothing, ["export", "{root}/model", "--output", "{root}/corpus/manifest.json"], "cannot write: {root}/corpus/manifest.json"),
        (nothing, [*SEEN, "--output", "{root}/nowhere/seen.parquet"], "{root}/nowhere/seen.parquet"),
        # … told before what takes minutes
        (cut("model/model.safetensors"), [*EVALUATE[:-1], "{root}/corpus/manifest.json/out"], "cannot write: {root}/corpus"),
        (cut("model/model.safetensors"), [*ANSWER, "{root}/corpus/manifest.json/out"], "cannot write: {root}/corpus"),
        (gone("corpus/documents/00000.parquet"), [*REPORT, "{root}/corpus/manifest.json/out"], "cannot write: {root}/corpus"),
        # settings
        (nothing, [*BATCHES, "--set", "train.seed=-1"], "train.seed"),
        (nothing, [*BATCHES, "--set", "train.seed=99999999999999999999"], "train.seed"),
        (nothing, [*BATCHES, "--set", "train.packing=other"], "no such packing: other"),
        (nothing, [*PRETRAIN, "--set", "model.vocabulary=400"], "the model's vocabulary is not the tokenizer's"),
        (nothing, [*PLAN, "--tokens", "nan"], "tokens are 1 or more"),
        (nothing, [*PLAN, "--tokens", "inf"], "tokens are 1 or more"),
        (nothing, [*PLAN, "--tokens", "-5"], "tokens are 1 or more"),
        (nothing, [*PLAN, "--tokens", "0"], "tokens are 1 or more"),
        (nothing, [*PLAN, "--price", "nan"], "a price is 0 or more"),
        (nothing, [*PLAN, "--price", "-1"], "a price is 0 or more"),
        (nothing, [*GENERATE, "--temperature", "nan"], "temperature and top-k must be 0 or more"),
        (nothing, [*GENERATE, "--temperature", "inf"], "temperature and top-k must be 0 or more"),
        (nothing, [*GENERATE, "--seed", "99999999999999999999"], "a seed is a whole number"),
        (nothing, [*PLAN, "--mfu", "0"], "utilisation lies in (0, 1)"),
    ],
)
def test_one_line_that_names_the_place(
    whole: Path, tmp_path: Path, damage: Callable[[Path], object], arguments: list[str], told: str
) -> None:
    root = tmp_path / "root"
    shutil.copytree(whole, root)
    damage(root)
    ran = CliRunner().invoke(gristmill, [part.replace("{root}", str(root)) for part in arguments])
    assert isinstance(ran.exception, (GristmillError, click.ClickException)), ran.output + repr(ran.exception)
    line = str(ran.exception)
    assert told.replace("{root}", str(root)) in line, line
    assert "\n" not in line
    assert not (root / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("corpus", "tokenizer", "told"),
    [
        ("nowhere", "tokenizer", "this is no finished corpus"),
        ("tokens", "tokenizer", "the manifest is of another format"),
        ("corpus", "nowhere", "there is no tokenizer"),
        ("corpus", "tokens", "this is no tokenizer folder"),
    ],
)
def test_encode_stops_before_spark(whole: Path, tmp_path: Path, corpus: str, tokenizer: str, told: str) -> None:
    with pytest.raises(GristmillError, match=told):
        encode(str(whole / corpus), str(whole / tokenizer), str(tmp_path / "out"), spark=None)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_encode_names_a_damaged_shard_of_the_corpus(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole / "corpus", tmp_path / "corpus")
    cut("corpus/documents/00000.parquet")(tmp_path)
    for name in ("train", "validation", "test"):
        (tmp_path / "out" / name).mkdir(parents=True)
    with pytest.raises(GristmillError, match=r"corpus/documents/00000\.parquet"):
        encode_shard(locate(str(tmp_path / "corpus/documents/00000.parquet")), load(whole / "tokenizer"), locate(str(tmp_path / "out")))


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"files": {}}', '{"files": []}', '{"step": 1, "fingerprint": {}, "files": {"x": 1}}', "{"]
)
def test_a_damaged_checkpoint(tmp_path: Path, content: str) -> None:
    folder = tmp_path / "checkpoints" / "step-00000001"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text(content)
    (folder / "x").write_text("x")
    with pytest.raises(GristmillError, match="the checkpoint is damaged: .*step-00000001"):
        checkpoint.latest(tmp_path)
