"""The n-gram model: probabilities worked out by hand, sums of one, the kernel against plain Python over words, and bad files."""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import AssetError, InputError
from corpus.kernels.ngram_model import grams, log_probabilities, sentences
from corpus.kernels.words import words
from corpus.language.words import SegmentWords
from corpus.quality.ngram_model import NgramModel
from corpus.quality.ngram_training import Grams, discounts, read_texts, smoothed, train_perplexity
from corpus.quality.perplexity import Perplexity
from corpus.recipe import from_data
from tests.corpus.test_steps import reasons

Sentence = Sequence[str]
texts = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=7).map(" ".join), min_size=1, max_size=12).map("\n".join)


def trained(text: str, order: int, min_counts: Sequence[int] = (1,)) -> NgramModel:
    tokens, _ = sentences(pa.array([text]), words(pa.array([text])))
    counted = [Grams.none().plus(grams(tokens, length)).added() for length in range(1, order + 1)]
    return smoothed(counted, [min_counts[min(at, len(min_counts) - 1)] for at in range(order)])[0]


def log_probability(model: NgramModel, text: str) -> float:
    return float(model.log_probabilities(pa.array([text]), words(pa.array([text])))[0][0])


class Plain:
    """The formulas over tuples of words, with nothing shared: no hashes, no arrays, no back-off form."""

    def __init__(self, text: str, order: int, min_counts: Sequence[int]):
        lines = [("<s>", *line.split(), "</s>") for line in text.split("\n")]
        self.order, self.min_counts = order, min_counts
        self.met = [Counter(line[at : at + n] for line in lines for at in range(len(line) - n + 1)) for n in range(1, order + 1)]
        self.counts: list[dict[tuple[str, ...], int]] = []
        for n in range(1, order + 1):
            before: dict[tuple[str, ...], set[str]] = defaultdict(set)
            for longer in self.met[n] if n < order else ():
                before[longer[1:]].add(longer[0])
            from_raw = {gram: met for gram, met in self.met[n - 1].items() if n == order or gram[0] == "<s>"}
            self.counts.append({gram: from_raw.get(gram, len(before[gram])) for gram in self.met[n - 1] if gram != ("<s>",)})
        self.types = len(self.counts[0]) + 1

    def discount(self, gram: tuple[str, ...]) -> float:
        n = len(gram)
        if self.met[n - 1][gram] < self.min_counts[min(n, len(self.min_counts)) - 1]:
            return self.counts[n - 1][gram]
        there = Counter(min(count, 5) for count in self.counts[n - 1].values())
        found = [0.5, 1.0, 1.5]
        if all(there[times] for times in (1, 2, 3, 4)):
            share = there[1] / (there[1] + 2 * there[2])
            exact = [times - (times + 1) * share * there[times + 1] / there[times] for times in (1, 2, 3)]
            found = exact if all(0 < value <= times for times, value in zip((1, 2, 3), exact, strict=True)) else found
        return found[min(self.counts[n - 1][gram], 3) - 1]

    def probability(self, word: str, context: tuple[str, ...]) -> float:
        context = context[max(0, len(context) - self.order + 1) :]
        lower = self.probability(word, context[1:]) if context else 1 / self.types
        counts = self.counts[len(context)]
        after = [gram for gram in counts if gram[:-1] == context]
        total = sum(counts[gram] for gram in after)
        if not total:
            return lower
        gram = (*context, word)
        own = counts[gram] - self.discount(gram) if gram in counts else 0.0
        return own / total + sum(map(self.discount, after)) / total * lower

    def log_probability(self, text: str) -> float:
        total = 0.0
        for line in text.split("\n"):
            sentence = ("<s>", *line.split(), "</s>")
            total += sum(
                math.log10(self.probability(sentence[at], sentence[max(0, at - self.order + 1) : at])) for at in range(1, len(sentence))
            )
        return total


def test_by_hand() -> None:
    """Two sentences, ``a b`` and ``a c``. Bigrams <s>a (2), ab, b</s>, ac, c</s> (1 each); too few for the formula: D is 0.5, 1, 1.5.

    Words by how many different ones stand before them: a 1, b 1, c 1, </s> 2; together 5. Taken away: 0.5 * 3 + 1 = 2.5, so that
    5 different words (four and one unknown) share 2.5 / 5: 0.1 each.
    P(a) = P(b) = P(c) = 0.5 / 5 + 0.1 = 0.2; P(</s>) = 1 / 5 + 0.1 = 0.3; unknown 0.1.
    After a: P(b|a) = 0.5 / 2 + (0.5 + 0.5) / 2 * P(b) = 0.25 + 0.5 * 0.2 = 0.35. After <s>: P(a|<s>) = (2 - 1) / 2 + 1 / 2 * 0.2 = 0.6.
    P(</s>|b) = 0.5 / 1 + 0.5 * 0.3 = 0.65. P(z|a) = 0.5 * 0.1; after z nothing is known: P(</s>|z) = 0.3.
    """
    model = trained("a b\na c", 2)
    assert log_probability(model, "a b") == pytest.approx(math.log10(0.6 * 0.35 * 0.65), abs=1e-6)
    assert log_probability(model, "a z") == pytest.approx(math.log10(0.6 * 0.05 * 0.3), abs=1e-6)
    assert log_probability(model, "a b\n\nb") == pytest.approx(math.log10(0.6 * 0.35 * 0.65 * (0.5 * 0.2) * 0.65), abs=1e-6)
    told = model.perplexities(pa.array(["A, b.", None, "…"]), words(pa.array(["A, b.", None, "…"]))).to_pylist()
    assert told == [round((0.6 * 0.35 * 0.65) ** (-1 / 3), 2), None, None]


def test_discounts_by_hand() -> None:
    """n1..n4 = 10, 4, 2, 1: share 10/18; D1 = 1 - 2 * 5/9 * 4/10 = 5/9, D2 = 2 - 3 * 5/9 * 2/4 = 7/6, D3 = 3 - 4 * 5/9 * 1/2 = 17/9."""
    found = discounts(np.array([1] * 10 + [2] * 4 + [3] * 2 + [4] + [9] * 3))
    assert found.tolist() == pytest.approx([0, 5 / 9, 7 / 6, 17 / 9])


@given(texts, texts, st.integers(1, 4), st.sampled_from([(1,), (1, 2), (1, 1, 2), (2, 2, 3)]))
def test_kernel_and_training_are_the_plain_formulas(learned: str, asked: str, order: int, min_counts: tuple[int, ...]) -> None:
    model, plain = trained(learned, order, min_counts), Plain(learned, order, min_counts)
    asked = asked.replace("d", "unmet")
    assert log_probability(model, asked) == pytest.approx(plain.log_probability(asked), rel=1e-5, abs=1e-5)


@given(texts, st.lists(st.sampled_from("abcdz"), max_size=4), st.integers(1, 4), st.sampled_from([(1,), (1, 2), (2, 2, 3)]))
def test_what_may_follow_sums_to_one(learned: str, context: list[str], order: int, min_counts: tuple[int, ...]) -> None:
    """Every word of the text and the end of the line; and one unknown word more than there are."""
    model = trained(learned, order, min_counts)
    followers = sorted(set(learned.split()))
    before = " ".join(context)
    ended = log_probability(model, before) if context else None
    assert ended is None or ended < 0
    begun = [_log_after(model, context, word) for word in (*followers, "unmet")]
    end = _log_after(model, context, None) if context else None
    if end is not None:
        assert sum(10**log for log in (*begun, end)) == pytest.approx(1, abs=2e-5)


def _log_after(model: NgramModel, context: list[str], word: str | None) -> float:
    """log10 P(word | <s> context), None for the end of the line: tokens straight into the kernel, without an end behind."""
    line = " ".join([*context, *([word] if word else [])])
    tokens, _ = sentences(pa.array([line]), words(pa.array([line])))
    tokens = tokens[:-1] if word else tokens
    told = [
        log_probabilities(part, np.array([0, len(part)]), model.order, model.table, model.logs, model.backoffs, model.unknown)[0][0]
        for part in (tokens, tokens[:-1])
    ]
    return float(told[0] - told[1])


def test_a_model_of_stories_tells_prose_from_noise(tmp_path: Path) -> None:
    """Trained on the magazine's English stories through the file formats: shuffled words surprise it more, German still more."""
    stories = Path(__file__).parents[3] / "corpus" / "resources" / "stories"
    lines = (stories / "en.txt").read_text().splitlines()
    (tmp_path / "a.jsonl").write_text(
        "".join(json.dumps({"text": line, "language": "en"}) + "\n" for line in lines[:30]) + '{"text": "nein", "language": "de"}\n'
    )
    pq.write_table(pa.table({"text": lines[30:60], "language": ["en"] * 30}), tmp_path / "b.parquet")
    made = [
        train_perplexity(read_texts([tmp_path / "a.jsonl", tmp_path / "b.parquet"], "en"), tmp_path / name, order=3)
        for name in ("1.npz", "2.npz")
    ]
    assert (tmp_path / "1.npz").read_bytes() == (tmp_path / "2.npz").read_bytes()
    assert made[0].texts + made[0].held_out == len([line for line in lines[:60] if line])
    assert json.loads((tmp_path / "1.json").read_text())["digest"] == NgramModel.read(str(tmp_path / "1.npz")).digest
    plain = lines[2]
    shuffled = " ".join(sorted(plain.split(), key=lambda word: word[::-1]))
    asked = [plain, shuffled, (stories / "de.txt").read_text(), None, plain]
    batch = SegmentWords()(document.new_batch(id=list("abcde"), text=asked, language=["en"] * 4 + ["fr"]))
    step = Perplexity(models={"en": str(tmp_path / "1.npz")}, max_perplexity=500, min_perplexity=2)
    batch = step(batch)
    values = batch["signals.perplexity"].to_pylist()
    assert values[0] < values[1] < values[2]
    assert values[3:] == [None, None]
    assert [each[0] if each else "" for each in reasons(batch)][2:] == ["perplexity:too_high", "", ""]


def test_bad_files(tmp_path: Path) -> None:
    model = trained("a b\na c", 2)
    model.write(str(tmp_path / "model.npz"))
    assert NgramModel.read(str(tmp_path / "model.npz")).digest == model.digest
    content = bytearray((tmp_path / "model.npz").read_bytes())
    at = content.index(model.logs.tobytes())
    for name, body in {
        "cut.npz": content[:200],
        "text.npz": b"no model",
        "empty.npz": b"",
        "bit.npz": content[:at] + b"\xff" + content[at + 1 :],
    }.items():
        (tmp_path / name).write_bytes(body)
        with pytest.raises(AssetError, match=f"n-gram model.*{name}"):
            NgramModel.read(str(tmp_path / name))
    with pytest.raises(AssetError, match="cannot read the model"):
        NgramModel.read(str(tmp_path / "none.npz"))
    with pytest.raises(InputError, match="no word to learn from"):
        train_perplexity(iter(["…"]), tmp_path / "x.npz")
    (tmp_path / "bad.jsonl").write_text('{"text": "a"}\n[]\n')
    with pytest.raises(InputError, match=r"no text: .*bad.jsonl:2"):
        list(read_texts([tmp_path / "bad.jsonl"]))
    with pytest.raises(ValueError, match="models names no model"):
        Perplexity()


def test_in_a_recipe() -> None:
    steps = ["segment_words", {"perplexity": {"models": {"de": "de.npz"}}}]
    corpus = [{"keep_percentiles": {"signal": "perplexity", "max_percentile": 30, "by": ["language"]}}]
    recipe = from_data({"name": "x", "sources": ["jsonl"], "steps": steps, "corpus": corpus})
    assert recipe.assets() == ["de.npz"]
