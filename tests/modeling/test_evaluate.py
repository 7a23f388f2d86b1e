"""Evaluation, generation and the training page: figures against plain reckoning, refusals, and the page in Chromium."""

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from click.testing import CliRunner

from corpus.errors import GristmillError
from jobs.cli import gristmill
from modeling.build import build
from modeling.config import ModelConfig
from modeling.evaluate import evaluate, load_model, rows, unigram_costs
from modeling.generate import Sampling, generate
from modeling.page import write_page
from modeling.presets import preset
from modeling.scoring import chunks, score, summary
from modeling.train import Launch, pretrain
from modeling.watching import Unwatched
from tests.browser import browser, browser_problem
from tokenization.shards import TokenFolder
from tokenization.train import train_tokenizer


@pytest.fixture(scope="module")
def model(small_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config, train = preset("tiny", 1024)
    config = replace(config, context_length=64, layers=2, width=64, hidden=128)
    train = replace(
        train, steps=60, global_batch_tokens=1024, warmup_steps=5, validate_every_steps=20, learning_rate=1e-2, validation_tokens=5000
    )
    folder = tmp_path_factory.mktemp("evaluated") / "model"
    pretrain(str(small_tokens), folder, config, train, Launch(), watcher=Unwatched())
    return folder


@pytest.fixture(scope="module")
def evaluation(model: Path, small_tokens: Path) -> Path:
    evaluate(model, str(small_tokens), model.parent / "evaluation")
    return model.parent / "evaluation"


def test_every_target_is_scored_once_with_half_a_window_before_it(small_tokens: Path) -> None:
    split = TokenFolder.open(small_tokens).split("validation")
    scored = np.zeros(split.tokens, int)
    for chunk in chunks(split, 64):
        assert chunk.stop - chunk.start <= 65
        targets = range(chunk.start + 1 + chunk.context, chunk.stop)
        scored[targets] += 1
        begin = split.document_starts[chunk.document]
        assert targets[0] - chunk.start >= min(32, targets[0] - begin)
    expected = np.ones(split.tokens, int)
    expected[split.document_starts[:-1]] = 0
    assert scored.tolist() == expected.tolist()


def test_scores_are_those_of_one_document_after_another(small_tokens: Path) -> None:
    """Batches, padding and processes change nothing: against each chunk alone."""
    config = ModelConfig(vocabulary=1024, context_length=64, layers=2, width=32, heads=2, kv_heads=1, hidden=48)
    model, split = build(config, seed=5), TokenFolder.open(small_tokens).split("test")
    found = chunks(split, 64)
    expected = np.zeros(split.documents)
    with torch.no_grad():
        for chunk in found:
            ids = torch.from_numpy(split.read(chunk.start, chunk.stop))
            losses = F.cross_entropy(model(ids[None, :-1])[0], ids[1:], reduction="none")
            expected[chunk.document] += float(losses[chunk.context :].sum())
    assert score(model, config, split, found) == pytest.approx(expected, rel=1e-4)
    halves = [score(model, config, split, found, rank=rank, processes=2) for rank in (0, 1)]
    assert halves[0] + halves[1] == pytest.approx(expected, rel=1e-4)


def test_a_model_that_knows_nothing_pays_the_whole_alphabet(small_tokens: Path) -> None:
    """All logits equal: ln V nats a target, and so log2 V · targets / bytes bits a byte."""
    split = TokenFolder.open(small_tokens).split("validation")
    targets = split.tokens - split.documents
    nats = np.log(1024) * (np.diff(split.document_starts) - 1)
    found = summary(split, split.documents, nats)
    assert found["loss"] == pytest.approx(np.log(1024))
    assert found["perplexity"] == pytest.approx(1024)
    assert found["bits_per_byte"] == pytest.approx(10 * targets / split.bytes)
    for kind in ("language", "source"):
        assert sum(group["tokens"] for group in found[kind].values()) == targets
        assert sum(group["bytes"] for group in found[kind].values()) == split.bytes


def test_unigram_costs(small_tokens: Path) -> None:
    split = TokenFolder.open(small_tokens).split("train")
    counts = Counter(split.read(0, split.tokens).tolist())
    costs = unigram_costs(split, 1024)
    total = sum(counts.values()) - counts[1] + 1023
    assert costs[7] == pytest.approx(-np.log((counts[7] + 1) / total))
    assert np.exp(-costs).sum() == pytest.approx(1.0)
    assert np.isinf(costs[1]), "no document begins within another"


def test_the_evaluation(evaluation: Path, model: Path) -> None:
    told = json.loads((evaluation / "evaluation.json").read_bytes())
    table = rows(told)
    assert [row["split"] for row in table if row["group"] == "all"] == ["validation", "test"]
    assert {row["group"] for row in table} >= {"en", "zh", "ar"}
    for split in told["splits"].values():
        assert 0 < split["bits_per_byte"] < split["unigram_bits_per_byte"], "sixty steps know more than frequencies"
        assert 0 < split["zstd_bits_per_byte"] < 8
    assert told["parents"][1] == json.loads((model / "manifest.json").read_bytes())["parents"][0]
    assert len(told["samples"]) > 1


def test_the_same_again(evaluation: Path, model: Path, small_tokens: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(gristmill, ["evaluate", str(model), str(small_tokens), "--output", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    assert (tmp_path / "evaluation.json").read_bytes() == (evaluation / "evaluation.json").read_bytes()
    assert "bits/byte" in ran.output


def test_another_tokenizer_and_damaged_weights(model: Path, small_corpus: Path, small_tokens: Path, tmp_path: Path) -> None:
    other = tmp_path / "tokens"
    shutil.copytree(small_tokens, other)
    train_tokenizer(str(small_corpus), tmp_path / "tokenizer", kind="unigram", vocabulary=1024)
    shutil.rmtree(other / "tokenizer")
    shutil.copytree(tmp_path / "tokenizer", other / "tokenizer")
    with pytest.raises(GristmillError, match="made by another tokenizer"):
        evaluate(model, str(other), tmp_path / "e")
    manifest = json.loads((other / "manifest.json").read_bytes())
    manifest["tokenizer"]["digest"] = json.loads((tmp_path / "tokenizer" / "manifest.json").read_bytes())["digest"]
    (other / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(GristmillError, match="of different tokenizers"):
        evaluate(model, str(other), tmp_path / "e")
    damaged = tmp_path / "model"
    shutil.copytree(model, damaged)
    content = bytearray((damaged / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (damaged / "model.safetensors").write_bytes(content)
    with pytest.raises(GristmillError, match="not those that the manifest names"):
        evaluate(damaged, str(small_tokens), tmp_path / "e")
    assert not (tmp_path / "e").exists()


def test_generation(model: Path, small_tokens: Path) -> None:
    transformer, tokenizer = load_model(model), TokenFolder.open(small_tokens).tokenizer()

    def said(**sampling: float) -> str:
        return "".join(generate(transformer, tokenizer, "The", tokens=40, sampling=Sampling(**sampling)))  # type: ignore[arg-type]

    assert said(seed=1, temperature=1.0) == said(seed=1, temperature=1.0) != said(seed=2, temperature=1.0)
    greedy = said(temperature=0)
    assert greedy == said(top_k=1, seed=3) == said(top_p=1e-6, seed=4)
    ids = [1, *tokenizer.encode("The").tolist()]
    with torch.no_grad():
        for _ in range(40):
            logits = transformer(torch.tensor([ids[-64:]]))[0, -1]
            logits[[0, 1, 3]] = -torch.inf
            ids.append(int(logits.argmax()))
            if ids[-1] == 2:
                break
    assert tokenizer.decode(np.array(ids[1:])).removesuffix("\N{REPLACEMENT CHARACTER}").startswith("The" + greedy)
    assert "\N{REPLACEMENT CHARACTER}" not in greedy


@pytest.mark.parametrize("width", [360, 820, 1440])
def test_the_page_opens_at_every_width(model: Path, evaluation: Path, width: int) -> None:
    if problem := browser_problem():
        pytest.skip(problem)
    page = write_page(model, evaluation, corpus_page="../corpus/report.html")
    with browser(width, 900) as driver:
        driver.get(page.as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert not driver.get_log("browser")
        assert "bits per byte" in driver.find_element("tag name", "h1").text
        assert len(driver.find_elements("css selector", "svg path.line")) >= 4
        assert len(driver.find_elements("css selector", "blockquote")) > 1
