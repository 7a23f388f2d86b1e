"""Evaluation by likelihood: against `transformers` on the exported model, against plain reckoning, and against what was planted."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM, AutoTokenizer

from corpus.errors import InputError
from jobs.cli import gristmill
from modeling.build import build
from modeling.config import ModelConfig
from modeling.evaluate import evaluate, load_model
from modeling.evaluation import choices, texts
from modeling.evaluation.contamination import find_overlap
from modeling.evaluation.memorisation import passages, probe
from modeling.evaluation.tasks import Card, read_task
from modeling.evaluation.text_files import detokenized, read_texts
from modeling.evaluation.texts import Document, describe, documents_of, score_documents
from modeling.export import export
from modeling.generate import Sampling, generate
from modeling.page import write_page
from modeling.presets import preset
from modeling.resampling import ratio_intervals
from modeling.scoring import score_sequences, windows
from modeling.train import Launch, pretrain
from modeling.transformer import Transformer
from modeling.watching import Unwatched
from tests.browser import browser, browser_problem
from tests.modeling.made_tokens import made_tokens, prose
from tokenization.shards import TokenFolder
from tokenization.tokenizer import load

REPEATED = prose(1000, 120)
PLANTED = "who would carry forty sacks of barley up to the loft before any cart comes down"
SMALL = ModelConfig(vocabulary=400, context_length=32, layers=2, width=32, heads=4, kv_heads=2, hidden=48)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts to train on, one of them sixteen times and one with a planted question; eight in two languages held out."""
    train = [("train", "made", "en", prose(seed, 90)) for seed in range(24)]
    train += [("train", "copied", "en", REPEATED)] * 16 + [("train", "made", "en", f"{prose(70, 20)} {PLANTED}. {prose(71, 20)}")]
    held = [("validation", "made" if at % 2 else "other", "en" if at % 3 else "de", prose(200 + at, 40 * (at + 1))) for at in range(8)]
    held += [("test", "made", "en", REPEATED), ("test", "made", "en", prose(900, 60))]
    return made_tokens(tmp_path_factory.mktemp("likelihood"), [*train, *held])


@pytest.fixture(scope="module")
def model(tokens: Path) -> Path:
    """Trained until it has by heart what stands there sixteen times."""
    config, train = preset("tiny", 400)
    config = replace(config, context_length=64, layers=2, width=64, heads=4, kv_heads=2, hidden=128)
    train = replace(
        train, steps=100, global_batch_tokens=1024, micro_batch_windows=16, warmup_steps=5, validate_every_steps=50, learning_rate=1e-2
    )
    pretrain(str(tokens), tokens.parent / "model", config, train, Launch(), watcher=Unwatched())
    return tokens.parent / "model"


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Multiple choice of texts from the fixture's words, one item of which stands in the training text."""
    folder = tmp_path_factory.mktemp("task") / "mill"
    items = [{"query": prose(300 + at, 8).strip(), "choices": ["the mill", "rye", "old stone wall"], "gold": at % 3} for at in range(12)]
    items.append({"query": PLANTED, "choices": ["the mill", "rye"], "gold": 0})
    return written(folder, {"kind": "multiple_choice", "unconditional": "and"}, items)


def written(folder: Path, card: dict[str, object], items: list[dict[str, object]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "card.json").write_text(json.dumps(card))
    (folder / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    return folder


def lively(config: ModelConfig) -> Transformer:
    """Weights far from the small initial ones, where a fault could hide."""
    made = build(config, seed=3)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.mul_(5 if parameter.ndim > 1 else 1)
    return made


def test_as_transformers_on_the_exported_model(model: Path, tokens: Path, task: Path, tmp_path: Path) -> None:
    """Nats of each token, of each answer, and the four ways of choosing: from the logits of the plain folder, one sequence at a time."""
    export(model, tmp_path / "plain")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "plain", dtype=torch.float32).eval()
    reads = AutoTokenizer.from_pretrained(tmp_path / "plain")
    ours, tokenizer = load_model(model), TokenFolder.open(tokens).tokenizer()

    def nats(ids: list[int]) -> np.ndarray:
        with torch.no_grad():
            logs = theirs(torch.tensor([ids])).logits[0, :-1].double().log_softmax(-1)
        return -logs[torch.arange(len(ids) - 1), torch.tensor(ids[1:])].numpy()

    def answered(prompt: str, answer: str) -> tuple[float, int]:
        before, whole = reads(prompt)["input_ids"], reads(prompt + answer)["input_ids"]
        return float(-nats(whole)[len(before) - 1 :].sum()), len(whole) - len(before)

    sequences = [reads(prose(400 + at, 3 * at + 2))["input_ids"][:60] for at in range(9)]
    for ids, scored in zip(sequences, score_sequences(ours, ours.config, [np.array(ids) for ids in sequences]), strict=True):
        assert scored.nats == pytest.approx(nats(ids), rel=1e-5, abs=1e-5)
    read = read_task(task)
    found = choices.score_items(ours, tokenizer, read)
    expected: dict[str, list[bool]] = {name: [] for name in found.correct}
    for item in read.items:
        told = [answered(*option) for option in item.options]
        logs = np.array([log for log, _ in told])
        alone = np.array([answered("and", answer)[0] for _, answer in item.options])
        scores = {
            "none": logs,
            "bytes": logs / [len(answer) for answer in item.answers],
            "tokens": logs / [count for _, count in told],
            "unconditional": logs - alone,
        }
        for name, values in scores.items():
            expected[name].append(int(values.argmax()) == item.gold)
    assert {name: values.tolist() for name, values in found.correct.items()} == expected
    golds = [answered(*item.options[item.gold])[0] for item in read.items]
    assert found.gold_nats == pytest.approx([-log for log in golds], rel=1e-5)


@given(st.integers(1, 90), st.integers(1, 20), st.data())
def test_windows_score_each_target_once(length: int, context: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, context))
    times = np.zeros(length, int)
    for start, stop, known in windows(length, context, stride):
        assert stop - start <= context + 1
        times[start + 1 + known : stop] += 1
        assert known == 0 or known >= context - stride, "fewer ids before a target than promised"
        assert start == 0 or known > 0 or stride == context
    assert times.tolist() == [0] + [1] * (length - 1)


@pytest.mark.parametrize("document_mask", [False, True])
def test_long_documents_are_scored_exactly(document_mask: bool) -> None:
    """With a stride of 1 each target has the whole context before it: against one pass of the model for each target. Batches change
    nothing. A model that masks documents is given windows without <s> too, and documents one by one."""
    config = replace(SMALL, document_mask=document_mask)
    model = lively(config)
    drawn = np.random.default_rng(0)
    sequences = [np.concatenate([[1], drawn.integers(4, 400, size)]) for size in (3, 80, 1, 45, 32, 33)]
    exact = score_sequences(model, config, sequences, stride=1)
    for ids, scored in zip(sequences, exact, strict=True):
        with torch.no_grad():
            logits = [model(torch.from_numpy(ids[max(0, at - 32) : at])[None])[0, -1] for at in range(1, len(ids))]
        logs = torch.stack(logits).double().log_softmax(-1).numpy()
        assert scored.nats == pytest.approx(-logs[np.arange(len(ids) - 1), ids[1:]], rel=1e-4, abs=1e-4)
        logs[:, [0, 1, 3]] = -np.inf
        assert scored.likeliest.tolist() == (logs.argmax(1) == ids[1:]).tolist()
    half = score_sequences(model, config, sequences)
    assert any(not np.allclose(one.nats, two.nats, rtol=1e-3) for one, two in zip(half, exact, strict=True)), "the stride matters here"
    for one, two in zip(half, score_sequences(model, config, sequences, batch_tokens=1), strict=True):
        assert one.nats == pytest.approx(two.nats, rel=1e-4, abs=1e-5)


def test_groups_add_up(model: Path, tokens: Path) -> None:
    folder = TokenFolder.open(tokens)
    split = folder.split("validation")
    scored = score_documents(load_model(model), documents_of(split), folder.tokenizer().byte_lengths())
    found = describe(scored)
    assert found["bytes"] == split.bytes == scored.bytes_DP.sum(), "the bytes of the tokens are the bytes of the text"
    for kind in texts.GROUPS:
        for name in ("tokens", "bytes"):
            assert sum(group[name] for group in found[kind].values()) == found[name], kind
        total = sum(group["loss"] * group["tokens"] for group in found[kind].values())
        assert total == pytest.approx(found["loss"] * found["tokens"])
    assert set(found["source"]) == {"made", "other"}
    assert list(found["position"])[:3] == ["1 to 15", "16 to 31", "32 to 63"]
    low, high = found["bits_per_byte_interval"]
    assert low < found["bits_per_byte"] < high
    assert describe(scored) == found, "drawn alike each time"
    only = np.array(scored.names["source"]) == "made"
    assert describe(scored, among=only)["bits_per_byte"] == found["source"]["made"]["bits_per_byte"]


def test_the_bootstrap_is_as_wide_as_theory_says() -> None:
    """A mean of 400 normal values: 1.96 standard errors either way; in blocks of neighbours, as of very many units, hardly other."""
    values = np.random.default_rng(1).normal(5, 2, (400, 1))
    for units in (values, np.repeat(values, 60, axis=0)):
        interval = ratio_intervals(units, np.ones_like(units))[0]
        assert interval is not None
        half = 1.96 * 2 / np.sqrt(400) if units is values else 1.96 * 2 / np.sqrt(24_000)
        assert interval[1] - interval[0] == pytest.approx(2 * half, rel=0.15 if units is values else 0.3)
    assert ratio_intervals(values[:1], np.ones((1, 1))) == [None]
    few = ratio_intervals(values[:8], np.array([[1, 1]] * 4 + [[1, 0]] * 4, float))
    assert few[0] is not None
    assert few[1] is None, "four units are too few to be drawn from"


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece"])
def test_bytes_of_ids(kind: str, tmp_path: Path) -> None:
    made_tokens(
        tmp_path, [("train", "made", "en", prose(at, 60)) for at in range(40)], kind=kind, vocabulary=540 if kind == "wordpiece" else 330
    )
    tokenizer = load(tmp_path / "tokenizer")
    lengths = tokenizer.byte_lengths()
    for text in ("The mill grinds.", " wäre das\n\nnicht schön? ", "磨坊 \N{GRINNING FACE}", "<s> </s>", REPEATED):
        assert lengths[tokenizer.encode(text)].sum() == len(text.encode()), text
    assert lengths[:4].sum() == 0


def test_wikitext_as_the_literature_counts_it(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    file = shared_data("lm-text") / "pytorch__examples" / "wikitext-2" / "test.txt"
    folder = tmp_path / "wiki"
    folder.mkdir()
    (folder / "card.yaml").write_text(f"kind: text\nformat: wikitext\nname: WikiText-2\nitems: {file}\n")
    read = read_texts(folder)
    assert len(read.texts) == 60, "articles"
    assert sum(text.words + text.lines for text in read.texts) == 245_569
    raw = file.read_text()
    # of what lm-evaluation-harness 0.4.13 makes of it: lm_eval.tasks.wikitext.preprocess_wikitext.wikitext_detokenizer({"page": raw})
    assert hashlib.sha256(detokenized(raw).encode()).hexdigest() == "f7a499621c56efe6af6dfcf0000730cb19f60063656a277e0dc881c165d6c397"
    assert not read.has_end


def test_word_perplexity() -> None:
    """Of a model that knows nothing: V to the power of tokens a word."""
    model = build(replace(SMALL, tied=False), 0)
    with torch.no_grad():
        model.lm_head.weight.zero_()
    documents = [Document(ids=np.array([1, *range(10, 10 + size)]), bytes=size * 3, words=size // 2, lines=1) for size in (10, 40)]
    scored = score_documents(model, documents, np.full(400, 3))
    assert texts.word_perplexity(scored)["perplexity"] == pytest.approx(400.0**2)
    assert texts.word_perplexity(scored, with_line_ends=True)["perplexity"] == pytest.approx(400 ** (50 / 27))
    assert describe(scored)["bits_per_byte"] == pytest.approx(np.log2(400) / 3)


def test_other_kinds_of_task(model: Path, tokens: Path, tmp_path: Path) -> None:
    ours, tokenizer = load_model(model), TokenFolder.open(tokens).tokenizer()
    pairs = [{"sentence_good": prose(at, 6).strip(), "sentence_bad": "wall wall the of and a", "term": f"t{at % 2}"} for at in range(10)]
    read = read_task(written(tmp_path / "pairs", {"kind": "minimal_pairs", "by": "term"}, pairs))
    scored = choices.score_items(ours, tokenizer, read)
    texts_of = [("", str(pair[side])) for pair in pairs for side in ("sentence_good", "sentence_bad")]
    sides = choices.log_likelihoods(ours, tokenizer, texts_of)
    expected = [good.logprob > bad.logprob for good, bad in zip(sides[::2], sides[1::2], strict=True)]
    assert scored.correct["none"].tolist() == expected
    told = choices.describe(read, scored)
    assert {name: group["items"] for name, group in told["groups"].items()} == {"t0": 5, "t1": 5}
    words = REPEATED.split(" ")
    items = [{"context": " ".join(words[at : at + 25]), "continuation": words[at + 25]} for at in range(0, 60, 5)]
    read = read_task(written(tmp_path / "last", {"kind": "continuation"}, items))
    greedy = choices.score_items(ours, tokenizer, read).correct["greedy"].tolist()
    for item, is_right in zip(items, greedy, strict=True):
        said = "".join(generate(ours, tokenizer, item["context"], tokens=12, sampling=Sampling(temperature=0)))
        assert said.startswith(" " + item["continuation"]) >= is_right
    assert sum(greedy) > 6, "it has the text by heart"
    winograd = [{"context_options": ["the mill", "the river"], "continuation": "grinds corn", "gold": 0}]
    read = read_task(written(tmp_path / "winograd", {"kind": "multiple_choice"}, winograd))
    assert read.items[0].options == (("the mill", " grinds corn"), ("the river", " grinds corn"))


def test_shots(task: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in (task / "items.jsonl").read_text().splitlines()]
    card = {"kind": "multiple_choice", "shots": 3, "prompt": "Q: {query}\nA:", "between": "\n--\n", "seed": 4}
    read = read_task(written(tmp_path / "shots", card, lines))
    for number, item in enumerate(read.items):
        shots = read.shots_of(number).split("\n--\n")
        assert shots.pop() == ""
        assert len(set(shots)) == 3
        assert item.solved not in shots, "an item is never its own example"
        assert set(shots) < {other.solved for other in read.items}
    assert read.shots_of(1) == read.shots_of(1) != replace(read, card=replace(read.card, seed=5)).shots_of(1)


def test_a_long_prompt_loses_its_beginning(model: Path, tokens: Path) -> None:
    ours, tokenizer = load_model(model), TokenFolder.open(tokens).tokenizer()
    long = prose(7, 300).strip()
    found, short = choices.log_likelihoods(ours, tokenizer, [(long, " the mill"), ("rye", " the mill")])
    ids, answer = choices.encode_pair(tokenizer, long, " the mill")
    kept = score_sequences(ours, ours.config, [ids[-65:]])[0]
    assert found.logprob == pytest.approx(-kept.nats[-answer:].sum(), rel=1e-5)
    assert (found.is_cut, short.is_cut) == (True, False)


@pytest.mark.parametrize(
    ("card", "items", "told"),
    [
        ({}, [{}], "kind is one of"),
        ({"kind": "quiz"}, [{}], "kind is one of"),
        ({"kind": "minimal_pairs", "shot": 1}, [{}], "a card has no 'shot'"),
        ({"kind": "minimal_pairs", "shots": "two"}, [{}], "shots is a whole number"),
        ({"kind": "minimal_pairs", "normalisation": "words"}, [{}], "normalisation is one of"),
        ({"kind": "minimal_pairs"}, [], "no items"),
        ({"kind": "minimal_pairs"}, [{"good": "a"}], "items.jsonl:1"),
        ({"kind": "minimal_pairs", "shots": 1}, [{"good": "a", "bad": "b"}], "too few items"),
        ({"kind": "multiple_choice"}, [{"query": "a", "choices": ["b", "c"], "gold": 2}], "gold is the number"),
        ({"kind": "multiple_choice"}, [{"query": "a", "choices": ["b"], "gold": 0}], "two texts or more"),
        ({"kind": "multiple_choice", "prompt": "{passage}"}, [{"query": "a", "choices": ["b", "c"], "gold": 0}], "no text 'passage'"),
        ({"kind": "continuation", "items": "none.jsonl"}, [{}], "cannot read the file"),
    ],
)
def test_a_card_that_cannot_be(card: dict[str, object], items: list[dict[str, object]], told: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=told):
        read_task(written(tmp_path / "task", card, items))


def test_no_task_here(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"card\.yaml"):
        Card.read(tmp_path)
    (tmp_path / "card.yaml").write_text("kind: [")
    with pytest.raises(InputError, match="cannot be read"):
        Card.read(tmp_path)


def test_what_stands_in_the_training_text(tokens: Path) -> None:
    folder = TokenFolder.open(tokens)
    half = f"{PLANTED} {prose(500, 20)}"
    sets = {"a": [[PLANTED.upper() + "?"], [prose(501, 40)], ["too short"], [half]], "b": [[REPEATED]], "none": [["one two"]]}
    found = find_overlap(sets, folder.split("train"), folder.tokenizer())
    assert found["a"].shares[0] == 1.0, "in other case, and with another mark at its end"
    assert found["a"].shares[1] == 0.0
    assert np.isnan(found["a"].shares[2])
    runs = len(half.split()) - 12
    assert found["a"].shares[3] == pytest.approx((len(PLANTED.split()) - 12) / runs)
    assert found["a"].facts() == {"items": 4, "too_short": 1, "touched": 2, "mostly": 1, "touched_share": 2 / 3}
    assert found["b"].shares.tolist() == [1.0]
    assert found["none"].facts()["touched_share"] is None


def test_passages_are_counted_with_all_their_copies(tokens: Path) -> None:
    split = TokenFolder.open(tokens).split("train")
    found = passages(split, 40, 1)
    stream = split.read(0, split.tokens)
    counted: dict[bytes, int] = {}
    for at in range(len(stream) - 39):
        if (stream[at : at + 40] > 3).all():
            counted[stream[at : at + 40].tobytes()] = counted.get(stream[at : at + 40].tobytes(), 0) + 1
    assert {stream[at : at + 40].tobytes(): int(n) for at, n in zip(found.begins, found.copies, strict=True)} == counted
    assert 16 in counted.values()
    fewer = passages(split, 40, 5)
    assert 0.1 < len(fewer.hashes) / len(found.hashes) < 0.3
    assert set(fewer.copies.tolist()) == set(found.copies.tolist()), "a passage is taken with all its copies, or not at all"


def test_known_by_heart_is_what_greedy_decoding_gives(model: Path, tokens: Path) -> None:
    ours, folder = load_model(model), TokenFolder.open(tokens)
    found = probe(ours, folder.split("train"), folder.split("validation"))
    rows = {row["copies"]: row for row in found["rows"]}
    assert (found["prefix"], found["continuation"]) == (32, 32), "halves of a context of 64"
    assert rows["16 to 31"]["share"] > 0.5 > rows["held out"]["share"] == 0
    assert rows["16 to 31"]["matched_tokens"] > rows["1"]["matched_tokens"]
    split = folder.split("train")
    copied = passages(split, 64, 1)
    for begin in [*copied.begins[copied.copies == 16][:6].tolist(), *copied.begins[copied.copies == 1][:3].tolist()]:
        ids = split.read(begin, begin + 64)
        with torch.no_grad():
            said = ids[:32].tolist()
            while len(said) < 64:
                logits = ours(torch.tensor([said]))[0, -1]
                logits[[0, 1, 3]] = -torch.inf
                said.append(int(logits.argmax()))
        scored = score_sequences(ours, ours.config, [ids])[0]
        assert bool(scored.likeliest[31:].all()) == (said == ids.tolist())


@pytest.fixture(scope="module")
def evaluated(model: Path, tokens: Path, task: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The whole command with a user's texts and tasks."""
    output = tmp_path_factory.mktemp("whole") / "evaluation"
    domain = output.parent / "domain.jsonl"
    lines = [{"text": REPEATED, "source": "old"}, *({"text": prose(600 + at, 50), "source": "new", "language": "en"} for at in range(6))]
    domain.write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = ["evaluate", str(model), str(tokens), "--output", str(output), "--text", str(domain), "--task", str(task)]
    ran = CliRunner().invoke(gristmill, arguments)
    assert ran.exit_code == 0, ran.output
    for word in ("domain", "mill", "in the training text", "by heart"):
        assert word in ran.output
    return output


def test_the_whole_evaluation(evaluated: Path, model: Path, tokens: Path, task: Path) -> None:
    told = json.loads((evaluated / "evaluation.json").read_bytes())
    domain, mill = told["texts"][0], told["tasks"][0]
    assert domain["source"]["old"]["bits_per_byte"] < domain["source"]["new"]["bits_per_byte"], "it has the old one by heart"
    assert domain["contamination"]["touched"] == 1
    assert domain["contamination"]["without_touched"]["bits_per_byte"] == pytest.approx(domain["source"]["new"]["bits_per_byte"])
    assert told["splits"]["test"]["contamination"]["touched"] == 1
    assert told["splits"]["validation"]["contamination"]["touched"] == 0
    assert mill["n"] == 13
    assert mill["contamination"]["touched"] == 1
    assert mill["contamination"]["without_touched"]["n"] == 12
    assert (mill["prompt"], mill["shots"], mill["seed"], mill["chosen_by"]) == ("{query}", 0, 0, "bytes")
    assert mill["interval"][0] < mill["accuracy"] < mill["interval"][1]
    assert mill["chance"] == pytest.approx((12 / 3 + 1 / 2) / 13)
    assert "+" in told["code"]
    again = evaluate(model, str(tokens), evaluated.parent / "again", text_sets=[evaluated.parent / "domain.jsonl"], tasks=[task])
    assert (evaluated.parent / "again" / "evaluation.json").read_bytes() == (evaluated / "evaluation.json").read_bytes()
    assert again["texts"][0]["contamination"] is not None
    without = evaluate(model, str(tokens), evaluated.parent / "without", tasks=[task], contamination=False)
    assert without["tasks"][0]["contamination"] is None
    assert without["tasks"][0]["accuracy"] == mill["accuracy"]
    write_page(model, evaluated.parent / "without")
    with pytest.raises(InputError, match="two sets have one name"):
        evaluate(model, str(tokens), evaluated.parent / "twice", tasks=[task, task / "." / ".." / task.name])


def test_its_page(evaluated: Path) -> None:
    if problem := browser_problem():
        pytest.skip(problem)
    with browser(360, 900) as driver:
        driver.get((evaluated / "training.html").as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 360, "the page scrolls sideways"
        assert not driver.get_log("browser")
        shown = driver.find_element("tag name", "main").text
        for heading in ("Texts", "Tasks by likelihood", "Contamination", "What it has by heart"):
            assert heading in shown
        assert len(driver.find_elements("css selector", "svg .interval circle")) > 10
