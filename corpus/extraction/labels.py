"""Which blocks of a page belong to its main text, from what a person said of the page.

label_by_text([["menu"], ["a", "long", "text", "here"]], ["a", "long", "text", "here"]) -> [0.0, 1.0]
"""

from collections.abc import Sequence

import numpy as np

from corpus.extraction.scoring import RUN, words_of

_NEAR = 40  # words; a short block belongs to the text if it stands in it near where its neighbours do


def label_by_text(blocks: Sequence[Sequence[str]], wanted: Sequence[str]) -> np.ndarray:
    """Words of each block and of the main text -> the share of each block's words that are in it, float64 (blocks,).

    Of blocks with four words or more, the words covered by runs of four that the text has too. A shorter one has to stand in the text
    between the places of its neighbours.
    """
    places: dict[tuple[str, ...], list[int]] = {}
    for length in range(1, RUN + 1):
        for at in range(len(wanted) - length + 1):
            places.setdefault(tuple(wanted[at : at + length]), []).append(at)
    shares = np.zeros(len(blocks))
    where: list[int | None] = [None] * len(blocks)
    for number, words in enumerate(blocks):
        if len(words) >= RUN:
            covered = np.zeros(len(words), bool)
            for at in range(len(words) - RUN + 1):
                met = places.get(tuple(words[at : at + RUN]))
                if met:
                    covered[at : at + RUN] = True
                    if where[number] is None:
                        where[number] = met[0]
            shares[number] = covered.mean()
            if shares[number] < 0.5:
                where[number] = None
    before, after = _nearest(where), _nearest(where[::-1])[::-1]
    for number, words in enumerate(blocks):
        if 0 < len(words) < RUN:
            low, high = before[number], after[number]
            for at in places.get(tuple(words), ()):
                near_before = low is not None and 0 < at - low <= _NEAR + len(blocks[number - 1])
                near_after = high is not None and 0 < high - at <= _NEAR
                if near_before or near_after:
                    shares[number] = 1.0
                    break
    return shares


def _nearest(where: Sequence[int | None]) -> list[int | None]:
    """For each block the place in the text of the nearest one before it that has any."""
    found: list[int | None] = []
    last: int | None = None
    for place in where:
        found.append(last)
        last = place if place is not None else last
    return found


def label_by_phrases(blocks: Sequence[Sequence[str]], included: Sequence[str], excluded: Sequence[str]) -> np.ndarray:
    """1 where the block has a phrase that belongs to the text, 0 where it has one that does not, NaN elsewhere or where it has both."""
    lines = [f" {' '.join(words)} " for words in blocks]
    labels = np.full(len(blocks), np.nan)
    for phrases, value in ((included, 1.0), (excluded, 0.0)):
        for phrase in phrases:
            wanted = f" {' '.join(words_of(phrase))} "
            met = [number for number, line in enumerate(lines) if wanted in line]
            for number in met if wanted.strip() else ():
                labels[number] = value if np.isnan(labels[number]) or labels[number] == value else np.nan
    return labels
