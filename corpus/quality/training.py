"""Trains a fastText classifier from labelled text, and says on text held out how well it tells the labels apart.

result = train_classifier(read_examples([Path("labelled.jsonl")]), Path("quality.bin"))
print(result)
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import fasttext
import numpy as np
import xxhash

from corpus import hashing
from corpus.errors import AssetError, InputError
from corpus.storage import json_bytes, locate

HELD_OUT = 0.1
_MIN_EXAMPLES = 20
_NORMAL_95 = 1.959964  # quantile 0.975 of the normal distribution


@final
@dataclass(frozen=True)
class TrainingResult:
    """``auc``: area under the ROC curve on held-out text, label by label against the rest (1: told apart; 0.5: guessed);
    ``auc_interval``: its 95 % interval, which tells whether the held-out texts were enough to say so.

    ``calibration``: whether the probabilities mean what they say, which AUC does not ask and a threshold depends on.
    """

    model: Path
    trained: int
    held_out: int
    auc: dict[str, float]
    auc_interval: dict[str, tuple[float, float]]
    calibration: dict[str, "Calibration"]

    def __str__(self) -> str:
        scores = ", ".join(
            f"{label} {auc:.3f} ({self.auc_interval[label][0]:.3f} to {self.auc_interval[label][1]:.3f})" for label, auc in self.auc.items()
        )
        errors = ", ".join(f"{label} {each.brier:.3f} and {each.error:.3f}" for label, each in self.calibration.items())
        told = f"held-out AUC on {self.held_out:,}: {scores}; Brier score and calibration error: {errors}"
        lines = [
            f"  {label}: said {each['said']:.2f}, was {each['was']:.2f} of {each['texts']:,}"
            for label, calibration in self.calibration.items()
            for each in calibration.bins
        ]
        return "\n".join([f"{self.model}: trained on {self.trained:,} texts; {told}", *lines])


@final
@dataclass(frozen=True)
class Calibration:
    """``brier``: the mean squared distance of probability and truth. ``error``: the mean distance of what was said and what was so, by
    tenths of the probability (expected calibration error, Naeini 2015). ``bins``: those tenths that hold texts.
    """

    brier: float
    error: float
    bins: tuple[dict[str, float], ...]


def read_examples(paths: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """(label, text) from JSON lines with those two fields, or lines of ``__label__LABEL text``. Raises InputError with file and line."""
    for path in paths:
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    if line.strip():
                        yield _example(line, f"{path}:{number}")
        except FileNotFoundError:
            raise InputError("no such file", where=str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("cannot read the labelled text", where=str(path), hint=str(error)) from error


def train_classifier(
    examples: Iterable[tuple[str, str]], output: Path, *, seed: int = 0, dimensions: int = 16, epochs: int = 10
) -> TrainingResult:
    """Train on nine tenths (by hash of the text), measure on the rest; write the model and ``.json``, its card, beside it.

    One thread and a fixed seed: the same examples give the same model. Bigrams as DCLM's classifier.
    """
    texts = sorted({(label, " ".join(text.split())) for label, text in examples})
    held_out = [pair for pair in texts if hashing.fraction(pair[1], f"held-out {seed}") < HELD_OUT]
    train = [pair for pair in texts if hashing.fraction(pair[1], f"held-out {seed}") >= HELD_OUT]
    labels = sorted({label for label, _ in texts})
    counts = Counter(label for label, _ in texts)
    if len(labels) < 2 or min(counts.values()) < _MIN_EXAMPLES:
        told = ", ".join(f"{label}: {count}" for label, count in sorted(counts.items())) or "none"
        raise InputError("too little labelled text", where=told, hint=f"at least two labels with {_MIN_EXAMPLES} texts each")
    shuffled = sorted(train, key=lambda pair: hashing.rank(pair[1], f"order {seed}"))
    settings = {"lr": 0.5, "dim": dimensions, "epoch": epochs, "wordNgrams": 2, "minCount": 2, "bucket": 200_000, "seed": seed, "thread": 1}
    with tempfile.TemporaryDirectory() as folder:
        lines, made = Path(folder) / "lines.txt", Path(folder) / "model.bin"
        lines.write_text("".join(f"__label__{label} {text}\n" for label, text in shuffled), encoding="utf-8")
        _train(lines, made, settings)
        model = fasttext.load_model(str(made))
        content = made.read_bytes()
    auc, intervals, calibrations = {}, {}, {}
    for label in labels:
        scores, positive = _scores(model, label, held_out)
        auc[label] = round(area_under_roc(scores, positive), 4)
        low, high = auc_interval(scores, positive)
        intervals[label] = (round(low, 4), round(high, 4))
        calibrations[label] = calibration(scores, positive)
    result = TrainingResult(output, len(train), len(held_out), auc, intervals, calibrations)
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        locate(str(output)).write_bytes(content)
    except OSError as error:
        raise AssetError("cannot write the model", where=str(output), hint=str(error)) from error
    digest = xxhash.xxh3_128_hexdigest("\n".join(f"{label} {text}" for label, text in texts).encode())
    card = {"labels": dict(counts), "trained": len(train), "held_out": len(held_out), "auc": auc, "settings": settings, "examples": digest}
    card["auc_interval"] = intervals
    card["calibration"] = {label: asdict(each) for label, each in calibrations.items()}
    output.with_suffix(".json").write_bytes(json_bytes(card))
    return result


def _train(lines: Path, model: Path, settings: Mapping[str, Any]) -> None:
    """fastText in a process of its own, whose large blocks of memory come zeroed from the system.

    With one thread it sets a tenth of its matrix and reads the rest as it finds it: in a heap that was used before, the model is
    another one each time, or training ends with "Encountered NaN".
    """
    zeroed = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"}
    zeroed.pop("MALLOC_PERTURB_", None)
    code = (
        "import json, sys, fasttext; fasttext.train_supervised(sys.argv[1], verbose=0, **json.loads(sys.argv[3])).save_model(sys.argv[2])"
    )
    command = [sys.executable, "-c", code, str(lines), str(model), json.dumps(settings)]
    ran = subprocess.run(command, env=zeroed, capture_output=True, text=True)
    if ran.returncode:
        raise RuntimeError(f"fastText did not train: {ran.stderr.strip()[-500:]}")


def area_under_roc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Scores and labels, both of shape (n,) -> the probability that a positive scores above a negative, ties by half (Mann-Whitney U).

    NaN if one of the two kinds is missing.
    """
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return float("nan")
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_interval(scores: np.ndarray, positive: np.ndarray) -> tuple[float, float]:
    """As above -> the 95 % interval of that area by DeLong, DeLong and Clarke-Pearson (1988), cut to [0, 1].

    The variance is that of each positive's share of negatives below it, and of each negative's share of positives above. Where all are told
    apart it is 0, and the interval a point, however few there are. NaN where a kind has fewer than two.
    """
    above, below = scores[positive], np.sort(scores[~positive])
    if min(len(above), len(below)) < 2:
        return float("nan"), float("nan")
    of_positives = _share_below(above, below)
    of_negatives = 1 - _share_below(scores[~positive], np.sort(above))
    deviation = float(np.sqrt(of_positives.var(ddof=1) / len(above) + of_negatives.var(ddof=1) / len(below)))
    area = area_under_roc(scores, positive)
    return max(0.0, area - _NORMAL_95 * deviation), min(1.0, area + _NORMAL_95 * deviation)


def _share_below(values: np.ndarray, ordered: np.ndarray) -> np.ndarray:
    """Of ``ordered``, the share below each value, ties by half: (n,)."""
    return (np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")) / (2 * len(ordered))


def calibration(scores: np.ndarray, positive: np.ndarray) -> Calibration:
    """Probabilities and truths, both of shape (n,) -> how far apart they are; NaN for none."""
    tenths = np.minimum((scores * 10).astype(int), 9)
    bins = []
    for tenth in np.unique(tenths).tolist():
        inside = tenths == tenth
        said, was = float(scores[inside].mean()), float(positive[inside].mean())
        bins.append({"from": tenth / 10, "texts": int(inside.sum()), "said": round(said, 4), "was": round(was, 4)})
    error = sum(each["texts"] * abs(each["said"] - each["was"]) for each in bins) / max(1, len(scores))
    brier = float(np.mean((scores - positive) ** 2)) if len(scores) else float("nan")
    return Calibration(round(brier, 4), round(error, 4), tuple(bins))


def _scores(model: object, label: str, examples: Sequence[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray]:
    """The label's probability and whether it is the true one, (n,) each."""
    scores = []
    for _, text in examples:
        found = model.f.predict(text + "\n", -1, 0.0, "strict")  # type: ignore[attr-defined]
        scores.append(next((min(1.0, score) for score, name in found if name == f"__label__{label}"), 0.0))
    return np.array(scores), np.array([each == label for each, _ in examples], dtype=bool)


def _example(line: str, where: str) -> tuple[str, str]:
    if line.startswith("__label__"):
        label, _, text = line.removeprefix("__label__").partition(" ")
        return label, text
    try:
        fields = json.loads(line)
        return str(fields["label"]), str(fields["text"])
    except (ValueError, KeyError, TypeError):
        raise InputError("no labelled text", where=where, hint='expected {"label": …, "text": …} or __label__LABEL text') from None
