"""Ablations: what is held out, what runs are made of, verdicts from scores, and a whole one in miniature through the command line."""

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from corpus.errors import InputError, OutputError
from corpus.hashing import content_digest, fraction
from corpus.storage import locate
from jobs.ablate import _tokens
from jobs.cli import gristmill
from modeling.ablation.arms import admitted, first_row, reordered, shuffle_words, write_tokens
from modeling.ablation.design import NULL, POSITIVE, Arm, Design, Run, expected_resolution, fitted
from modeling.ablation.held_out import CHARACTERS, FILE, Exclusion, HeldOut, rows
from modeling.ablation.outcome import PRIMARY, conclude
from modeling.ablation.page import write_page
from modeling.ablation.prepare import Wanted, named, prepare
from modeling.ablation.runs import run_facts
from modeling.config import SettingError
from modeling.presets import preset
from tests.browser import browser, browser_problem
from tests.modeling.ablations import texts, write_corpus
from tests.processes import environment
from tests.processes import gristmill as run_gristmill

TINY = {
    "model.context_length": 64, "model.layers": 1, "model.width": 32, "model.heads": 2, "model.kv_heads": 1, "model.hidden": 48,
    "train.learning_rate": 0.02,
}  # fmt: skip


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two corpora of 150 documents of one language of 40 words; twenty documents of a's training stand in b, one of them held out there."""
    folder = tmp_path_factory.mktemp("corpora")
    mine, other = texts(150, seed=1), texts(150, seed=2)
    return {"a": str(write_corpus(folder / "a", mine)), "b": str(write_corpus(folder / "b", other | dict(list(mine.items())[:20])))}


def test_rows_from_anywhere_once_around(corpora: dict[str, str]) -> None:
    place = locate(corpora["a"])
    whole = [row["id"] for row in rows(place)]
    assert len(set(whole)) == 150
    for first in (0, 1, 74, 75, 76, 149):
        assert [row["id"] for row in rows(place, first)] == whole[first:] + whole[:first]


def test_held_out_sets(corpora: dict[str, str], tmp_path: Path) -> None:
    neutral, task = tmp_path / "news.jsonl", tmp_path / "pairs.jsonl"
    neutral.write_text("".join(json.dumps({"text": f"{number} " * (3000 if number == 8 else 20)}) + "\n" for number in range(12)))
    task.write_text("".join(json.dumps({"good": f"It is {n}.", "bad": [f"It are {n}.", "No."]}) + "\n" for n in range(8)))
    held = HeldOut.of(corpora, neutral=[neutral], tasks=[task], set_bytes=3000)
    sizes = {name: sum(len(held.pieces[at].text.encode()) for at in numbers) for name, numbers in held.sets.items()}
    assert list(sizes) == ["a", "b", "news", "pairs"]
    assert 3000 <= sizes["a"] < 3400, "whole documents, until there are enough"
    assert [piece.kind for piece in held.pieces[-3:]] == ["good", "bad", "bad"]
    assert len({piece.key for piece in held.pieces if piece.set == "pairs"}) == 8
    news = held.pieces[held.sets["news"][-1]]
    assert len(held.sets["news"]) == 9, "the ninth fills the set"
    assert len(news.text) == CHARACTERS
    assert news.digest == content_digest("8 " * 3000).hex(), "of the whole text"
    held.write(tmp_path)
    assert HeldOut.read(tmp_path) == held
    assert HeldOut.read(tmp_path).digest == held.digest


def test_a_language_that_is_rare_in_a_set_is_no_part_of_the_outcome(tmp_path: Path) -> None:
    documents = texts(150, seed=1)
    held_out = [name for name in documents if fraction(name, "split") < 0.5]
    corpus = write_corpus(tmp_path / "c", documents, held_out=0.5, languages={held_out[0]: "zh", **dict.fromkeys(held_out[1:11], "de")})
    held = HeldOut.of({"c": str(corpus)})
    rare = [piece for piece in held.pieces if piece.kind == "rare language"]
    assert [(piece.key, piece.language) for piece in rare] == [(held_out[0], "zh")], "one of some 75; ten German ones stay"
    assert len(held.sets["c"]) == len(held_out) - 1
    held.write(tmp_path)
    assert Exclusion(tmp_path).reasons([held_out[0]], ["another text"]) == ["same_id"], "held out all the same"
    result = concluded(tmp_path, {"a": str(corpus), "b": str(corpus)}, {"b": -0.05, POSITIVE: 0.1})
    assert result["rare_languages"] == {"a": {"zh": 1}, "b": {"zh": 1}}
    assert "in a 1 × zh; in b 1 × zh." in write_page(tmp_path).read_text()


def test_a_draw_begins_at_the_same_id_whatever_else_a_corpus_holds(corpora: dict[str, str], tmp_path: Path) -> None:
    ids = [row["id"] for row in rows(locate(corpora["a"]))]
    for start in (0.0, 0.3, 0.5, 0.77):
        assert first_row(locate(corpora["a"]), start) == sum(int(name[:8], 16) / 16**8 < start for name in ids)
    more = write_corpus(tmp_path / "more", texts(150, seed=1) | texts(90, seed=2), shards=3)
    some, whole = ({row["id"]: None for row in rows(locate(path), first_row(locate(path), 0.3))} for path in (corpora["a"], str(more)))
    assert [name for name in whole if name in some] == list(some), "its own documents come in the same order"
    together = write_corpus(tmp_path / "together", {"f" * 32: "x", "0" * 32: "y"}, shards=1)
    table = pq.read_table(together / "documents" / "00000.parquet")
    pq.write_table(table.take([1, 0]), together / "documents" / "00000.parquet")
    assert first_row(locate(str(together)), 0.5) == 1, "ids in no order: half of the rows"


def test_the_controls_see_the_documents_of_the_first_arm(corpora: dict[str, str], tmp_path: Path) -> None:
    settings = [f"{name}={value}" for name, value in TINY.items()]
    made = prepare(tmp_path, corpora, Wanted(budget_tokens=8_000, seeds=2, preset="1m", vocabulary=400, settings=settings))
    drawn: dict[str, tuple[list[str], np.ndarray]] = {}
    for run in made.runs()[4:]:
        write_tokens(run, tmp_path / "held_out", tmp_path / "tokenizer", tmp_path / run.name)
        index = pq.read_table(tmp_path / run.name / "train" / "00000.parquet")
        drawn[run.arm.name] = index["id"].to_pylist(), np.fromfile(tmp_path / run.name / "train" / "00000.bin", np.uint16)
        assert sum(index["tokens"].to_pylist()) == len(drawn[run.arm.name][1]) == 31 * 256 + 1
    ids, tokens = drawn["a"]
    assert drawn[NULL][0] != ids
    assert sorted(drawn[NULL][0]) == sorted(ids)
    assert np.array_equal(np.sort(drawn[NULL][1]), np.sort(tokens)), "to the token"
    shared = min(len(ids), len(drawn[POSITIVE][0]))
    assert drawn[POSITIVE][0][:shared] == ids[:shared]
    assert abs(len(drawn[POSITIVE][0]) - len(ids)) < 0.1 * len(ids)
    assert list(reordered(())) == []


def test_too_little_held_out(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "c", texts(20, seed=3), held_out=0.1)
    with pytest.raises(InputError, match=r"too few to tell anything.*split_by_cluster"):
        HeldOut.of({"c": str(corpus)})


def test_what_may_not_be_trained_on(corpora: dict[str, str], tmp_path: Path) -> None:
    held = HeldOut.of(corpora)
    held.write(tmp_path)
    piece = held.pieces[0]
    words, other = piece.text.split(), next(iter(texts(3, seed=9).values()))
    found = {
        "another text under its id": (piece.key, other),
        "its text under another id": ("x", piece.text),
        "a third of it, in capitals, within another text": ("x", other + " " + " ".join(words[:25]).upper()),
        "fourteen words of it: two of its 48 runs": ("x", other + " " + " ".join(words[:14])),
        "nothing of it": ("x", other),
    }
    reasons = Exclusion(tmp_path).reasons(*zip(*found.values(), strict=True))
    assert dict(zip(found, reasons, strict=True)) == dict(zip(found, ["same_id", "same_text", "near_text", "", ""], strict=True))


def test_the_other_arms_held_out_documents_are_left_out(corpora: dict[str, str], tmp_path: Path) -> None:
    """Documents that both have, and that are held out in one because it was split otherwise."""
    of_b = {row["id"] for row in rows(locate(corpora["b"])) if row["split"] == "validation"}
    held = HeldOut.of({"b": corpora["b"]})
    held.write(tmp_path)
    left = dict.fromkeys(("read", "same_id", "same_text", "near_text"), 0)
    shared = dict(list(texts(150, seed=1).items())[:20])
    moved = write_corpus(tmp_path / "c", texts(40, seed=4) | shared, held_out=0.0)
    kept = {row["id"] for row in admitted(Arm.of("c", str(moved)), 0.3, Exclusion(tmp_path), left)}
    assert of_b & shared.keys(), "or this test shows nothing"
    assert left == {"read": 60, "same_id": len(of_b & shared.keys()), "same_text": 0, "near_text": 0}
    assert not kept & of_b
    assert len(kept) == 60 - len(of_b & shared.keys())


@given(st.text(alphabet="ab \n\u3042", max_size=200), st.floats(0, 1))
def test_shuffled_words(text: str, share: float) -> None:
    found = shuffle_words(text, share, "key")
    assert Counter(found.split()) == Counter(text.split()), "no word is lost"
    moved = sum(one != two for one, two in zip(found.split(), text.split(), strict=True))
    assert moved <= round(share * len(text.split()))
    assert [part for part in found if part.isspace()] == [part for part in text if part.isspace()]


def test_a_fifth_is_shuffled() -> None:
    words = [str(number) for number in range(1000)]
    found = shuffle_words(" ".join(words), 0.2, "a document").split()
    moved = [at for at in range(1000) if found[at] != words[at]]
    assert 190 <= len(moved) <= 200
    assert np.mean([abs(int(found[at]) - at) for at in moved]) > 200, "far, not to the next place"
    assert found != shuffle_words(" ".join(words), 0.2, "another").split()


def design(arms: tuple[str, ...] = ("a", "b"), **changed: object) -> Design:
    model, train = preset("1m", 400)
    made = Design(
        arms=tuple(Arm(name=name, corpus=f"/{name}", digest=name) for name in arms),
        controls=True, seeds=3, budget_tokens=500_000, preset="1m", model=model, train=fitted(model, train, 500_000),
        held_out="h", tokenizer="t",
    )  # fmt: skip
    return replace(made, **changed)  # type: ignore[arg-type]


def test_runs_are_paired_and_named_for_all_that_decides_them() -> None:
    runs = design().runs()
    assert [run.name for run in runs[:4]] == ["a-0", "b-0", "null_control-0", "positive_control-0"]
    assert len({run.folder_name for run in runs}) == 12
    assert [run.train.seed for run in runs] == [0] * 4 + [1] * 4 + [2] * 4
    a, b, null, positive = runs[4:8]
    assert a.start == b.start == positive.start == null.start
    assert (null.arm.reordered, positive.arm.shuffled) == (True, 0.2)
    starts = sorted(run.start for run in design().runs() if run.arm.name == "a")
    assert np.diff([*starts, 1 + starts[0]]).min() > 0.2, "draws of seeds lie apart"
    assert design(seeds=5).runs()[4].folder_name == a.folder_name, "more seeds, or another arm, and what was made is of use"
    assert Run(design(("a", "c")), a.arm, 1).folder_name == a.folder_name
    for changed in (design(held_out="other"), design(tokenizer="other"), design(train=replace(design().train, learning_rate=1e-3))):
        assert changed.runs()[4].folder_name != a.folder_name


def test_a_budget_is_cut_into_steps() -> None:
    model, train = preset("1m")
    small = fitted(model, train, 500_000)
    assert (small.global_batch_tokens, small.steps, small.optimizer, small.learning_rate) == (1024, 488, "muon", 5e-3)
    large = fitted(model, train, 10_000_000)
    assert (large.global_batch_tokens, large.optimizer, large.learning_rate) == (train.global_batch_tokens, "adamw", train.learning_rate)
    assert small.final_rate == large.final_rate == 0, "the last batches leave no mark"
    assert fitted(model, train, 25_000).global_batch_tokens == 4 * 256
    with pytest.raises(SettingError, match="--budget"):
        fitted(model, train, 10_000)


def test_more_seeds_resolve_more() -> None:
    """Three seeds: (t(0.975; 2) + t(0.8; 2)) · s / sqrt(3) = (4.303 + 1.061) · 0.5774 · s."""
    assert expected_resolution(design(), 0.01) == pytest.approx(0.01 * (4.303 + 1.061) * 0.5774, rel=1e-3)
    assert expected_resolution(design(seeds=5), 0.01) < 0.6 * expected_resolution(design(), 0.01)


@pytest.mark.parametrize(("text", "tokens"), [("500k-tokens", 500_000), ("8.2B", 8_200_000_000), ("2_000_000", 2_000_000), ("1m", 10**6)])
def test_budgets(text: str, tokens: int) -> None:
    assert _tokens(text) == tokens


@pytest.mark.parametrize("text", ["", "many", "5 apples", "-3k", "1.5.5k"])
def test_no_budgets(text: str) -> None:
    with pytest.raises(SettingError, match="no number of tokens"):
        _tokens(text)


def test_arms_are_named_by_what_tells_them_apart() -> None:
    assert named(["x/a", "y/b/"]) == {"a": str(Path("x/a").absolute()), "b": str(Path("y/b").absolute())}
    assert list(named(["x/corpus", "y/corpus"])) == ["x/corpus", "y/corpus"]
    with pytest.raises(InputError, match="named twice"):
        named(["x/a", "x/a/"])


def concluded(folder: Path, corpora: dict[str, str], shift: dict[str, float], *, seed: int = 0, arms: tuple[str, ...] = ("a", "b")) -> dict:
    """The result of scores that are made up: each arm's bits per byte are 2 and what ``shift`` says, and some chance."""
    held = HeldOut.of(corpora)
    held.write(folder / "held_out")
    made = design(arms, held_out=held.digest)
    made.write(folder, estimate={"seconds": 60.0})
    rng = np.random.default_rng(seed)
    sizes = np.array([len(piece.text.encode()) for piece in held.pieces])
    hard = rng.normal(0, 0.2, len(sizes))
    (folder / "scores").mkdir(exist_ok=True)
    for run in made.runs():
        bits = sizes * (2 + shift.get(run.arm.name, 0) + hard + rng.normal(0, 0.004) + rng.normal(0, 0.01, len(sizes)))
        told = {
            "nats": (bits * np.log(2)).tolist(), "curve": {name: [[0, 5.0], [100, 3.0], [200, 2.5]] for name in corpora}, "model": "m",
            "draw": {"read": 9, "same_id": 1, "same_text": 0, "near_text": 2, "documents": 6, "tokens": 500},
            "run": {"epochs": 1.0, "devices": "CPU"}, "seconds": 60.0, "cpu_seconds": 50.0,
        }  # fmt: skip
        run.scores(folder).write_text(json.dumps(told))
    result = conclude(made, folder)
    (folder / "run.json").write_text(json.dumps(run_facts(made, folder, {"seconds": 60.0, "parallel": 2})))
    return result


def test_a_better_arm(corpora: dict[str, str], tmp_path: Path) -> None:
    result = concluded(tmp_path, corpora, {"b": -0.05, POSITIVE: 0.1})
    first = result["effects"][0]
    assert (first["outcome"], first["verdict"]) == (PRIMARY, "better")
    assert first["low"] < -0.05 < first["high"] < 0
    said = f"b is better than a: {-first['effect']:.3f} bits per byte less (95 % interval {-first['high']:.3f} to {-first['low']:.3f})"
    assert result["verdict"]["headline"] == said
    assert [effect["outcome"] for effect in result["effects"]] == [PRIMARY, "a", "b"]
    assert [control["passed"] for control in result["controls"]] == [True, True]
    assert result["best"] == {"primary": "b", "a": "b", "b": "b"}
    assert result["matrix"][1]["sets"]["a"]["mean"] == pytest.approx(1.95, abs=0.1)
    assert conclude(Design.read(tmp_path), tmp_path) == result, "the design comes back as it was written"


def test_no_difference(corpora: dict[str, str], tmp_path: Path) -> None:
    result = concluded(tmp_path, corpora, {POSITIVE: 0.1}, seed=2)
    assert {effect["verdict"] for effect in result["effects"]} == {"no detectable difference"}
    assert result["verdict"]["headline"].startswith("No detectable difference between b and a: this experiment resolves about 0.0")


@pytest.mark.parametrize(("shift", "told"), [
    ({"b": -0.05, POSITIVE: 0.1, NULL: 0.05}, "the null control came out as “worse”, not “no detectable difference”"),
    ({"b": -0.05}, "the positive control came out as “no detectable difference”, not “worse”"),
])  # fmt: skip
def test_a_control_that_fails_withholds_the_verdict(corpora: dict[str, str], tmp_path: Path, shift: dict[str, float], told: str) -> None:
    result = concluded(tmp_path, corpora, shift)
    assert result["verdict"]["withheld"]
    assert "cannot be trusted" in result["verdict"]["headline"]
    assert told in result["verdict"]["sentences"][0].lower()
    assert [each.split(":")[1] for each in result["verdict"]["sentences"][1:]] == [
        " more seeds or a larger budget would find smaller differences."
    ] * (POSITIVE not in shift)
    page = write_page(tmp_path).read_text()
    assert "A control failed" in page
    assert "is better than" not in page


def test_three_arms(corpora: dict[str, str], tmp_path: Path) -> None:
    result = concluded(tmp_path, corpora, {"b": -0.05, "c": -0.05, POSITIVE: 0.1}, arms=("a", "b", "c"))
    assert len(result["verdict"]["sentences"]) == 3
    best = result["best"]["primary"]
    assert result["verdict"]["headline"] == f"{best} is better than a; no detectable difference from {'b' if best == 'c' else 'c'}"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_opens_at_every_width(corpora: dict[str, str], tmp_path: Path, width: int) -> None:
    if problem := browser_problem():
        pytest.skip(problem)
    concluded(tmp_path, corpora, {"b": -0.05, POSITIVE: 0.1})
    with browser(width, 900) as driver:
        driver.get(write_page(tmp_path).as_uri())
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width, "the page scrolls sideways"
        assert not driver.get_log("browser")
        assert "b is better than a" in driver.find_element("tag name", "h1").text
        assert len(driver.find_elements("css selector", "svg .interval")) == 5
        assert len(driver.find_elements("css selector", "svg path.line.thin")) == 3 * 4 * 3


def arguments(corpora: dict[str, str], output: Path, *more: str) -> list[str]:
    settings = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    fixed = ["--budget", "8k-tokens", "--seeds", "2", "--preset", "1m", "--vocab-size", "400", "--parallel", "1"]
    return ["ablate", *corpora.values(), "--output", str(output), *fixed, *settings, *more]


def test_a_whole_ablation(corpora: dict[str, str], tmp_path: Path) -> None:
    """Planned for a cluster, one run made as there, the rest here; then found whole, and a lost run made again."""
    output = tmp_path / "ablation"
    printed = CliRunner().invoke(gristmill, arguments(corpora, output, "--print-commands"))
    assert printed.exit_code == 0, printed.output
    assert len(printed.output.splitlines()) == 8
    alone = CliRunner().invoke(gristmill, printed.output.splitlines()[0].split()[1:])
    assert alone.exit_code == 0, alone.output
    assert len(list((output / "scores").iterdir())) == 1
    ran = CliRunner().invoke(gristmill, arguments(corpora, output))
    assert ran.exit_code == 0, ran.output
    assert "can resolve about" in ran.output
    assert "page: " in ran.output
    result = (output / "ablation.json").read_bytes()
    told = json.loads(result)
    assert {row["arm"] for row in told["matrix"]} == {"a", "b", NULL, POSITIVE}
    assert all(row["primary"] < 4 for row in told["matrix"]), "of random letters it would be 4.7"
    assert all(draw["tokens"] == 31 * 256 + 1 for draw in told["draws"])
    assert (output / "ablation.html").exists()
    models = {
        run.folder_name: json.loads((output / "runs" / run.folder_name / "manifest.json").read_bytes())
        for run in Design.read(output).runs()
    }
    assert len({json.dumps(model["fingerprint"]["tokens"]) for model in models.values()}) == 8, "every run has an order of its own"
    lost = next((output / "scores").iterdir())
    lost.unlink()
    again = CliRunner().invoke(gristmill, arguments(corpora, output))
    assert again.exit_code == 0, again.output
    assert lost.exists()
    assert (output / "ablation.json").read_bytes() == result


def test_another_folder_is_refused(corpora: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds something else"):
        prepare(tmp_path, corpora, Wanted(budget_tokens=500_000, seeds=3, preset="1m"))
    assert not (tmp_path / FILE).exists()
    ran = CliRunner().invoke(gristmill, arguments(corpora, tmp_path / "mine.txt" / "out"))
    assert "cannot write" in str(ran.exception)


def test_a_job_array_for_slurm(corpora: dict[str, str], tmp_path: Path) -> None:
    """The script is written, and one of its tasks runs to its scores, in a shell that knows what SLURM tells a task."""
    output = tmp_path / "ablation"
    written = CliRunner().invoke(gristmill, arguments(corpora, output, "--launch", "slurm"))
    assert written.exit_code == 0, written.output
    script = output / "runs.sbatch"
    assert "#SBATCH --array=0-7\n" in script.read_text()
    assert "sbatch" in written.output
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    told = environment(SLURM_ARRAY_TASK_ID="5", PATH=path)
    ran = subprocess.run(["bash", script], env=told, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert [path.name.rpartition("-")[0] for path in (output / "scores").iterdir()] == ["b-1"]


def test_runs_as_tasks_of_spark(corpora: dict[str, str], tmp_path: Path) -> None:
    """Those that are missing, each in a process of its own; then the page, as from runs made here."""
    output = tmp_path / "ablation"
    planned = CliRunner().invoke(gristmill, arguments(corpora, output, "--no-controls", "--print-commands"))
    assert len(planned.output.splitlines()) == 4, planned.output
    for line in planned.output.splitlines()[:2]:
        assert CliRunner().invoke(gristmill, line.split()[1:]).exit_code == 0
    before = {path.name: path.stat().st_mtime_ns for path in (output / "scores").iterdir()}
    ran = run_gristmill(*arguments(corpora, output, "--no-controls", "--launch", "spark", "--master", "local[2]"))
    assert ran.returncode == 0, ran.stderr
    scores = list((output / "scores").iterdir())
    assert len(scores) == 4
    assert {path.name: path.stat().st_mtime_ns for path in scores if path.name in before} == before
    assert (output / "ablation.html").exists()
