"""Breaks runs in many ways, and compares the bytes of what they make in the end with those of a run that nobody broke: ``make chaos``.

python -m tests.chaos                                 # all faults
python -m tests.chaos disk_full executor_killed       # some
python -m tests.chaos --list
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from corpus.recipe import load
from tests.chaos.faults import FAULTS, Bench, NotHere
from tests.golden import page, warc
from tests.processes import gristmill
from tests.road import assert_accounted, content

_FILES, _PAGES = 4, 40


def make_input(folder: Path) -> tuple[Path, Path]:
    """(archives of 160 pages with some copies, a recipe with set steps that cuts them into a dozen splits)."""
    crawl = folder / "crawl"
    crawl.mkdir()
    for number in range(_FILES):
        numbers = range(number * _PAGES, (number + 1) * _PAGES)
        pages = [page(f"http://a.example/{at}", f"<p>Page {at % 150}</p>" + f"<p>{at % 150 * 7919} words of it</p>" * 40) for at in numbers]
        for at, each in zip(numbers, pages, strict=True):
            each.warc_headers["WARC-Record-ID"] = f"<urn:uuid:00000000-0000-0000-0000-{at:012d}>"
        (crawl / f"{number}.warc.gz").write_bytes(warc(pages)[0])
    size = sum(path.stat().st_size for path in crawl.iterdir())
    recipe = folder / "chaos.yaml"
    text = load("extract", overrides=[f"warc.split_bytes={size // 12}", "output.keep_rejected=true"]).to_yaml()
    recipe.write_text(text.replace("corpus: []\n", "- text_digest\n- tests.steps:Slow\ncorpus:\n- exact_duplicates\n", 1))
    return crawl, recipe


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.chaos")
    parser.add_argument("names", nargs="*", metavar="FAULT")
    parser.add_argument("--list", action="store_true", help="print the names of the faults")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(FAULTS))
        return 0
    if unknown := sorted(set(asked.names) - FAULTS.keys()):
        parser.error(f"no fault {unknown[0]!r}; there are {', '.join(FAULTS)}")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    names = asked.names or list(FAULTS)
    survived, absent = 0, 0
    with tempfile.TemporaryDirectory(prefix="gristmill-chaos-") as temporary:
        folder = Path(temporary)
        crawl, recipe = make_input(folder)
        still = Bench(crawl, recipe, folder / "undisturbed")
        still.folder.mkdir()
        ran = gristmill(*still.arguments())
        assert ran.returncode == 0, ran.stderr
        assert_accounted(still.corpus)
        expected = content(still.corpus)
        for name in names:
            started = time.monotonic()
            bench = Bench(crawl, recipe, folder / name)
            bench.folder.mkdir()
            try:
                FAULTS[name](bench)
                assert content(bench.corpus) == expected, "the bytes differ"
                survived += 1
                told = "survived, bytes equal"
            except NotHere as reason:
                absent += 1
                told = f"not tried: {reason}"
            except Exception as error:
                told = f"LOST: {type(error).__name__}: {str(error)[-2000:]}"
            print(f"{name:40} {time.monotonic() - started:5.0f} s  {told}", flush=True)
    tried = len(names) - absent
    equal = "bytes equal" if survived == tried else "NOT ALL BYTES EQUAL"
    print(f"chaos: {tried} faults, {survived} survived, {equal}")
    return 0 if survived == tried and tried else 1


if __name__ == "__main__":
    sys.exit(main())
