"""Tokenizers that others made: which ids begin, end and fill texts, and that all of the road works with them."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from click.testing import CliRunner
from pyspark.sql import SparkSession
from tokenizers import Tokenizer as Rust
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer

from corpus.errors import AssetError
from jobs.generate import command as generate_command
from modeling.build import documents_of
from modeling.config import ModelConfig, with_settings
from modeling.evaluate import evaluate
from modeling.page import write_page
from modeling.presets import preset
from modeling.train import Launch, pretrain
from modeling.watching import Unwatched
from tests.road import corpus_of
from tests.tokenization.test_training_options import texts
from tokenization.encode import encode
from tokenization.foreign import describe
from tokenization.tokenizer import SpecialIds, carried, copy, load


def byte_level(special: list[str], size: int = 400) -> Rust:
    """As GPT-2's: bytes, and specials behind the letters or before them, wherever their maker put them."""
    made = Rust(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator((text for _, text in texts(50)), trainer)
    made.add_special_tokens(special)
    return made


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One special token for everything, its id the last."""
    folder = tmp_path_factory.mktemp("gpt2")
    byte_level(["<|endoftext|>"]).save(str(folder / "tokenizer.json"))
    told = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": {"__type": "AddedToken", "content": "<|endoftext|>"},
        "eos_token": "<|endoftext|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    return folder


def model_of(folder: Path, **settings: object) -> Path:
    """A .model of sentencepiece with its defaults, which are not ours: a space before each text, NFKC, spaces made one."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text for _, text in texts(50)), model_prefix=str(folder / "their"), vocab_size=200, model_type="bpe",
        minloglevel=2, character_coverage=1.0, **settings,
    )  # fmt: skip
    return folder / "their.model"


def test_one_token_for_everything(gpt2: Path) -> None:
    tokenizer, theirs = load(gpt2), AutoTokenizer.from_pretrained(gpt2)
    last = tokenizer.vocabulary - 1
    assert tokenizer.special == SpecialIds(bos=last, eos=last, pad=last, unknown=None)
    for text in ("the mill, 12  x", "<|endoftext|> as text", "Mühle 石 \U0001f600", ""):
        ids = tokenizer.encode(text)
        assert last not in ids, "a special token made from text"
        assert tokenizer.decode(ids) == text
        if "<|" not in text:
            assert ids.tolist() == theirs(text)["input_ids"]
    assert tokenizer.document("a").tolist() == [last, *tokenizer.encode("a"), last]
    assert tokenizer.is_byte().sum() == 128


def test_the_file_alone(tmp_path: Path) -> None:
    """Without tokenizer_config.json the names tell."""
    file = tmp_path / "mine.json"
    made = byte_level(["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"])
    made.save(str(file))
    first = made.token_to_id("<|begin_of_text|>")
    assert load(file).special == SpecialIds(bos=first, eos=first + 1, pad=first + 1, unknown=None)
    made.enable_truncation(2)
    made.enable_padding(length=50)
    made.save(str(file))
    assert load(file).decode(load(file).encode("the mill grinds corn")) == "the mill grinds corn", "neither cut nor filled"


def test_classifiers_tokens_serve(tmp_path: Path) -> None:
    """BERT's [CLS] and [SEP] begin and end; it lowers letters, and that is what it does."""
    made = Rust(models.WordPiece({"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "the": 4, "mill": 5, "##s": 6}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = normalizers.Lowercase(), pre_tokenizers.Whitespace()
    made.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]"])
    made.save(str(tmp_path / "tokenizer.json"))
    named = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(named))
    assert load(tmp_path).special == SpecialIds(bos=2, eos=3, pad=0, unknown=1)
    assert load(tmp_path).document("The MILLS x").tolist() == [2, 4, 5, 6, 1, 3]


def test_a_model_of_sentencepiece(tmp_path: Path) -> None:
    file = model_of(tmp_path, bos_id=-1, pad_id=5, unk_id=1, eos_id=4)
    tokenizer, theirs = load(file), sentencepiece.SentencePieceProcessor(model_file=str(file))
    assert tokenizer.special == SpecialIds(bos=4, eos=4, pad=5, unknown=1)
    for text in ("the mill\n grinds  corn", "ﬁ ½ \U0001f600", " x\n\n", ""):
        assert tokenizer.encode(text).tolist() == theirs.encode(text), "whole texts: a space is put before the first line only"
    copy(file, tmp_path / "copied")
    assert carried(tmp_path / "copied").digest == tokenizer.digest
    assert carried(tmp_path / "copied").special == tokenizer.special


def test_what_cannot_be_used(gpt2: Path, tmp_path: Path) -> None:
    byte_level([]).save(str(tmp_path / "bare.json"))
    with pytest.raises(AssetError, match=r'no token that begins a text, and none that ends it.*"eos_token"'):
        load(tmp_path / "bare.json")
    with pytest.raises(AssetError, match="no token that begins a text"):
        load(model_of(tmp_path, bos_id=-1, eos_id=-1))
    with pytest.raises(AssetError, match="there is no tokenizer: .*nowhere"):
        load(tmp_path / "nowhere")
    (tmp_path / "not.json").write_text('{"model": 3}')
    with pytest.raises(AssetError, match=r"this is no tokenizer\.json: .*not\.json"):
        load(tmp_path / "not.json")
    (tmp_path / "not.model").write_bytes(b"nonsense")
    with pytest.raises(AssetError, match="no model of sentencepiece"):
        load(tmp_path / "not.model")
    shutil.copytree(gpt2, tmp_path / "named")
    (tmp_path / "named" / "tokenizer_config.json").write_text('{"eos_token": "<eos>"}')
    with pytest.raises(AssetError, match="names a token that is not there: <eos>"):
        load(tmp_path / "named")


def test_the_digest_names_the_special_ids_too(tmp_path: Path) -> None:
    byte_level(["<a>", "<b>"]).save(str(tmp_path / "tokenizer.json"))
    found = []
    for token in ("<a>", "<b>"):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": token}))
        found.append(describe(tmp_path).manifest["digest"])
    assert found[0] != found[1], "the tokens would differ"


@pytest.mark.parametrize("which", ["gpt2", "model"])
def test_the_road(spark: SparkSession, gpt2: Path, tmp_path: Path, which: str) -> None:
    """Encode, pretrain with a document mask, evaluate, look at the page, generate, and load with transformers."""
    tokenizer = gpt2 if which == "gpt2" else model_of(tmp_path, bos_id=-1)
    corpus = corpus_of(tmp_path / "corpus", texts(60))
    made = encode(str(corpus), str(tokenizer), str(tmp_path / "tokens"), spark=spark).tokens
    special = load(tokenizer).special
    split = made.split("train")
    for number in range(3):
        ids = split.read(split.document_starts[number], split.document_starts[number + 1])
        assert (ids[0], ids[-1]) == (special.bos, special.eos)
    sizes = ["layers=1", "width=16", "heads=2", "kv_heads=1", "hidden=16", "context_length=32", "document_mask=true"]
    settings = [*(f"model.{each}" for each in sizes), "train.steps=2", "train.global_batch_tokens=64", "train.packing=document"]
    model, train = with_settings(*preset("tiny", load(tokenizer).vocabulary), settings)
    pretrain(str(tmp_path / "tokens"), tmp_path / "model", model, train, Launch(), watcher=Unwatched())
    told = json.loads((tmp_path / "model" / "config.json").read_bytes())
    assert (told["bos_token_id"], told["eos_token_id"], told["pad_token_id"]) == (special.bos, special.eos, special.pad)
    evaluate(tmp_path / "model", str(tmp_path / "tokens"), tmp_path / "evaluation")
    assert "Fertility" not in write_page(tmp_path / "model", tmp_path / "evaluation").read_text()
    written = CliRunner().invoke(generate_command, [str(tmp_path / "model"), "--prompt", "the mill", "--tokens", "5"])
    assert written.exit_code == 0, written.output
    assert written.output.startswith("the mill")
    assert (tmp_path / "model" / "tokenizer.json").exists() == (which == "gpt2")


def test_masks_know_the_ids(gpt2: Path) -> None:
    """Documents begin at the tokenizer's own id."""
    config = ModelConfig(vocabulary=500, context_length=8, layers=1, width=8, heads=2, kv_heads=1, hidden=8, document_mask=True, bos=400)
    found = documents_of(config, torch.tensor([[400, 7, 1, 400, 8, 400]]))
    assert found is not None
    assert found.tolist() == [[1, 1, 1, 2, 2, 3]]
    assert np.array_equal(load(gpt2).document(""), [load(gpt2).special.bos, load(gpt2).special.eos])
