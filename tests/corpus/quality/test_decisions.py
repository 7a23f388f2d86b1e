"""Which documents the quality filters reject, and why, against the papers' rules written down again in plain Python."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from corpus.kernels.lines import BULLETS, TERMINALS
from corpus.kernels.words import words
from corpus.quality.fineweb import FinewebQuality
from corpus.quality.gopher import GopherQuality
from tests.corpus.test_steps import reasons, run

LISTED = {"the", "be", "to", "of", "and", "that", "have", "with"}
line = st.lists(
    st.sampled_from(["the", "The", "and", "mill", "water", "a", "of", "42", "#", "extraordinarily", "river.", "…", "...", "-"]), max_size=9
)
lines = st.builds(
    lambda mark, listed, end: mark + " ".join(listed) + end, st.sampled_from(["", "- ", "• "]), line, st.sampled_from(["", ".", "…"])
)
texts = st.lists(lines, max_size=14).map("\n".join)


def gopher(text: str, found: list[str], min_words: int) -> list[str]:
    """arXiv 2112.11446, appendix A.1.1."""
    count, shown = max(1, len(found)), [each for each in text.split("\n") if each.strip()]
    mean = sum(map(len, found)) / count
    rules = {
        "too_few_words": len(found) < min_words,
        "words_too_short": bool(found) and mean < 3,
        "words_too_long": bool(found) and mean > 10,
        "too_many_hashes": text.count("#") / count > 0.1,
        "too_many_ellipses": (text.count("…") + text.count("...")) / count > 0.1,
        "too_many_bullet_lines": sum(each.strip()[0] in BULLETS for each in shown) / max(1, len(shown)) > 0.9,
        "too_many_ellipsis_lines": sum(each.strip().endswith(("…", "...")) for each in shown) / max(1, len(shown)) > 0.3,
        "too_few_alphabetic_words": sum(any(map(str.isalpha, word)) for word in found) / count < 0.8,
        "too_few_stop_words": len(LISTED & {word.lower() for word in found}) < 2,
    }
    return [f"gopher:{name}" for name, fails in rules.items() if fails]


def fineweb(text: str) -> list[str]:
    """arXiv 2406.17557, section 3.6."""
    shown = [each for each in text.split("\n") if each.strip()]
    pieces = [each for each in text.split("\n") if each]
    copies = sum(len(piece) for at, piece in enumerate(pieces) if piece in pieces[:at])
    rules = {
        "too_few_punctuated_lines": sum(each.strip()[-1] in TERMINALS for each in shown) / max(1, len(shown)) <= 0.12,
        "duplicate_line_chars": copies / max(1, len(text.replace("\n", ""))) >= 0.1,
        "too_many_short_lines": sum(len(each) < 30 for each in shown) / max(1, len(shown)) >= 0.67,
    }
    return [f"fineweb:{name}" for name, fails in rules.items() if fails]


@given(rows=st.lists(texts, min_size=1, max_size=4), min_words=st.integers(0, 20))
def test_gopher_and_fineweb(rows: list[str], min_words: int) -> None:
    segmented = [
        [text.encode()[start:end].decode() for start, end in zip(spans[::2], spans[1::2], strict=True)]
        for text, spans in zip(rows, words(pa.array(rows)).to_pylist(), strict=True)
    ]
    told = reasons(run(GopherQuality(min_words=min_words), *rows))
    assert told == [gopher(text, found, min_words) for text, found in zip(rows, segmented, strict=True)]
    assert reasons(run(FinewebQuality(), *rows)) == [fineweb(text) for text in rows]
