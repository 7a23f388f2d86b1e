"""The arithmetic of the benchmarks, and the form of what they write. Nothing here runs a benchmark."""

import importlib
import json
import math
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from corpus.kernels.words import words
from tests.benchmarks import lid, planted, profile, readme, run, scale, signatures
from tests.benchmarks.growth import Cluster, Crawl, Pages, Sets, Stage, estimate, growth
from tests.benchmarks.rows import bootstrap, compared, number, ratio_of_sums, row, table, version
from tests.benchmarks.sides import Cost, spent

SIZES = (1_000, 10_000, 100_000)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.7])
def test_growth_is_the_exponent_of_a_power(exponent: float) -> None:
    assert growth(SIZES, [3 * size**exponent for size in SIZES]) == pytest.approx((exponent, exponent))


def test_fixed_costs_hide_growth_at_small_sizes_and_less_so_between_the_largest() -> None:
    whole, last = growth(SIZES, [20 + size / 1_000 for size in SIZES])
    assert whole < last < 1
    assert last == pytest.approx(math.log10(120 / 30))


def test_one_size_has_no_growth_and_nothing_is_no_error() -> None:
    assert all(map(math.isnan, growth([10], [1.0])))
    assert growth([10, 100], [0.0, 0.0]) == pytest.approx((0.0, 0.0))


def test_identification_counts_what_the_step_would_keep() -> None:
    rows = {
        each["name"]: each
        for each in lid.measured("made", [("en", "The mill stands by the river, and nobody grinds there now."), ("de", "xq")])
    }
    assert rows["lid.made.sure"]["ours"] == 1
    assert rows["lid.made.sure"]["quality"]["share"] == 0.5


def test_estimate_by_hand() -> None:
    """100 pages of 10 bytes on 2 machines of 2 cores: twice the bytes of the measured ones, half of them judged."""
    crawl = Crawl(compressed_bytes=1_000, pages=100)
    cluster = Cluster(machines=2, cores=2, network_bytes_a_second=1e9, disk_bytes_a_second=1, busy=0.5)
    pages = Pages(core_milliseconds_a_page=7_200_000, compressed_bytes_a_page=5, judged_by_sets=0.5, digest_bytes_a_second=1 / 3.6)
    stages = {"near": Stage(core_seconds=360, exponent=2.0), "write": Stage(core_seconds=120, exponent=0.3)}
    sets = Sets(documents=10, stages=stages, shuffle_bytes=480, shuffle_exponent=1.0)
    inputs, read, near, write, everything = estimate(crawl, cluster, pages, sets)
    assert (inputs.core_hours, inputs.hours) == pytest.approx((1, 0.5))  # 1,000 bytes at 3.6 s each, two cores' worth of four
    assert (read.core_hours, read.hours) == pytest.approx((100 * 2 * 2, 200))  # 100 pages, 2 hours each, of twice the size
    assert near.core_hours == pytest.approx(360 * 5**2 / 3600)  # 50 documents are five times the ten
    assert near.hours == pytest.approx(1.25)  # its cores: 4,500 s in all; its disks: 2 * 1,800 bytes at 2 a second would be half an hour
    assert write.core_hours == pytest.approx(120 * 5 / 3600)  # no exponent below 1 is believed
    assert write.hours == pytest.approx(600 / 3600)  # disks: 2 * 600 bytes at 2 a second; its cores: 300 s
    assert everything.hours == pytest.approx(sum(line.hours for line in (inputs, read, near, write)))


def test_bootstrap_holds_the_middle_and_never_leaves_the_values() -> None:
    values = [2.0, 2.1, 2.2, 2.3, 9.0]
    low, high = bootstrap(values)
    assert min(values) <= low <= 2.2 <= high <= max(values)
    assert bootstrap([3.0]) == [3.0, 3.0]
    assert ratio_of_sums([1.0, 2.0], [3.0, 6.0]) == pytest.approx([3.0, 3.0])


def test_compared_tells_rates_and_how_many_times() -> None:
    costs = {"ours": [Cost(2, 1, {}, {}), Cost(4, 1, {}, {})], "datatrove": [Cost(8, 1, {}, {}), Cost(8, 1, {}, {})]}
    told = compared("web", "all", "documents/s", costs, lambda cost: cost.seconds, amount=24)
    assert (told["ours"], told["peer"], told["ratio"]) == (8, 3, 3)  # 24 in the median of 3 s and of 8 s; 4 and 2 times
    assert told["interval"] == [2, 4]
    assert told["peer_version"] == version("datatrove") is not None
    alone = compared("web", "all", "s", {"ours": costs["ours"]}, lambda cost: cost.seconds)
    assert (alone["ours"], alone["peer"], alone["ratio"]) == (3, None, None)


@pytest.mark.parametrize(("value", "told"), [(1234.5, "1,234"), (0.12345, "0.123"), (12, "12"), (1_000_000, "1,000,000"), ("a", "a")])
def test_numbers_have_three_digits(value: object, told: str) -> None:
    assert number(value) == told


def test_rows_of_a_benchmark_replace_its_last_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "bench.json"
    target.write_text(json.dumps([{"name": "of an older form"}]))
    monkeypatch.setattr(run, "TARGET", target)
    run.record("web", [row("web", "the road", "documents/s", 1.0), row("web.cpu", "the road", "s", 2.0)], "make bench BENCH=web")
    run.record("pii", [row("pii.f1.card.presidio", "cards", "F1", 1.0, peer_name="presidio", peer=0.5, ratio=2.0)], "make bench BENCH=pii")
    run.record("web", [row("web", "the road", "documents/s", 3.0, kept=7, precision=math.nan)], "make bench BENCH=web")
    written = json.loads(target.read_text())
    assert [(each["name"], each["ours"]) for each in written] == [("pii.f1.card.presidio", 1.0), ("web", 3.0)]
    keys = {"name", "what", "unit", "ours", "peer", "peer_name", "peer_version", "ratio", "interval", "command", "device", "cores", "date"}
    assert all(keys <= each.keys() for each in written)
    assert "3 documents/s; kept 7" in readme.measured(written)
    assert len(table(written).splitlines()) == 4


def test_a_command_costs_what_its_children_take() -> None:
    """A child that outlives its parent counts, where the system lets us wait for it."""
    if sys.platform != "linux":
        pytest.skip("orphans are adopted on Linux alone")
    burn = "import time\nwhile time.process_time() < 0.4: pass"
    leave = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {burn!r}]); print('{{\"found\": 3}}')"
    cost = spent([sys.executable, "-c", leave])
    assert cost.cpu_seconds >= 0.4
    assert cost.told == {"found": 3}
    ignore = (
        "import signal, subprocess, sys, time\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)"  # as Spark's daemon of Python workers does
    )
    forget = f"{ignore}\nsubprocess.Popen([sys.executable, '-c', {burn.replace('0.4', '1.5')!r}])\ntime.sleep(3)"
    assert spent([sys.executable, "-c", forget]).cpu_seconds >= 1
    with pytest.raises(RuntimeError, match="no such thing"):
        spent([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_shares_of_a_run_sum_to_the_whole() -> None:
    facts = {"seconds": {"inputs": 1.0, "read": 6.0}, "seconds_by_step": {"extract_html": 9.0}}
    rows = profile.shares(facts, 10.0, 100)
    told = {each["name"]: each for each in rows}
    assert sum(each["quality"].get("percent_of_run", 0) for each in rows) == pytest.approx(100)
    assert sum(each["quality"].get("percent_of_fused_pass", 0) for each in rows) == pytest.approx(100)
    assert told[f"profile.stage.{profile.REST}"]["ours"] == 3.0
    assert told["profile.step.other"]["ours"] == 30.0  # ms a page: two cores for 6 s, 9 of which are named, on 100 pages


def test_bytes_are_summed_over_finished_tasks(tmp_path: Path) -> None:
    metrics = {"Result Size": 5, "Disk Bytes Spilled": 2, "Shuffle Write Metrics": {"Shuffle Bytes Written": 100}}
    stage = {"Event": "SparkListenerStageSubmitted", "Stage Info": {"Stage ID": 3, "Stage Name": "collect at audit.py"}}
    events = [{"Event": "SparkListenerLogStart"}, stage, *[{"Event": "SparkListenerTaskEnd", "Stage ID": 3, "Task Metrics": metrics}] * 2]
    (tmp_path / "log").write_text("".join(json.dumps(event) + "\n" for event in [*events, {"Event": "SparkListenerTaskEnd"}]))
    assert scale.from_log(tmp_path / "log") == ({"shuffled": 200, "spilled": 4, "sent to the driver": 10}, {"collect at audit.py": 10})


def test_a_crawl_is_estimated_from_what_was_measured() -> None:
    fused = row("web.fused", "", "", 1.0, core_milliseconds_a_page=4.0, compressed_bytes_a_page=30_000.0, judged_by_sets=0.5)
    known = {
        "stage inputs": 1.0,
        "stage read": 1.0,
        "stage near_duplicates": 1.0,
        "MB shuffled": 1.0,
        "MB sent by splits": 1.0,
        "splits": 2,
    }
    [crawl], told = scale.whole_crawl([10, 100], [known, {**known, "stage near_duplicates": 100.0}], [fused])
    assert crawl["ours"] > 0
    assert "| near_duplicates |" in told
    assert "| inputs |" not in told, "the stages before the sets are not extrapolated from documents"
    rows, told = scale.whole_crawl([10], [known], [])
    assert not rows
    assert "make bench BENCH=web" in told


def test_planted_documents_are_judged_by_their_families(tmp_path: Path) -> None:
    """Of 100: documents 80 to 84 are exact copies. One is found, one is missed, and one original is taken for another's."""
    (tmp_path / "ledger").mkdir()
    rows = [{"id": f"i{number}", "url": f"http://scale.example/{number}", "outcome": "kept", "duplicate_of": None} for number in range(82)]
    original = planted.family(80, 100)
    rows[80] |= {"outcome": "dedup:exact", "duplicate_of": f"i{original}"}
    wrong = next(number for number in range(80) if number not in (original, planted.family(81, 100)))
    rows[wrong] |= {"outcome": "dedup:near", "duplicate_of": f"i{(wrong + 1) % 80}"}
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "ledger" / "0.parquet")
    told = planted.judged(tmp_path, 100)
    assert told["recall, exact copies"] == 0.5
    assert told["precision"] == 0.5
    assert "recall, edits of 1 %" not in told


@pytest.mark.parametrize("name", run.BENCHMARKS)
def test_every_benchmark_can_begin(name: str) -> None:
    """What it takes from the code is still there: benchmarks are run seldom, and the code changes daily."""
    assert callable(importlib.import_module(f"tests.benchmarks.{name}").measure)


def test_signatures_are_measured_equal() -> None:
    column = pa.array(["one two three four five six seven", "a b c d e f"])
    assert (signatures._ours(column, words(column)) == signatures._theirs(column, words(column))).all()


def test_every_copy_has_an_original() -> None:
    families = [planted.family(number, 1_000) for number in range(1_000)]
    assert sum(family == number for number, family in enumerate(families)) == 800
    assert families.count(planted.TEMPLATE) == 10
    assert all(family % planted.BLOCK < planted.ORIGINALS for family in families if family != planted.TEMPLATE)
