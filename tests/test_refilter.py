"""A corpus made from another's stored signals is the one that a fresh run makes; what cannot be told from it is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from corpus.engine import curate
from corpus.errors import GristmillError, InputError, OutputError, RecipeError, ResumeError
from corpus.recipe import from_data, load
from corpus.refilter import Change, refilter
from tests.road import assert_accounted, content, ledger

KEEP = "output.keep_rejected=true"
LOOSER_AND_TIGHTER = [
    "gopher_quality.min_words=15", "gopher_quality.min_stop_words=8", "gopher_repetition.max_duplicate_lines=1",
    "toxic_words.max_fraction=0.05", "near_duplicates.threshold=0.9", "split_by_cluster.test=0.2",
]  # fmt: skip
Curated = Callable[..., Path]


@pytest.fixture(scope="module")
def curated(spark: SparkSession, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Curated:
    """``curated(*overrides)`` -> the magazine's corpus with the recipe `web`, made once for each set of overrides."""
    folder = tmp_path_factory.mktemp("refilter")
    crawl = str(small_corpus.parent / "crawl")
    made: dict[tuple[str, ...], Path] = {}

    def of(*overrides: str, without_duplicates: bool = False) -> Path:
        key = (*overrides, str(without_duplicates))
        if key not in made:
            made[key] = folder / str(len(made))
            data = load("web").to_data()
            if without_duplicates:
                data["corpus"] = [step for step in data["corpus"] if "split_by_cluster" in step]
            curate(from_data(data, overrides=overrides), [crawl], str(made[key]), spark=spark)
        return made[key]

    return of


def shards(corpus: Path) -> dict[str, bytes]:
    return {name: body for name, body in content(corpus).items() if not name.endswith(".json")}


@pytest.mark.parametrize("more", [[KEEP], []], ids=["keep_rejected", "rejected_go"])
def test_moved_both_ways_it_is_a_fresh_run(spark: SparkSession, curated: Curated, tmp_path: Path, more: list[str]) -> None:
    """Thresholds loosened and tightened, corpus steps changed; the rejected kept, or thrown away now."""
    old, fresh = curated(KEEP), curated(*LOOSER_AND_TIGHTER, *more)
    overrides = [*LOOSER_AND_TIGHTER, *(more or ["output.keep_rejected=false"])]
    result = refilter(Change.of(str(old), overrides), str(tmp_path / "new"), spark=spark)
    assert shards(tmp_path / "new") == shards(fresh)
    was, now = ({(row["id"], str(row["origin"])): row["outcome"] for row in ledger(folder)} for folder in (old, tmp_path / "new"))
    moves = {(was[key], now[key]) for key in was}
    expected_moves = {
        ("toxicity:too_many_words", "kept"),
        ("repetition:duplicate_lines", "repetition:duplicate_paragraphs"),
        ("kept", "gopher:too_few_stop_words"),
        ("dedup:near", "kept"),
    }
    assert expected_moves <= moves, moves
    assert_accounted(tmp_path / "new")
    expected = json.loads((fresh / "manifest.json").read_bytes())
    told = {key: value for key, value in result.manifest.items() if value != expected[key]}
    characters_apart = set() if more else {"outcomes"}  # of documents that left before their text was final
    assert set(told) == {"fingerprint", "parents"} | characters_apart
    assert {key for key, value in told["fingerprint"].items() if value != expected["fingerprint"].get(key)} == {"parents"}
    names = {path.name for path in (tmp_path / "new").iterdir()}
    assert names == {path.name for path in fresh.iterdir()}
    assert not (tmp_path / "new.work").exists()
    if more:
        reports = [json.loads((folder / "report.json").read_bytes()) for folder in (fresh, tmp_path / "new")]
        apart = {key for key in reports[0] if reports[0][key] != reports[1][key]}
        assert apart == {"charsets", "sources"}, "the magazine's documents without a text have neither title nor language for an excerpt"


def test_tightened_where_nobody_was_rejected_later(spark: SparkSession, curated: Curated, tmp_path: Path) -> None:
    """Without rejected/ the faults of the rejected stay as they are, but for the threshold that they failed."""
    old = curated(without_duplicates=True)
    fresh = curated("toxic_words.max_fraction=0.001", without_duplicates=True)
    refilter(Change.of(str(old), ["toxic_words.max_fraction=0.001"]), str(tmp_path / "new"), spark=spark)
    assert shards(tmp_path / "new") == shards(fresh)
    counts = [sum(row["outcome"] == "toxicity:too_many_words" for row in ledger(folder)) for folder in (old, tmp_path / "new")]
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize(
    ("kept", "override", "kind", "told"),
    [
        (False, "gopher_quality.min_words=30", InputError, "gopher_quality.min_words was loosened (50 to 30)"),
        (False, "gopher_quality.max_words=200000", InputError, "gopher_quality.max_words was loosened (100000 to 200000)"),
        (False, "gopher_quality.min_words=60", InputError, "rejected documents that the new settings would judge anew (dedup:near"),
        (False, "near_duplicates.threshold=0.9", InputError, "rejected documents that the new settings would judge anew (dedup:near"),
        (False, KEEP, InputError, "output.keep_rejected was turned on"),
        (True, "redact_pii.policy=drop", RecipeError, "no threshold of a filter: --set redact_pii.policy"),
        (True, "c4_lines.min_sentences=1", RecipeError, "no threshold of a filter: --set c4_lines.min_sentences"),
        (True, "gopher_quality.variant=dolma", RecipeError, "no threshold of a filter: --set gopher_quality.variant"),
        (True, "fineweb_quality.variant=datatrove", RecipeError, "no threshold of a filter: --set fineweb_quality.variant"),
        (True, "identify_language.languages=[de]", RecipeError, "no threshold of a filter: --set identify_language.languages"),
        (True, "warc.split_bytes=200000", RecipeError, "no threshold of a filter: --set warc.split_bytes"),
        (True, "gopher_quality.min_wrods=3", RecipeError, "did you mean 'min_words'?"),
    ],
)
def test_what_cannot_be_told_is_refused(
    curated: Curated, small_corpus: Path, kept: bool, override: str, kind: type[GristmillError], told: str
) -> None:
    with pytest.raises(kind) as caught:
        Change.of(str(curated(KEEP) if kept else small_corpus), [override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refused_in_its_own_place_and_for_another_corpus(spark: SparkSession, curated: Curated, tmp_path: Path) -> None:
    old = tmp_path / "old"
    shutil.copytree(curated(KEEP), old)
    change = Change.of(str(old), ["toxic_words.max_fraction=0"])
    with pytest.raises(OutputError, match="not made in its own place"):
        refilter(change, f"{old}/", spark=spark)
    with pytest.raises(ResumeError, match="the corpus that it is made from"):
        refilter(change, str(curated(KEEP)), spark=spark)
    shard = next((old / "rejected").glob("*.parquet"))
    shard.write_bytes(b"no Parquet")
    with pytest.raises(InputError, match=f"cannot read the shard: {shard}"):
        refilter(change, str(tmp_path / "new"), spark=spark)
    assert not (tmp_path / "new" / "manifest.json").exists()
