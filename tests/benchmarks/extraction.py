"""Main content beside the extractors that users would otherwise take, on held-out pages.

    python -m tests.benchmarks.run extraction

Pages of domains that our model was not trained on (``is_held_out``). Precision, recall and F1 over runs of four words, mean over pages; of
``adbar``, phrases found and phrases found that should not be. In brackets 95 % of 1,000 bootstrap samples of pages. All engines see the
same page one after another; times are of the process, from UTF-8 (ours with metadata) or from text (the others). A peer that is
not installed is left out: readability-lxml is in no list of ours.
"""

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
from corpus.extraction.training import domain_of, is_held_out
from corpus.kernels.markup import scan
from tests.benchmarks.labelled import labelled_pages
from tests.benchmarks.rows import Row, ratio_of_sums, row
from tests.benchmarks.sides import outside

OURS = "hybrid"
SAMPLES = 1000
Measures = dict[str, dict[str, list[tuple[float, float, float]]]]  # set or type -> extractor -> of each page


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
        "trafilatura": _trafilatura(),
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


def measure(rounds: int) -> list[Row]:
    """Once, whatever ``rounds``: the pages are many."""
    kinds = engines()
    hybrid(b"<p>compile")
    measures: Measures = {}
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    failed: dict[str, int] = dict.fromkeys(kinds, 0)
    for page in labelled_pages(outside("html-extraction")):
        if not is_held_out(domain_of(page["url"])):
            continue
        utf8 = page["html"].encode("utf-8", "replace")
        for name, extract in kinds.items():
            started = time.process_time()
            try:
                text = extract(utf8 if name == OURS else page["html"])
            except Exception:  # a peer that gives up on a page has found nothing
                text, failed[name] = "", failed[name] + 1
            seconds[name].append(time.process_time() - started)
            add(measures, name, text, page)
        if len(seconds[OURS]) % 100 == 0:
            print(f"{len(seconds[OURS])} pages", file=sys.stderr)
    return quality(measures, "quality", "main text of held-out pages") + _speed(seconds, failed)


def add(measures: Measures, name: str, text: str, page: dict[str, Any]) -> None:
    """What ``name`` made of the page, under its set and its type."""
    for part in (page["set"], *([f"wceb: {page['type']}"] if page["set"] == "wceb" else [])):
        measures.setdefault(part, {}).setdefault(name, []).append(_measure(text, page))


def _measure(text: str, page: dict[str, Any]) -> tuple[float, float, float]:
    """(precision, recall, F1), or counts (phrases found, phrases missed, phrases that should not be there)."""
    words = words_of(text)
    if "text" in page:
        return tuple(score_words(words, words_of(page["text"])))  # type: ignore[return-value]
    if "prefix" in page:
        wanted = words_of(page["prefix"])
        found = score_words(words, wanted).recall
        return (np.nan, found, np.nan)
    line = f" {' '.join(words)} "
    met = [[f" {' '.join(words_of(phrase))} " in line for phrase in page[key]] for key in ("with", "without")]
    return (sum(met[0]), len(met[0]) - sum(met[0]), sum(met[1]))


def _means(values: np.ndarray, phrases: bool) -> np.ndarray:
    """Rows of one measure a page, (samples, pages, 3) -> (samples, 3) precision, recall, F1."""
    if not phrases:
        return values.mean(axis=1)
    right, missed, wrong = np.moveaxis(values.sum(axis=1), -1, 0)
    return np.stack(
        [right / np.maximum(1, right + wrong), right / np.maximum(1, right + missed), 2 * right / (2 * right + missed + wrong)], -1
    )


def quality(measures: Measures, name_of_rows: str, what: str) -> list[Row]:
    """One row a part and peer: F1, or recall of goose's beginnings."""
    rows = []
    for part, by_engine in sorted(measures.items()):
        pages = len(by_engine[OURS])
        drawn = np.random.default_rng(0).integers(0, pages, (SAMPLES, pages))
        means, samples = {}, {}
        for name, values in by_engine.items():
            table = np.array(values, float)
            means[name], samples[name] = (_means(of, part.startswith("adbar")) for of in (table[None], table[drawn]))
        which, unit = (1, "recall") if part.startswith("goose") else (2, "F1")
        for peer in [name for name in means if name != OURS]:
            own, other = float(means[OURS][0][which]), float(means[peer][0][which])
            told = {"pages": pages, "precision": float(means[OURS][0][0]), "recall": float(means[OURS][0][1])}
            if other:
                ratios = samples[OURS][:, which] / np.maximum(samples[peer][:, which], 1e-9)
                told |= {"ratio": own / other, "interval": np.quantile(ratios, (0.025, 0.975)).tolist()}
            rows.append(row(f"extraction.{name_of_rows}.{part}.{peer}", f"{what}, {part}", unit, own, peer_name=peer, peer=other, **told))
    return rows


def _speed(seconds: dict[str, list[float]], failed: dict[str, int]) -> list[Row]:
    rows = []
    own, pages = seconds[OURS], len(seconds[OURS])
    for name, others in seconds.items():
        if name != OURS:
            worst = {f"{whose} p99 ms": float(np.quantile(times, 0.99)) * 1000 for whose, times in (("our", own), ("peer's", others))}
            told = {"ratio": sum(others) / sum(own), "interval": ratio_of_sums(own, others), "gave_up": failed[name], "pages": pages}
            peer = {"peer_name": name, "peer": pages / sum(others)}
            rows.append(row(f"extraction.speed.{name}", "main text", "pages/s of CPU", pages / sum(own), **peer, **told, **worst))
    return rows
