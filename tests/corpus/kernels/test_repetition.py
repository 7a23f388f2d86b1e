"""Repetition measures against plain Python that counts strings."""

import math
import re
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from corpus.kernels.repetition import KEYS, Variant, repetition
from corpus.kernels.words import words

texts = st.lists(st.text(alphabet=st.sampled_from("ab é我\n"), max_size=80), min_size=1, max_size=4)


def pieces_of(text: str, newlines: int) -> list[str]:
    return [piece for piece in re.split("\n" * newlines + "+", text.strip("\n")) if piece]


def repeated(pieces: list[str], variant: str) -> tuple[int, int]:
    counts = Counter(pieces)
    spare = 1 if variant == "datatrove" else 0
    again = {piece: count - spare for piece, count in counts.items() if count > 1}
    return sum(again.values()), sum(len(piece) * count for piece, count in again.items())


def grams(found: list[str], n: int, variant: str, characters: int) -> float:
    every = [tuple(found[at : at + n]) for at in range(len(found) - n + 1)]
    if not every:
        return 0.0
    counts = Counter(every)
    total = max(1, sum(map(len, found)))
    if n < 5:
        first, times = max(counts.items(), key=lambda pair: (pair[1], -every.index(pair[0])))
        if variant == "datatrove":
            return times * len(" ".join(first)) / max(1, characters)
        if variant == "dolma":
            return times * len("".join(first)) / max(1, characters)
        longest = max(len("".join(gram)) for gram, count in counts.items() if count == times)
        return times * longest / total if times > 1 else 0.0
    if variant == "datatrove":
        seen, at, chars = set(), 0, 0
        while at < len(every):
            if every[at] in seen:
                chars += len("".join(every[at]))
                at += n
            else:
                seen.add(every[at])
                at += 1
        return chars / max(1, characters)
    if variant in ("paper", "dclm"):
        marked = {word for at, gram in enumerate(every) if counts[gram] > 1 for word in range(at, at + n)}
        return sum(len(found[word]) for word in marked) / total
    return sum(len("".join(gram)) for gram in every if counts[gram] > 1) / max(1, sum(len("".join(gram)) for gram in every))


def reference(text: str, variant: str) -> dict[str, float]:
    utf8 = text.encode()
    spans = words(pa.array([text]))[0].as_py()
    found = [utf8[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]
    lines, paragraphs = pieces_of(text, 1), pieces_of(text, 2)
    visible = len("".join(text.split()))
    values = {}
    for name, pieces in (("line", lines), ("paragraph", paragraphs)):
        count, characters = repeated(pieces, variant)
        everything = {"datatrove": len(text), "dolma": visible}.get(variant, sum(map(len, pieces)))
        has_none = variant == "dolma" and name == "paragraph"
        values[f"duplicate_{name}_fraction"] = math.nan if has_none else count / max(1, len(pieces))
        values[f"duplicate_{name}_chars"] = math.nan if has_none else characters / max(1, everything)
    for n in range(2, 11):
        key = f"top_{n}gram_chars" if n < 5 else f"duplicate_{n}gram_chars"
        values[key] = grams(found, n, variant, visible if variant == "dolma" else len(text))
    return values


@pytest.mark.parametrize("variant", ["paper", "datatrove", "dclm", "dolma"])
@given(rows=texts)
@example(rows=["我我a a我我a a我"])
def test_equals_the_reference(variant: Variant, rows: list[str]) -> None:
    column = pa.array(rows)
    actual = repetition(column, words(column), variant)
    for row, text in enumerate(rows):
        expected = reference(text, variant)
        assert {key: actual[key][row] for key in KEYS} == pytest.approx(expected, nan_ok=True)


def test_null_and_empty() -> None:
    column = pa.array([None, "", "😀"])
    actual = repetition(column, words(column), "datatrove")
    for key in KEYS:
        assert math.isnan(actual[key][0])
        assert actual[key][1:].tolist() == [0.0, 0.0]
