"""Main content beside the extractors that users would otherwise take, on held-out pages; rows in build/bench-extraction.json.

    python -m tests.benchmarks.extraction
    python -m tests.benchmarks.extraction --cross-fitted

With ``--cross-fitted`` all labelled pages, each read by a model trained here without its domain (five folds, some minutes), beside
trafilatura alone: the held-out quarter has nine forums, too few to tell the two apart.

Pages of domains that our model was not trained on (``is_held_out``). Precision, recall and F1 over runs of four words, mean over pages; of
``adbar``, phrases found and phrases found that should not be. In brackets 95 % of 1,000 bootstrap samples of pages. All engines see the
same page one after another; times are of the process, from UTF-8 (ours with metadata) or from text (the others). A peer that is
not installed is left out: readability-lxml is in no list of ours.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import justext
import numpy as np
import trafilatura
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from corpus.extraction.main_content import load_model, main_text
from corpus.extraction.metadata import read_marks
from corpus.extraction.scoring import score_words, words_of
from corpus.extraction.training import FOLDS, domain_of, fit_model, fold_of, is_held_out, label
from corpus.kernels.markup import scan
from tests.benchmarks.labelled import data_root, labelled_pages
from tests.conftest import REPOSITORY

OURS, REFERENCE = "hybrid", "trafilatura"
SAMPLES = 1000


def hybrid(html: str | bytes) -> str:
    page = scan(html)  # type: ignore[arg-type]
    read_marks(page, None)
    return main_text(page, load_model())


def resiliparse(html: str) -> str:
    return extract_plain_text(HTMLTree.parse(html), main_content=True, alt_texts=False, links=False, list_bullets=True)


def _trafilatura(**options: bool) -> Callable[[str], str]:
    return lambda html: trafilatura.extract(html, include_comments=False, include_tables=True, deduplicate=False, **options) or ""


def just_text(html: str) -> str:
    return "\n".join(each.text for each in justext.justext(html, justext.get_stoplist("English")) if not each.is_boilerplate)


def engines() -> dict[str, Callable[[Any], str]]:
    found: dict[str, Callable[[Any], str]] = {
        OURS: hybrid,
        "resiliparse": resiliparse,
        "trafilatura fast": _trafilatura(fast=True),
        REFERENCE: _trafilatura(),
        "trafilatura precision": _trafilatura(favor_precision=True),
        "jusText": just_text,
    }
    try:
        from readability import Document
    except ImportError:
        print("readability-lxml is not installed, and left out")
        return found

    def readability(html: str) -> str:
        page = scan(Document(html).summary().encode("utf-8", "replace"))
        return "\n".join(page.block_text(at) for at in range(len(page.blocks)))

    return {**found, "readability-lxml": readability}


def cross_fitted() -> None:
    """F1 of all pages by set and type, with the paired interval of the difference."""
    rows = {}
    pages = []
    for row in labelled_pages(data_root() / "html-extraction"):
        page = label(row)
        pages.append(page)
        rows[page.key] = row
    pages.sort(key=lambda page: page.key)
    folds = np.array([fold_of(page.domain, 0) for page in pages])
    measures: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    reference = _trafilatura()
    for fold in range(FOLDS):
        seen = [page for page, other in zip(pages, folds, strict=True) if other != fold and page.weights.sum() > 0]
        model, _ = fit_model(seen, 0)
        print(f"fold {fold}: {len(seen)} pages trained on", file=sys.stderr)
        for at in np.flatnonzero(folds == fold).tolist():
            row = rows[pages[at].key]
            for name, text in ((OURS, main_text(pages[at].page, model)), (REFERENCE, reference(row["html"]))):
                _add(measures, name, text, row)
    _write("bench-extraction-cross-fitted.json", _quality(measures))


def _add(measures: dict[str, dict[str, list[tuple[float, float, float]]]], name: str, text: str, row: dict[str, Any]) -> None:
    for part in (row["set"], *([f"wceb: {row['type']}"] if row["set"] == "wceb" else [])):
        measures.setdefault(part, {}).setdefault(name, []).append(_measure(text, row))


def _write(name: str, result: list[dict[str, Any]]) -> None:
    target = REPOSITORY / "build" / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(f"-> {target}")


def main() -> None:
    kinds = engines()
    hybrid(b"<p>compile")
    measures: dict[str, dict[str, list[tuple[float, float, float]]]] = {}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    failed: dict[str, int] = dict.fromkeys(kinds, 0)
    for row in labelled_pages(data_root() / "html-extraction"):
        if not is_held_out(domain_of(row["url"])):
            continue
        utf8 = row["html"].encode("utf-8", "replace")
        for name, extract in kinds.items():
            started = time.process_time()
            try:
                text = extract(utf8 if name == OURS else row["html"])
            except Exception:  # a peer that gives up on a page has found nothing
                text, failed[name] = "", failed[name] + 1
            seconds[name].append(time.process_time() - started)
            _add(measures, name, text, row)
        if len(seconds[OURS]) % 100 == 0:
            print(f"{len(seconds[OURS])} pages", file=sys.stderr)
    _write("bench-extraction.json", _quality(measures) + _speed(seconds, failed))


def _measure(text: str, row: dict[str, Any]) -> tuple[float, float, float]:
    """(precision, recall, F1), or counts (phrases found, phrases missed, phrases that should not be there)."""
    words = words_of(text)
    if "text" in row:
        return tuple(score_words(words, words_of(row["text"])))  # type: ignore[return-value]
    if "prefix" in row:
        wanted = words_of(row["prefix"])
        found = score_words(words, wanted).recall
        return (np.nan, found, np.nan)
    line = f" {' '.join(words)} "
    met = [[f" {' '.join(words_of(phrase))} " in line for phrase in row[key]] for key in ("with", "without")]
    return (sum(met[0]), len(met[0]) - sum(met[0]), sum(met[1]))


def _means(values: np.ndarray, phrases: bool) -> np.ndarray:
    """Rows of one measure a page, (samples, pages, 3) -> (samples, 3) precision, recall, F1."""
    if not phrases:
        return values.mean(axis=1)
    right, missed, wrong = np.moveaxis(values.sum(axis=1), -1, 0)
    return np.stack(
        [right / np.maximum(1, right + wrong), right / np.maximum(1, right + missed), 2 * right / (2 * right + missed + wrong)], -1
    )


def _quality(measures: dict[str, dict[str, list[tuple[float, float, float]]]]) -> list[dict[str, Any]]:
    rows = []
    for part, by_engine in sorted(measures.items()):
        phrases = part.startswith("adbar")
        pages = len(by_engine[OURS])
        drawn = np.random.default_rng(0).integers(0, pages, (SAMPLES, pages))
        print(f"\n{part}, {pages} pages")
        means, samples = {}, {}
        for name, values in by_engine.items():
            table = np.array(values, float)
            means[name], samples[name] = _means(table[None], phrases)[0], _means(table[drawn], phrases)
            low, high = np.quantile(samples[name][:, 2], (0.025, 0.975))
            told = "  ".join(f"{letter} {value:.3f}" for letter, value in zip(("P", "R", "F1"), means[name], strict=True))
            print(f"  {name:<22} {told}  [{low:.3f}, {high:.3f}]")
        which = 1 if part.startswith("goose") else 2
        for peer in means:
            if peer != OURS:
                low, high = np.quantile(samples[OURS][:, which] - samples[peer][:, which], (0.025, 0.975))
                ours, theirs = float(means[OURS][which]), float(means[peer][which])
                measure = ("recall", "F1")[which - 1]
                rows.append({
                    "name": f"extraction {measure}, {part}: hybrid against {peer}", "unit": measure, "ours": ours, "peer": theirs,
                    "ratio": ours / theirs if theirs else None, "interval": [float(low), float(high)], "pages": pages,
                })  # fmt: skip
                if peer == REFERENCE:
                    print(f"  {OURS} minus {peer}: {ours - theirs:+.3f} [{low:+.3f}, {high:+.3f}]")
    return rows


def _speed(seconds: dict[str, list[float]], failed: dict[str, int]) -> list[dict[str, Any]]:
    print("\npages a second of processor time")
    rows = []
    ours = np.array(seconds[OURS])
    drawn = np.random.default_rng(0).integers(0, len(ours), (SAMPLES, len(ours)))
    for name, values in seconds.items():
        times = np.array(values)
        p99, worst = np.quantile(times, 0.99) * 1000, times.max() * 1000
        print(f"  {name:<22} {len(times) / times.sum():7.1f}   p99 {p99:7.1f} ms   worst {worst:7.1f} ms   gave up on {failed[name]}")
        if name != OURS:
            low, high = np.quantile(times[drawn].sum(1) / ours[drawn].sum(1), (0.025, 0.975))
            rows.append({
                "name": f"extraction speed: hybrid against {name}", "unit": "pages/s", "ours": len(ours) / ours.sum(),
                "peer": len(times) / times.sum(), "ratio": times.sum() / ours.sum(), "interval": [float(low), float(high)],
                "pages": len(ours),
            })  # fmt: skip
    return rows


if __name__ == "__main__":
    cross_fitted() if "--cross-fitted" in sys.argv[1:] else main()
