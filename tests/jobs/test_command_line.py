"""The command line: its frozen surface, its help, and what a user is told when something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from corpus.recipe import built_in_recipes, from_data
from jobs.cli import COMMANDS, gristmill
from jobs.running import run
from tests.conftest import REPOSITORY
from tests.golden import ten, warc
from tests.processes import gristmill as process

# Frozen: whoever changes a line here breaks scripts of users.
SURFACE = {
    "curate": [
        "NAME", "--input", "--output", "--set", "--master", "--work", "--overwrite", "--allow", "--plan", "--list", "--show", "MORE_INPUTS",
    ],
    "export-table": ["--url", "--query", "--key", "--parts", "--output", "--driver", "--master"],
    "refilter": ["CORPUS", "--set", "--output", "--master", "--work", "--overwrite", "--allow"],
    "report": ["CORPUS"],
    "explain": ["CORPUS", "KEY"],
    "conformance": ["--pages"],
    "train-classifier": ["--input", "--output", "--seed"],
    "train-perplexity": ["TEXTS", "--language", "--output", "--order"],
    "train-extractor": ["--input", "--output", "--seed"],
    "commoncrawl": ["--snapshot", "--languages", "--tlds", "--domains", "--kind", "--limit", "--output", "--base-url", "--parallel"],
    "crawl-demo": ["--output", "--pages", "--seed"],
    "train-tokenizer": [
        "CORPUS", "--output", "--kind", "--vocab-size", "--sample-bytes", "--digits", "--nfc", "--reserve", "--language-weight",
        "--overwrite",
    ],
    "tokenizer-report": ["CORPUS", "--tokenizer", "--vocab-size", "--kind", "--model", "--sample-bytes", "--output"],
    "encode": ["CORPUS", "--tokenizer", "--output", "--fim", "--span-corruption", "--master", "--work", "--overwrite"],
    "plan": ["--preset", "--set", "--tokens", "--gpus", "--gpu", "--mfu", "--price", "--json"],
    "pretrain": [
        "TOKENS", "--output", "--preset", "--set", "--mixture", "--devices", "--nodes", "--strategy", "--tensor-parallel", "--precision",
        "--compile", "--checkpoint-activations", "--keep-last", "--log", "--find-rate",
        "--spark-processes", "--master", "--overwrite",
    ],
    "evaluate": ["MODEL", "TOKENS", "--output", "--text", "--task", "--contamination"],
    "answer": [
        "MODEL", "--task", "--metric", "--output", "--shots", "--tokens", "--seed", "--batch", "--samples", "--trained-on",
        "--run-generated-code",
    ],
    "harness": ["MODEL", "--task", "--output", "--include", "--trained-on", "--shots", "--batch", "--seed"],
    "ablate": [
        "CORPORA", "--budget", "--seeds", "--preset", "--set", "--output", "--vary", "--neutral", "--tasks", "--tokenizer", "--vocab-size",
        "--controls", "--parallel", "--yes", "--launch", "--print-commands", "--run", "--master", "--allow",
    ],
    "generate": ["MODEL", "--prompt", "--tokens", "--temperature", "--top-k", "--top-p", "--seed"],
    "export": ["MODEL", "--output", "--drop-mtp"],
    "judge": [
        "SAMPLES", "--votes", "--results", "--export", "--annotator", "--overlap", "--single", "--question", "--model", "--prompts",
        "--tokens", "--host", "--port",
    ],
    "batches": [
        "TOKENS", "--step", "--until", "--seen-until", "--output", "--corpus", "--model", "--preset", "--set", "--mixture",
    ],
}  # fmt: skip


def surface(command: click.Command) -> list[str]:
    return [part.opts[0] if isinstance(part, click.Option) else (part.name or "").upper() for part in command.params]


def command(name: str) -> click.Command:
    found = gristmill.get_command(click.Context(gristmill), name)
    assert found
    return found


def test_curation_waits_for_no_pytorch() -> None:
    code = "import sys, jobs.cli, jobs.curate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def test_frozen_surface() -> None:
    assert {name: surface(command(name)) for name in COMMANDS} == SURFACE


@pytest.mark.parametrize("name", SURFACE)
def test_help_shows_an_example(name: str) -> None:
    shown = CliRunner().invoke(gristmill, [name, "--help"]).output
    assert f"gristmill {name}" in shown.split("Example:")[1]


def test_every_job_is_also_a_file_for_spark_submit() -> None:
    for name in COMMANDS:
        text = (REPOSITORY / "jobs" / f"{name.replace('-', '_')}.py").read_text()
        assert 'if __name__ == "__main__":\n    run(command)' in text


def test_list_and_plan() -> None:
    listed = CliRunner().invoke(gristmill, ["curate", "--list"]).output
    assert all(name in listed for name in ("web", "extract", "text"))
    plan = CliRunner().invoke(gristmill, ["curate", "web", "--plan"]).output
    assert "one fused pass" in plan
    assert plan.index("extract_html") < plan.index("redact_pii") < plan.index("near_duplicates")


@pytest.mark.parametrize("name", built_in_recipes())
def test_show_is_the_recipe_whole(name: str) -> None:
    shown = yaml.safe_load(CliRunner().invoke(gristmill, ["curate", name, "--show"]).output)
    assert from_data(shown).to_data() == shown
    if name == "web":
        assert next(step["gopher_quality"] for step in shown["steps"] if "gopher_quality" in step)["min_words"] == 50


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["curate", "web", "--input", "/nowhere", "--output", "{tmp}/o"], "no such file or folder: /nowhere"),
        (["curate", "wep", "--input", "x", "--output", "o"], "no such recipe: wep (did you mean web?)"),
        (["curate", "{tmp}/bad.yaml", "--plan"], "did you mean 'gopher_quality'?"),
        (["curate", "web", "--set", "gopher_quality.min_wrods=3", "--plan"], "did you mean 'min_words'?"),
        (["curate", "web", "--set", "gopher_quality.min_words=many", "--plan"], "gopher_quality.min_words"),
        (["curate", "{tmp}/mine.yaml", "--plan"], "if you trust it, add --allow my_package"),
        (["curate", "web", "--input", "{tmp}/a.warc.gz"], "--input and --output are needed"),
        (["explain", "{tmp}", "http://x/"], "this is no finished corpus"),
        (["report", "{tmp}"], "this is no finished corpus"),
        (["refilter", "{tmp}", "--output", "{tmp}/o"], "this is no finished corpus"),
        (["train-classifier", "--input", "/nowhere.jsonl", "--output", "{tmp}/m.bin"], "/nowhere.jsonl"),
        (["train-perplexity", "/nowhere.txt", "--output", "{tmp}/m.npz"], "no such file: /nowhere.txt"),
        (["train-extractor", "--input", "/nowhere.jsonl", "--output", "{tmp}/m.npz"], "/nowhere.jsonl"),
    ],
)
def test_the_users_errors_are_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\nsources: [warc]\nsteps: [gopher_qualty]\n")
    (tmp_path / "mine.yaml").write_text("name: mine\nsources: [warc]\nsteps: ['my_package.steps:Mine']\n")
    ran = process(*(part.format(tmp=tmp_path) for part in arguments))
    assert ran.returncode == 2, ran.stderr
    assert told in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "o").exists()


def test_a_store_that_fails_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    @click.command()
    def command() -> None:
        raise OSError("When getting information for key 'crawl': AWS Error (HTTP status 503)\nand more")

    with pytest.raises(SystemExit) as ended:
        run(command, [])
    assert ended.value.code == 2
    told = "reading or writing failed: When getting information for key 'crawl': AWS Error (HTTP status 503)"
    assert capsys.readouterr().err == f"gristmill: {told} (the same command goes on where this one stopped)\n"


def test_a_model_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(warc(ten())[0])
    (tmp_path / "model.bin").write_text("not a model")
    recipe = {"name": "mine", "sources": ["warc"], "steps": ["extract_html", {"quality_classifier": {"model": f"{tmp_path}/model.bin"}}]}
    (tmp_path / "mine.yaml").write_text(json.dumps(recipe))
    ran = process("curate", tmp_path / "mine.yaml", "--input", tmp_path / "a.warc.gz", "--output", tmp_path / "corpus")
    assert ran.returncode == 2, ran.stderr
    assert f"this is no fastText model: {tmp_path}/model.bin" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "corpus" / "manifest.json").exists()


@pytest.mark.parametrize("version", ["1.8.0_412", "11.0.2", None])
def test_a_java_that_will_not_do(tmp_path: Path, version: str | None) -> None:
    (tmp_path / "bin").mkdir()
    if version:
        (tmp_path / "bin" / "java").write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        (tmp_path / "bin" / "java").chmod(0o755)
    (tmp_path / "a.warc.gz").write_bytes(warc(ten())[0])
    ran = process("curate", "extract", "--input", tmp_path / "a.warc.gz", "--output", tmp_path / "o", JAVA_HOME=str(tmp_path))
    assert ran.returncode == 2
    assert "Java 17 or 21" in ran.stderr
    assert len(ran.stderr.strip().splitlines()) == 1


def test_a_run_as_a_stranger_sees_it(tmp_path: Path) -> None:
    (tmp_path / "a.warc.gz").write_bytes(warc(ten())[0])
    arguments = ["curate", "extract", "--input", tmp_path / "a.warc.gz", "--output", tmp_path / "corpus"]
    ran = process(*arguments)
    assert ran.returncode == 0, ran.stderr
    assert "read: done in" in ran.stderr
    assert "kept" in ran.stdout
    assert f"report: {tmp_path}/corpus/report.html" in ran.stdout
    noise = [line for line in ran.stderr.splitlines() if "WARN" in line and "incubator" not in line]  # that one is the JVM's own
    assert not noise, ran.stderr
    again = process(*arguments)
    assert "This corpus was whole already" in again.stdout
    told = process("explain", tmp_path / "corpus", "http://a.example/3")
    assert "kept" in told.stdout
    (tmp_path / "corpus" / "report.html").unlink()
    assert process("report", tmp_path / "corpus").returncode == 0
    assert (tmp_path / "corpus" / "report.html").stat().st_size > 10_000
