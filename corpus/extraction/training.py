"""Trains the block classifier of the engine ``hybrid`` from labelled pages.

    result = train_extractor(read_pages([Path("labelled.jsonl")]), Path("model.npz"))
    print(result)

A page is a JSON line with ``html`` (markup, or the path of a file relative to the JSON lines), ``url``, and the main text as ``text``; or
``prefix``, how it begins; or ``with`` and ``without``, lists of phrases that belong to it and that don't.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

import numpy as np

from corpus import hashing
from corpus.errors import InputError
from corpus.extraction.charset import decode
from corpus.extraction.labels import label_by_phrases, label_by_text
from corpus.extraction.main_content import Forest, Model, Vocabulary, with_context
from corpus.extraction.scoring import score_words, words_of
from corpus.kernels.block_context import choose
from corpus.kernels.block_features import SHOWN_WORDS
from corpus.kernels.boosting import BINS, fit
from corpus.kernels.class_words import words_of as class_words_of
from corpus.kernels.markup import Page, scan
from corpus.kernels.page_layout import NODE, PARENT, UNITS

HELD_OUT = 0.25
FOLDS = 5
MIN_DOMAINS = 10  # that a word of class or id must be met on, so that no word names a site
_SHRINK = 8.0  # domains' worth of doubt about each word
_PHRASES_WEIGHT = 0.35  # of a page known by some phrases, against one known whole
_RARE, _RARE_TYPES = 2.0, ("forum", "product", "collection", "listing", "service", "documentation")  # against articles
_SECOND_LEVEL = {"co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go"}
DEPTH, RATE, RIDGE, SHARE_OF_ROWS, SHARE_OF_FEATURES = 5, 0.08, 10.0, 0.5, 0.2
FIRST_TREES, SECOND_TREES = 250, 350


@final
@dataclass(frozen=True)
class LabelledPage:
    """``labels``: share of each block that belongs to the text, NaN unknown; ``wanted``: the words of the text, if all are known."""

    key: str
    domain: str
    kind: str
    page: Page
    words: list[list[str]]
    labels: np.ndarray
    weights: np.ndarray
    wanted: list[str] | None


def domain_of(url: str) -> str:
    """``https://blog.example.co.uk/a`` -> ``example.co.uk``, by a short list of second levels."""
    parts = (urlsplit(url).hostname or url).split(".")
    return ".".join(parts[-3:] if len(parts) > 2 and parts[-2] in _SECOND_LEVEL and len(parts[-1]) == 2 else parts[-2:])


def is_held_out(domain: str, seed: int = 0) -> bool:
    return hashing.fraction(domain, f"extractor held-out {seed}") < HELD_OUT


def read_pages(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Rows of JSON lines, ``html`` read in where it names a file. Raises InputError with file and line."""
    for path in paths:
        try:
            with path.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    yield _row(line, path, number)
        except FileNotFoundError:
            raise InputError("no such file", where=str(path)) from None
        except (OSError, UnicodeDecodeError) as error:
            raise InputError("cannot read the labelled pages", where=str(path), hint=str(error)) from error


def _row(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
        html = row["html"]
        if "<" not in html:
            row["html"] = decode((path.parent / html).read_bytes(), None, True)[0]
        if not ({"text", "prefix", "with"} & set(row)):
            raise KeyError("text")
        return dict(row)
    except OSError as error:
        raise InputError("cannot read the page", where=f"{path}:{number}", hint=str(error)) from None
    except (ValueError, KeyError, TypeError):
        hint = 'expected {"html": …, "url": …, "text": …}'
        raise InputError("no labelled page", where=f"{path}:{number}", hint=hint) from None


def label(row: Mapping[str, Any]) -> LabelledPage:
    page = scan(row["html"].encode("utf-8", "replace"))
    words = [words_of(page.block_text(number)) for number in range(len(page.blocks))]
    lengths = np.array([len(each) for each in words], float)
    wanted = words_of(row["text"]) if "text" in row else None
    if wanted is not None:
        labels = label_by_text(words, wanted)
        weights = np.maximum(lengths, 1) ** 0.75
    elif "prefix" in row:
        labels = label_by_text(words, words_of(row["prefix"]))
        labels[labels < 0.5] = np.nan  # the rest of the text is not told
        weights = np.ones(len(words))
    else:
        labels = label_by_phrases(words, row["with"], row["without"])
        weights = np.ones(len(words))
    weights = np.where(np.isnan(labels), 0.0, weights)
    weights *= (1.0 if wanted is not None else _PHRASES_WEIGHT) / max(1e-9, weights.sum())
    weights *= _RARE if row.get("type") in _RARE_TYPES else 1.0
    url = str(row.get("url") or "")
    return LabelledPage(f"{row.get('set', '')} {url}", domain_of(url), row.get("set", ""), page, words, labels, weights, wanted)


def words_of_page(labelled: LabelledPage) -> dict[int, tuple[float, float]]:
    """Hash of a word of class or id -> (content, other text) below the elements that bear it, as if half of every page were content."""
    page, labels, weights = labelled.page, np.nan_to_num(labelled.labels), labelled.weights
    below = np.zeros((len(page.nodes), 2))
    np.add.at(below, page.blocks[:, NODE], np.stack([weights * labels, weights * (1 - labels)], 1))
    for node in range(len(page.nodes) - 1, 0, -1):
        below[page.nodes[node, PARENT]] += below[node]
    share = below[0, 0] / max(1e-12, below[0].sum())
    if not 0.01 < share < 0.99:
        return {}
    hashes, owners = class_words_of(page.data, page.nodes)
    values, which = np.unique(hashes, return_inverse=True)
    pairs = np.unique(np.stack([which, owners], 1), axis=0)  # an element that bears a word twice counts once
    sums = np.zeros((len(values), 2))
    np.add.at(sums, pairs[:, 0], below[pairs[:, 1]] / (share, 1 - share))
    totals = sums.sum(1)
    return {int(values[at]): (sums[at, 0] / totals[at], sums[at, 1] / totals[at]) for at in np.flatnonzero(totals > 0).tolist()}


def fit_vocabulary(domains: Sequence[str], words: Sequence[Mapping[int, tuple[float, float]]]) -> Vocabulary:
    """From ``words_of_page`` of pages: those met on MIN_DOMAINS or more, and how much more of the text below them is content."""
    met: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for domain, page in zip(domains, words, strict=True):
        for value, (content, other) in page.items():
            pair = met[domain][value]
            pair[0] += content
            pair[1] += other
    totals: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for by_word in met.values():
        for value, (content, other) in by_word.items():
            total = totals[value]
            total[0] += 1
            total[1] += content / (content + other)
            total[2] += other / (content + other)
    kept = sorted(value for value, total in totals.items() if total[0] >= MIN_DOMAINS)
    scores = np.array([np.log((totals[v][1] + _SHRINK / 2) / (totals[v][2] + _SHRINK / 2)) for v in kept], np.float32)
    telling = np.abs(scores) * np.sqrt([totals[v][0] for v in kept])
    shown = np.full(len(kept), -1, np.int8)
    for bit, slot in enumerate(np.argsort(-telling, kind="stable")[:SHOWN_WORDS]):
        shown[slot] = bit
    return Vocabulary(np.array(kept, np.uint64), scores, shown)


def cross_fitted_features(pages: Sequence[LabelledPage], folds: np.ndarray) -> tuple[Vocabulary, list[np.ndarray], list[np.ndarray]]:
    """The vocabulary of all pages; the features of each page with scores that its own domain had no part in, and its groups."""
    words = [words_of_page(page) for page in pages]
    domains = [page.domain for page in pages]
    vocabulary = fit_vocabulary(domains, words)
    features: list[np.ndarray] = [np.zeros(0)] * len(pages)
    groups = list(features)
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold).tolist()
        refitted = vocabulary.with_scores_of(fit_vocabulary([domains[at] for at in others], [words[at] for at in others]))
        for at in np.flatnonzero(folds == fold).tolist():
            features[at], groups[at] = refitted.features_of(pages[at].page)
    return vocabulary, features, groups


def _rows(pages: Sequence[LabelledPage], features: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(features, labels, weights) of the blocks whose label is known. A block of which a part belongs is split by its share."""
    xs, ys, ws = [], [], []
    for labelled, matrix in zip(pages, features, strict=True):
        known = labelled.weights > 0
        xs.append(matrix[known])
        ys.append((labelled.labels[known] > 0.5).astype(float))
        ws.append(labelled.weights[known] * np.abs(2 * labelled.labels[known] - 1))
    weights = np.concatenate(ws)
    return np.concatenate(xs), np.concatenate(ys), weights * len(weights) / weights.sum()


def _borders(column: np.ndarray) -> np.ndarray:
    """Where a feature may be asked: between its values if they are few, else at quantiles; float32, at most BINS - 1, rising."""
    values = np.unique(column)
    if len(values) <= BINS:
        return ((values[1:].astype(np.float64) + values[:-1]) / 2).astype(np.float32)
    return np.unique(np.quantile(column, np.arange(1, BINS) / BINS, method="lower").astype(np.float32))


def fit_forest(pages: Sequence[LabelledPage], features: Sequence[np.ndarray], trees: int, seed: int) -> Forest:
    x, y, w = _rows(pages, features)
    borders = [_borders(column) for column in x.T]
    bins = np.stack([np.searchsorted(each, column, "left").astype(np.uint8) for each, column in zip(borders, x.T, strict=True)])
    feature, answers, leaf = fit(bins, y, w, trees, DEPTH, RATE, RIDGE, SHARE_OF_ROWS, SHARE_OF_FEATURES, seed)
    bars = np.full((len(borders), BINS), np.inf, np.float32)
    for at, each in enumerate(borders):
        bars[at, : len(each)] = each
    return Forest(feature.astype(np.int16), bars[feature, answers], leaf.astype(np.float32))


def cross_fitted(
    pages: Sequence[LabelledPage], features: Sequence[np.ndarray], folds: np.ndarray, trees: int, seed: int
) -> list[np.ndarray]:
    """For each page, the probabilities that a forest gives which has not seen its domain."""
    result: list[np.ndarray] = [np.zeros(0)] * len(pages)
    for fold in range(FOLDS):
        others = np.flatnonzero(folds != fold).tolist()
        forest = fit_forest([pages[at] for at in others], [features[at] for at in others], trees, seed + fold)
        for at in np.flatnonzero(folds == fold).tolist():
            result[at] = forest.predict(features[at])
    return result


def f1_of(labelled: LabelledPage, probabilities: np.ndarray, bias: float) -> float:
    assert labelled.wanted is not None
    keep, _ = choose(probabilities, labelled.page.blocks[:, UNITS].astype(np.float64), bias)
    found = [word for number in np.flatnonzero(keep) for word in labelled.words[number]]
    return score_words(found, labelled.wanted).f1


def fold_of(domain: str, seed: int) -> int:
    return int(hashing.fraction(domain, f"extractor fold {seed}") * FOLDS)


@final
@dataclass(frozen=True)
class TrainingResult:
    """``f1``: mean over pages that the forests had not seen, by set, from cross-validation."""

    model: Path
    pages: int
    blocks: int
    f1: dict[str, float]

    def __str__(self) -> str:
        told = ", ".join(f"{kind} {value:.4f}" for kind, value in self.f1.items())
        return f"{self.model}: trained on {self.pages:,} pages, {self.blocks:,} blocks; cross-validated F1: {told}"


def fit_model(pages: Sequence[LabelledPage], seed: int) -> tuple[Model, list[np.ndarray]]:
    """The model of these pages, and what its second forest was shown: the features, and what firsts fitted on other domains said."""
    folds = np.array([fold_of(page.domain, seed) for page in pages])
    vocabulary, features, groups = cross_fitted_features(pages, folds)
    firsts = cross_fitted(pages, features, folds, FIRST_TREES, seed)
    seconds = [with_context(page.page, *rest) for page, *rest in zip(pages, features, groups, firsts, strict=True)]
    return Model(vocabulary, fit_forest(pages, features, FIRST_TREES, seed), fit_forest(pages, seconds, SECOND_TREES, seed)), seconds


def train_extractor(rows: Iterable[Mapping[str, Any]], output: Path, *, seed: int = 0) -> TrainingResult:
    """Train on the domains that are not held out (three quarters, by hash). One thread and a fixed seed: the same model each time.

    Twice: the second forest sees what the first, fitted on other domains, thinks of the blocks around.
    """
    pages: list[LabelledPage] = []
    for row in rows:
        if not is_held_out(domain_of(str(row.get("url") or "")), seed):
            page = label(row)
            if page.weights.sum() > 0:
                pages.append(page)
    pages.sort(key=lambda page: page.key)
    domains = {page.domain for page in pages}
    if len(domains) < 2 * FOLDS:
        raise InputError(
            "too few labelled pages", where=f"{len(pages)} pages of {len(domains)} domains", hint=f"at least {2 * FOLDS} domains"
        )
    model, seconds = fit_model(pages, seed)
    folds = np.array([fold_of(page.domain, seed) for page in pages])
    probabilities = cross_fitted(pages, seconds, folds, SECOND_TREES, seed)
    f1: dict[str, list[float]] = defaultdict(list)
    for page, probability in zip(pages, probabilities, strict=True):
        if page.wanted is not None:
            f1[page.kind].append(f1_of(page, probability, 0.0))
    model.save(output)
    told = {kind: float(np.mean(values)) for kind, values in sorted(f1.items())}
    return TrainingResult(output, len(pages), int(sum((page.weights > 0).sum() for page in pages)), told)
