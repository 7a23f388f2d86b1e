"""The table of published filters: complete, true to the steps, and counted by hand on three pages."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.built_in import BUILT_IN
from corpus.report.conformance import PUBLISHED, Line, conformance, source, variants
from corpus.sources.listing import find
from corpus.step import step_name
from tests.corpus.test_steps import PROSE
from tests.golden import page, warc


def line(lines: list[Line], rule: str) -> Line:
    return next(each for each in lines if each.rule.endswith(f" {rule}"))


def test_every_published_filter_is_in_it_with_its_source() -> None:
    listed = {step_name(kind) for kind in PUBLISHED}
    ours = {name for name, path in BUILT_IN.items() if path.startswith("corpus.quality.")}
    no_prose_of_a_paper = {
        "code_kind",
        "code_quality",
        "quality_classifier",
        "perplexity",
        "keep_percentiles",
    }  # rules for code; models of the user's
    assert listed == ours - no_prose_of_a_paper
    assert source(PUBLISHED[0]) == "arXiv 2112.11446, appendix A.1.1"


def test_values_are_those_of_the_steps() -> None:
    lines = conformance().lines
    assert line(lines, "c4:too_few_sentences").values == {"code": "< 3", "paper": "< 5"}
    assert line(lines, "fineweb:duplicate_line_chars").values == {"paper": ">= 0.1", "datatrove": ">= 0.01"}
    assert line(lines, "fineweb:too_many_newlines").values == {"paper": "", "datatrove": "> 0.3"}
    assert line(lines, "repetition:duplicate_line_chars").values["dolma"] == "> 0.3"
    assert line(lines, "repetition:duplicate_paragraphs").values["dolma"] == ""
    assert line(lines, "c4:curly_brace").ours == "yes"
    assert len(lines) == sum(len(kind.reasons) for kind in PUBLISHED)
    assert any("dolma:" in told and "median" in told for told in conformance().to_lines())


@pytest.mark.parametrize("form", ["warc", "parquet"])
def test_counts_by_hand(tmp_path: Path, form: str) -> None:
    """A good text, the same in capitals (its stop words are none to datatrove and dolma), and one that is too short for all."""
    texts = [PROSE * 4, PROSE.upper() * 4, "Too short."]
    if form == "warc":
        pages = [page(f"http://a.example/{number}", f"<html><body><p>{text}</p></body></html>") for number, text in enumerate(texts)]
        (tmp_path / "a.warc.gz").write_bytes(warc(pages)[0])
    else:
        pq.write_table(pa.table({"id": ["1", "2", "3"], "text": texts}), tmp_path / "a.parquet")
    found = conformance(find([str(tmp_path)]))
    assert found.documents == 3
    stop_words = line(found.lines, "gopher:too_few_stop_words")
    short = line(found.lines, "gopher:too_few_words")
    assert (dict(short.rejects), short.differ) == (dict.fromkeys(variants(PUBLISHED[0]), 1), 0)
    assert stop_words.rejects["datatrove"] - stop_words.rejects["paper"] == stop_words.rejects["dolma"] - stop_words.rejects["dclm"] == 1
    assert stop_words.differ == 1
    assert any("they differ on 1" in told for told in found.to_lines())
