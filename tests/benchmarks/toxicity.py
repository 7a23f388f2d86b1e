"""A toxicity classifier trained on Wikipedia comments, and whom it wrongs.

    python -m tests.benchmarks.run toxicity

The model is `train-classifier`'s with its defaults on the 1,500 labelled talk comments of "Unintended bias" (Dixon et al. 2018), a tenth
held out by hash. Then: its error by function on HateCheck (Röttger et al. 2021), and how often it calls a harmless text toxic, group by
group, on HateCheck's non-hateful cases and on the templates with identity terms. The word list stands beside it. Nothing is shipped: so
small a set makes no good model; the benchmark shows how to look at one's own.
"""

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from corpus import document
from corpus.language.words import SegmentWords
from corpus.quality.classifier import probabilities
from corpus.quality.training import area_under_roc, train_classifier
from corpus.toxicity.wordlist import ToxicWords
from tests.benchmarks.rows import Row, row
from tests.benchmarks.sides import BUILD, outside

THRESHOLD = 0.4  # Dolma's, and our step's default


def measure(rounds: int) -> list[Row]:
    """Once, whatever ``rounds``: nothing is timed."""
    data = outside("toxicity")
    BUILD.mkdir(parents=True, exist_ok=True)
    bias = data / "conversationai__unintended-ml-bias-analysis"
    comments = [(each["comment"], each["toxic"] == "True") for each in table(bias / "toxicity_nonfuzzed_testset.csv.gz")]
    result = train_classifier([("toxic" if toxic else "fine", text) for text, toxic in comments], BUILD / "toxic.bin")
    print(result)
    model = str(BUILD / "toxic.bin")
    cases = list(table(data / "paul-rottger__hatecheck-data" / "test_suite_cases.csv"))
    templates = list(table(bias / "bias_madlibs_77k.csv.gz"))
    error = result.calibration["toxic"].error
    rows = [row("toxicity.auc", "AUC on held-out Wikipedia comments", "AUC", result.auc["toxic"], calibration_error=error)]
    for name, judge in (("classifier", lambda texts: scores(texts, model)), ("word list", listed)):
        hate = judge([each["test_case"] for each in cases])
        hateful = np.array([each["label_gold"] == "hateful" for each in cases])
        rows.append(row(f"toxicity.{name}.hatecheck", f"AUC of the {name} on HateCheck", "AUC", area_under_roc(hate, hateful)))
        rows += by_key(f"error of the {name} by function", [each["functionality"] for each in cases], (hate >= THRESHOLD) != hateful)
        spared = [at for at, each in enumerate(cases) if not hateful[at] and each["target_ident"]]
        groups = [cases[at]["target_ident"] for at in spared]
        rows += by_key(f"false positives of the {name} by group, HateCheck", groups, hate[spared] >= THRESHOLD)
        told = judge([each["Text"] for each in templates])
        bad = np.array([each["Label"] == "BAD" for each in templates])
        what = f"AUC of the {name} on templates with identity terms"
        rows.append(row(f"toxicity.{name}.templates", what, "AUC", area_under_roc(told, bad)))
        harmless = [(each["Text"].lower().split(), at) for at, each in enumerate(templates) if not bad[at]]
        named = [(group, at) for spoken, at in harmless for group in spoken if group in GROUPS]
        wrong = told[[at for _, at in named]] >= THRESHOLD
        rows += by_key(f"false positives of the {name} by group, templates", [group for group, _ in named], wrong)
    return rows


# The identity terms of the templates (Dixon et al. 2018, appendix), those of one word.
GROUPS = frozenset(
    {
        "lesbian", "gay", "bisexual", "transgender", "trans", "queer", "lgbt", "lgbtq", "homosexual", "straight", "heterosexual", "male",
        "female", "nonbinary", "african", "black", "white", "european", "hispanic", "latino", "latina", "latinx", "mexican", "canadian",
        "american", "asian", "indian", "chinese", "japanese", "christian", "muslim", "jewish", "buddhist", "catholic", "protestant", "sikh",
        "taoist", "old", "older", "young", "younger", "teenage", "millenial", "elderly", "blind", "deaf", "paralyzed",
    }
)  # fmt: skip


def scores(texts: list[str], model: str) -> np.ndarray:
    """The classifier's probability of each text."""
    return probabilities([" ".join(text.split()) for text in texts], model, "toxic", 10_000).to_numpy(zero_copy_only=False)


def listed(texts: list[str]) -> np.ndarray:
    """1 where the word list finds a word."""
    batch = document.new_batch(id=[str(number) for number in range(len(texts))], text=texts, language=["en"] * len(texts))
    return (ToxicWords()(SegmentWords()(batch))["signals.toxic_words"].to_numpy(zero_copy_only=False) > 0).astype(float)


def by_key(name: str, keys: list[str], wrong: np.ndarray) -> Iterator[Row]:
    """The share that is wrong of each key's texts."""
    found = defaultdict(list)
    for key, each in zip(keys, wrong, strict=True):
        found[key].append(bool(each))
    for key in sorted(found):
        yield row(f"toxicity.{name}.{key}", f"{name}: {key}", "share", sum(found[key]) / len(found[key]), texts=len(found[key]))


def table(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as lines:
        yield from csv.DictReader(lines)
