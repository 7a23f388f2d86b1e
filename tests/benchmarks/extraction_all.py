"""All labelled pages beside trafilatura, each read by a model that was fitted here without its domain: five folds, some minutes.

    python -m tests.benchmarks.run extraction_all

The held-out quarter of `extraction` has nine forums: too few to tell two extractors apart.
"""

import sys

import numpy as np

from corpus.extraction.main_content import main_text
from corpus.extraction.training import FOLDS, fit_model, fold_of, label
from tests.benchmarks.extraction import OURS, Measures, add, engines, quality
from tests.benchmarks.labelled import labelled_pages
from tests.benchmarks.rows import Row
from tests.benchmarks.sides import outside

REFERENCE = "trafilatura"


def measure(rounds: int) -> list[Row]:
    """Once, whatever ``rounds``: F1 of all pages by set and type, with the paired interval of the ratio."""
    labelled = [(label(row), row) for row in labelled_pages(outside("html-extraction"))]
    labelled.sort(key=lambda pair: pair[0].key)
    folds = np.array([fold_of(page.domain, 0) for page, _ in labelled])
    measures: Measures = {}
    reference = engines()[REFERENCE]
    for fold in range(FOLDS):
        seen = [page for (page, _), other in zip(labelled, folds, strict=True) if other != fold and page.weights.sum() > 0]
        model, _ = fit_model(seen, 0)
        print(f"fold {fold}: {len(seen)} pages trained on", file=sys.stderr)
        for at in np.flatnonzero(folds == fold).tolist():
            page, row = labelled[at]
            add(measures, OURS, main_text(page.page, model), row)
            add(measures, REFERENCE, reference(row["html"]), row)
    return quality(measures, "cross_fitted", "main text of all pages, cross-fitted")
