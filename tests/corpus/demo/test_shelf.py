"""The demo's other files: the same bytes every time, all of them read by their own source, and next to nothing of them lost."""

from collections import Counter
from pathlib import Path

from corpus.demo.shelf import write_shelf
from corpus.recipe import load
from corpus.sources.listing import examine, find
from corpus.sources.source import ReadLog, Split
from corpus.step import FusedPass


def test_the_shelf_is_kept(tmp_path: Path) -> None:
    first, again = write_shelf(tmp_path / "a"), write_shelf(tmp_path / "b")
    assert [(tmp_path / "a" / name).read_bytes() for name in first.files] == [(tmp_path / "b" / name).read_bytes() for name in again.files]
    recipe = load("all_sources")
    found: Counter[tuple[str, str | None, bool]] = Counter()
    for file in find([str(tmp_path / "a")]):
        entry, log = examine(file, recipe.sources), ReadLog()
        source = recipe.sources[entry.source]
        for start, end in source.splits(entry.file):
            for batch in source.read(Split(entry.file, start, end, entry.source), log):
                for part in FusedPass(recipe.steps)(batch):
                    found.update((row["source"], row["license"], not row["failed"]) for row in part.to_pylist())
        assert not log.damages
    code = found.pop(("github", "Apache-2.0", True))
    assert code >= 20
    assert found == {("wikipedia", "CC-BY-SA-4.0", True): 80, ("books", "CC0-1.0", True): 3, ("mail", None, True): 40}
