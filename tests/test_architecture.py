"""The house as a whole: who may import whom, what is empty, what is explained, and that README's tree is the real one."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

# From the ground up: a room may import from its own line and those above it, never from below. HOUSE: no arrow up.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("corpus.errors", "corpus.hashing", "corpus.resources", "corpus.version", "corpus.built_in"),
    ("corpus.document", "corpus.storage", "corpus.kernels"),
    ("corpus.step", "corpus.tasks"),
    ("corpus.language",),
    (
        "corpus.sources", "corpus.extraction", "corpus.rights", "corpus.urls", "corpus.normalize", "corpus.quality", "corpus.toxicity",
        "corpus.pii", "corpus.splits", "corpus.work", "corpus.session", "corpus.decontamination", "corpus.mixing",
        "corpus.cutting",
    ),
    ("corpus.dedup",),
    ("corpus.recipe",),
    ("corpus.manifest", "corpus.report", "corpus.fused", "corpus.shards"),
    ("corpus.reading", "corpus.demo"),
    ("corpus.publish",),
    ("corpus.engine", "corpus.rejudge"),
    ("corpus.refilter",),
    ("tokenization.foreign", "tokenization.documents", "tokenization.resources"),
    ("tokenization.tokenizer", "tokenization.sample"),
    ("tokenization.shards", "tokenization.huggingface", "tokenization.fertility"),
    ("tokenization.streams",),
    ("tokenization.best_fit", "tokenization.objectives"),
    ("tokenization.packing", "tokenization.train", "tokenization.encode", "tokenization.report"),
    (
        "modeling.config", "modeling.hardware", "modeling.records", "modeling.resampling", "modeling.order", "modeling.resources",
        "modeling.attention", "modeling.losses", "modeling.curves", "modeling.watching",
    ),
    ("modeling.mixture", "modeling.architectures"),
    (
        "modeling.presets", "modeling.transformer", "modeling.checkpoint", "modeling.data", "modeling.spikes", "modeling.averages",
    ),
    ("modeling.parallel",),
    ("modeling.optimizers",),
    ("modeling.seen", "modeling.export", "modeling.saving", "modeling.guard", "modeling.zero"),
    ("modeling.suspects", "modeling.build"),
    ("modeling.module", "modeling.generate"),
    ("modeling.scoring", "modeling.plan", "modeling.text_score"),
    ("modeling.recorder", "modeling.evaluation"),
    ("modeling.finished", "modeling.run_page", "modeling.loggers"),
    ("modeling.train",),
    ("modeling.evaluate", "modeling.find_rate"),
    ("modeling.page", "modeling.ablation", "modeling.judging", "modeling.answers", "modeling.harness"),
    ("jobs",),
)  # fmt: skip


ROOMS = ("corpus", "tokenization", "modeling", "jobs")


def modules() -> list[Path]:
    return sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def floor(module: str) -> int:
    found = [at for at, rooms in enumerate(FLOORS) if any(module == room or module.startswith(room + ".") for room in rooms)]
    assert found, f"{module} stands on no floor: add it to FLOORS"
    return found[0]


def imports(path: Path) -> Iterator[str]:
    """Modules that are imported when this one runs; those for the type checker alone do not count."""
    tree = ast.parse(path.read_text())
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path}: relative import"
            whole = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if (REPOSITORY / (name.replace(".", "/") + ".py")).exists() else node.module for name in whole)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_no_arrow_up(path: Path) -> None:
    module = name_of(path)
    if path.name == "__init__.py":
        return
    for imported in imports(path):
        if imported.partition(".")[0] in ROOMS and imported not in ROOMS:
            assert floor(imported) <= floor(module), f"{module} imports {imported}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_module_says_what_it_does(path: Path) -> None:
    if path.name == "__init__.py":
        assert path.read_text() == ""
        return
    told = ast.get_docstring(ast.parse(path.read_text()))
    assert told, path
    assert len(told.splitlines()) > 1, f"{path}: an example of use belongs below the first line"


def test_corpus_imports_no_torch_and_kernels_and_models_no_spark() -> None:
    heavy = {"torch", "lightning", "tensorflow", "transformers"}
    for path in modules():
        found = {imported.partition(".")[0] for imported in imports(path)}
        if name_of(path).startswith(("corpus", "tokenization")):
            assert not found & heavy, path
        if "kernels" in path.parts or name_of(path).startswith("modeling"):
            assert "pyspark" not in found, path


def test_the_model_knows_nothing_of_ours_but_its_config_and_its_parts() -> None:
    """What it is made of imports PyTorch alone: it can be lifted out of the house."""
    found = {
        part: {name for name in imports(REPOSITORY / "modeling" / f"{part}.py") if name.partition(".")[0] in ROOMS}
        for part in ("transformer", "attention", "losses")
    }
    assert found == {"transformer": {"modeling.config", "modeling.attention", "modeling.losses"}, "attention": set(), "losses": set()}


def test_document_steps_start_no_spark() -> None:
    """All that runs in the fused pass is importable without Spark's classes: its tests never start a JVM."""
    rooms = "corpus.extraction.html, corpus.normalize.unicode, corpus.quality.gopher, corpus.pii.policy, corpus.sources.warc"
    code = f"import sys, {rooms}; sys.exit('pyspark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


DANGEROUS = {
    *("eval", "exec", "os.system", "os.popen", "pickle.loads", "pickle.load", "cloudpickle.loads", "marshal.loads", "shelve.open"),
    *("yaml.load", "yaml.full_load", "yaml.unsafe_load", "torch.load", "joblib.load", "subprocess.getoutput", "tempfile.mktemp"),
    "shutil.unpack_archive",
}


def test_nothing_runs_what_it_reads() -> None:
    """No pickle, no YAML that makes objects, no shell, no archive unpacked to disk. The one exception: what a parent says to its child."""
    met = set()
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                named = {word.arg: ast.unparse(word.value) for word in node.keywords if word.arg}
                is_unsafe = called in DANGEROUS or called.endswith((".extractall", ".extract_all")) or "shell" in named
                if is_unsafe or named.get("allow_pickle", "False") != "False":
                    met.add((name_of(path), called))
    assert met == {("corpus.sources.careful", "pickle.load")}


def test_no_file_is_a_god() -> None:
    for path in modules():
        assert len(path.read_text().splitlines()) <= 400, path


def test_readme_tree_is_what_git_tracks() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split()
    readme = (REPOSITORY / "README.md").read_text()
    tree = re.search(r"```text\ncorpus/\n(.*?)```", readme, re.DOTALL)
    assert tree, "README shows the tree of the project"
    told = set(re.findall(r"^  (\w+(?:/|\.py))", tree.group(1).split("\njobs/")[0], re.MULTILINE))
    rooms = {name.split("/")[1] + ("/" if name.count("/") > 1 else "") for name in listed if name.startswith("corpus/")}
    assert told == rooms - {"__init__.py"}
    top = set(re.findall(r"^(\w+)/", "corpus/\n" + tree.group(1), re.MULTILINE))
    assert top == {name.split("/")[0] for name in listed if "/" in name and not name.startswith(".")}
