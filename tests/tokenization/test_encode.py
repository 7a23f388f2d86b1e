"""Token shards: what is in them, the same bytes however they were made, and what is said of damaged ones."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from corpus.errors import AssetError, GristmillError, InputError
from corpus.storage import Place
from tests.processes import gristmill, kill_when
from tests.road import documents
from tokenization.encode import encode, encode_shard, held_tokenizer, id_type
from tokenization.shards import INDEX, SPLITS, TokenFolder
from tokenization.tokenizer import BOS, EOS, load


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def many_shards(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small corpus cut into eight shards, as a large one would be: the same rows in the same order."""
    folder = tmp_path_factory.mktemp("many") / "corpus"
    shutil.copytree(small_corpus, folder)
    table = pq.read_table(folder / "documents" / "00000.parquet")
    manifest = json.loads((folder / "manifest.json").read_bytes())
    shards = []
    for number, start in enumerate(range(0, table.num_rows, table.num_rows // 7)):
        name = f"{number:05d}.parquet"
        pq.write_table(table.slice(start, table.num_rows // 7), folder / "documents" / name)
        shards.append({"file": name, "bytes": (folder / "documents" / name).stat().st_size})
    manifest["shards"]["documents"] = shards
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def test_every_document_once_in_order(small_corpus: Path, small_tokens: Path) -> None:
    folder = TokenFolder.open(small_tokens)
    tokenizer = folder.tokenizer()
    rows = documents(small_corpus)
    for name in SPLITS:
        split = folder.split(name)
        mine = [row for row in rows if row["split"] == name]
        assert split.documents == len(mine) > 0
        assert split.index.schema == INDEX
        assert split.index["id"].to_pylist() == [row["id"] for row in mine] == sorted(row["id"] for row in mine)
        assert split.index["bytes"].to_pylist() == [len(row["text"].encode()) for row in mine]
        assert split.document_starts[-1] == split.tokens
        for number, row in enumerate(mine[:20]):
            ids = split.read(split.document_starts[number], split.document_starts[number + 1])
            assert (ids[0], ids[-1]) == (BOS, EOS)
            assert tokenizer.decode(ids) == row["text"]
    assert folder.manifest["tokenizer"]["digest"] == tokenizer.digest


def test_the_same_bytes_for_any_partitioning(spark: SparkSession, many_shards: Path, small_tokens: Path, tmp_path: Path) -> None:
    """One core or two, one task or many; and the streams are those of the corpus in one shard."""
    tokenizer = str(small_tokens / "tokenizer")
    made = encode(str(many_shards), tokenizer, str(tmp_path / "a"), spark=spark).tokens
    ran = gristmill("encode", many_shards, "--tokenizer", tokenizer, "--output", tmp_path / "b", "--master", "local[1]")
    assert ran.returncode == 0, ran.stderr
    assert content(tmp_path / "a") == content(tmp_path / "b")
    assert len(made.split("train").shards) == 8
    whole = TokenFolder.open(small_tokens)
    for name in SPLITS:
        one, many = whole.split(name), made.split(name)
        assert np.array_equal(one.read(0, one.tokens), many.read(0, many.tokens))
        assert one.index.equals(many.index)


def test_killed_and_resumed(many_shards: Path, small_tokens: Path, tmp_path: Path) -> None:
    arguments = ["encode", many_shards, "--tokenizer", small_tokens / "tokenizer", "--output", tmp_path / "c", "--master", "local[1]"]
    work = tmp_path / "c.work"
    kill_when(lambda: len(list(work.glob("0*.json"))) >= 2, arguments, {})
    assert not (tmp_path / "c" / "manifest.json").exists()
    finished = {path.name: path.stat().st_mtime_ns for path in work.glob("0*.json")}
    first = sorted(finished)[0].removesuffix(".parquet.json")
    left = tmp_path / "c" / "train" / f".{first}.bin.0123456789abcdef.tmp"
    left.write_bytes(b"what a killed worker had written")
    written = (tmp_path / "c" / "train" / f"{first}.bin").stat().st_mtime_ns
    ran = gristmill(*arguments)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "c" / "train" / f"{first}.bin").stat().st_mtime_ns == written, "a finished shard was encoded again"
    assert not work.exists()
    undisturbed = gristmill("encode", many_shards, "--tokenizer", small_tokens / "tokenizer", "--output", tmp_path / "d")
    assert undisturbed.returncode == 0, undisturbed.stderr
    assert content(tmp_path / "c") == content(tmp_path / "d")
    assert not left.exists()


def test_again_it_is_there_and_another_is_refused(spark: SparkSession, small_corpus: Path, small_tokens: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    shutil.copytree(small_tokens, tokens)
    assert encode(str(small_corpus), str(small_tokens / "tokenizer"), str(tokens), spark=spark).resumed
    manifest = json.loads((tokens / "manifest.json").read_bytes())
    manifest["fingerprint"]["tokenizer"] = "another"
    (tokens / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GristmillError, match="changed: the tokenizer"):
        encode(str(small_corpus), str(small_tokens / "tokenizer"), str(tokens), spark=spark)
    assert not encode(str(small_corpus), str(small_tokens / "tokenizer"), str(tokens), spark=spark, overwrite=True).resumed


def test_bad_input(spark: SparkSession, small_corpus: Path, small_tokens: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no manifest\.json"):
        encode(str(tmp_path), str(small_tokens / "tokenizer"), str(tmp_path / "x"), spark=spark)
    with pytest.raises(AssetError, match="no tokenizer folder"):
        encode(str(small_corpus), str(tmp_path), str(tmp_path / "x"), spark=spark)
    with pytest.raises(InputError, match="no finished token folder"):
        TokenFolder.open(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(GristmillError, match="holds something else"):
        encode(str(small_corpus), str(small_tokens / "tokenizer"), str(tmp_path / "notes"), spark=spark)


def test_a_tokenizer_changed_meanwhile_is_refused(small_tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")  # set back afterwards
    folder = str(small_tokens.parent / "tokenizer")
    seen = load(folder).digest
    assert held_tokenizer(folder, seen) is held_tokenizer(folder, seen)
    with pytest.raises(InputError, match="changed while texts were encoded"):
        held_tokenizer(folder, "0" * 64)


def test_damaged_shards(small_tokens: Path, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    shutil.copytree(small_tokens, tokens)
    shard = tokens / "train" / "00000.bin"
    shard.write_bytes(shard.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"token shard is damaged: .* instead of .*train/00000\.bin"):
        TokenFolder.open(tokens).split("train").read(0, 10)
    (tokens / "test" / "00000.parquet").write_bytes(b"none")
    with pytest.raises(InputError, match="index of a token shard"):
        TokenFolder.open(tokens).split("test").document_starts  # noqa: B018
    shutil.copy(small_tokens / "tokenizer" / "manifest.json", tokens / "tokenizer" / "manifest.json")
    manifest = json.loads((tokens / "manifest.json").read_bytes())
    manifest["tokenizer"]["digest"] = "another"
    (tokens / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="made by another tokenizer"):
        TokenFolder.open(tokens).tokenizer()


def test_the_type_of_ids() -> None:
    assert [id_type(size).name for size in (300, 65_536, 65_537)] == ["uint16", "uint16", "uint32"]


def test_a_mixture_is_read_as_often_as_it_says(small_corpus: Path, small_tokens: Path, tmp_path: Path) -> None:
    """Training documents n times, a pass after a pass; held-out ones once, whatever the mixture."""
    table = pq.read_table(small_corpus / "documents" / "00000.parquet")
    table = table.append_column("repeats", pa.array([1 + row % 3 for row in range(table.num_rows)], pa.int32()))
    pq.write_table(table, tmp_path / "00000.parquet")
    for split in SPLITS:
        (tmp_path / "tokens" / split).mkdir(parents=True)
    tokenizer = TokenFolder.open(small_tokens).tokenizer()
    written = encode_shard(Place(str(tmp_path / "00000.parquet")), tokenizer, Place(str(tmp_path / "tokens")))
    rows = table.select(["id", "split", "repeats"]).to_pylist()
    expected = [row["id"] for number in range(3) for row in rows if row["split"] == "train" and row["repeats"] > number]
    assert pq.read_table(tmp_path / "tokens" / "train" / "00000.parquet")["id"].to_pylist() == expected
    assert written["train"].documents == len(expected)
    assert written["test"].documents == sum(row["split"] == "test" for row in rows)
