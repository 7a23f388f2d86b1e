"""Stored signals judged by new thresholds give the faults that measuring again gives."""

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import document
from corpus.errors import InputError
from corpus.recipe import Recipe, from_data
from corpus.rejudge import Stored, _without_text, judge_anew
from corpus.step import FusedPass, step_name
from corpus.storage import Place

LINES = ("the of and to be with that have", "Sense, it was. And so on!", "{ x = 1 }", "lorem ipsum", "please enable javascript", "# # #",
         "and so on ...", "- 1 2 3 4 5", "shit happens to them.", "[edit]", "one two three four five six seven", "")  # fmt: skip
texts = st.lists(st.sampled_from(LINES), min_size=1, max_size=8).map("\n".join)
# The road of `web` where it judges: C4 cuts lines between Gopher's rules and FineWeb's, and words are counted again.
ROAD = ("segment_words", "gopher_repetition", "gopher_quality", "c4_lines", "segment_words", "fineweb_quality", "toxic_words")
shares = st.sampled_from((0.0, 0.1, 0.3, 0.6, 0.9))
thresholds = st.fixed_dictionaries(
    {
        "gopher_repetition.max_duplicate_lines": shares,
        "gopher_quality.min_words": st.integers(0, 40),
        "gopher_quality.max_hash_ratio": shares,
        "gopher_quality.min_stop_words": st.integers(0, 4),
        "fineweb_quality.max_unpunctuated": shares,
        "toxic_words.max_fraction": shares,
    }
)


def recipe(settings: dict[str, Any], *, keep_rejected: bool) -> Recipe:
    data = {"name": "road", "sources": ["jsonl"], "steps": list(ROAD), "output": {"keep_rejected": keep_rejected}}
    return from_data(data, overrides=[f"{key}={value}" for key, value in settings.items()])


def measured(rows: list[str], made: Recipe) -> list[pa.RecordBatch]:
    batch = document.new_batch(id=[f"{at:032x}" for at in range(len(rows))], text=rows, language=["en"] * len(rows))
    return list(FusedPass(made.steps, made.output.keep_rejected)(batch))


def faults(batches: list[pa.RecordBatch]) -> dict[str, Any]:
    return {
        identity: failed for batch in batches for identity, failed in zip(*(batch[n].to_pylist() for n in ("id", "failed")), strict=True)
    }


@given(rows=st.lists(texts, min_size=1, max_size=5), old=thresholds, new=thresholds, keep_rejected=st.booleans())
def test_judged_anew_is_measured_anew(rows: list[str], old: dict[str, Any], new: dict[str, Any], keep_rejected: bool) -> None:
    fresh = recipe(new, keep_rejected=keep_rejected)
    changed = {key.partition(".")[0] for key in new if new[key] != old[key]}
    moved = tuple(at for at, step in enumerate(fresh.steps) if step_name(type(step)) in changed)
    (stored,) = measured(rows, recipe(old, keep_rejected=True))
    judged = judge_anew(stored, Stored(Place("/nowhere"), fresh, moved, ("00000.parquet",)))
    assert faults([judged]) == faults(measured(rows, fresh))


def fault(step: str, reason: str, threshold: float | None = None) -> dict[str, Any]:
    return {"reason": reason, "step": step, "value": 1.0, "threshold": threshold}


def test_without_text_faults_stay_as_they_are_or_are_told_to_be_missing() -> None:
    made = recipe({"fineweb_quality.max_unpunctuated": 0.5}, keep_rejected=False)
    stored = Stored(Place("/corpus"), made, (5,), ())
    early = [fault("jsonl", "table:no_text"), fault("gopher_quality", "gopher:too_few_words", 50)]
    assert _without_text(early, stored, "a") == early[:1], "nobody sees what came after the first step that rejected it"
    in_it = [
        fault("fineweb_quality", "fineweb:too_few_punctuated_lines", 0.12),
        fault("fineweb_quality", "fineweb:too_many_short_lines", 0.67),
    ]
    assert [each["threshold"] for each in _without_text(in_it, stored, "a")] == [0.5, 0.67]
    for later in ([fault("toxic_words", "toxicity:too_many_words", 0.01)], []):
        with pytest.raises(InputError, match="whose text is missing: /corpus: a"):
            _without_text(later, stored, "a")
