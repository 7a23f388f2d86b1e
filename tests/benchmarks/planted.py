"""JSON lines of real sentences with planted duplicates, as many as asked, always the same: what growth is measured on.

    folder = write(100_000)         # build/scale/100000/*.jsonl, made on all cores
    judged(corpus, 100_000)         # {"recall, edits of 1 %": 0.98, …, "precision": 1.0}

A document is 14 sentences of 8 to 40 words (articles, two novels), some 2 kB, drawn by a hash of its number. Of each 100 in turn 80 are
originals; 5 each are exact copies and copies with 1, 2 and 5 % of their words replaced by other real words, of an original that is
drawn from all; the last one is, instead, a page of one template whose family grows with the corpus, as boilerplate does.
"""

import json
import re
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import xxhash

from tests.benchmarks.sides import outside
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "build" / "scale"
ORIGINALS, BLOCK, KIND_OF = 80, 100, 5
RATES = (0.0, 0.01, 0.02, 0.05)
KINDS = ("exact copies", *(f"edits of {rate:.0%}".replace("%", " %") for rate in RATES[1:]))
TEMPLATE, TEMPLATE_RATE = -1, 0.01  # its family's number
SENTENCES, PARAGRAPHS = 14, 4
FILE_DOCUMENTS = 10_000
_SOURCES = (
    ("dedup", "chrisjmccormick__MinHash/articles_2500.train"),
    ("lm-text", "GITenberg__Pride-and-Prejudice_1342/1342-0.txt"),
    ("lm-text", "google__sentencepiece/botchan.txt"),
)
_END = re.compile(r"(?<=[.!?])\s+")


def write(documents: int) -> Path:
    """The folder with so many documents; made only where it is not there whole."""
    folder, done = FOLDER / str(documents), FOLDER / f"{documents}.done"
    if not done.exists():
        print(f"writing {documents:,} documents …", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        sentences()  # read once: the workers are forks of this process
        starts = range(0, documents, FILE_DOCUMENTS)
        with ProcessPoolExecutor() as pool:
            list(pool.map(partial(_write_file, folder, documents), starts))
        done.touch()
    return folder


def family(number: int, documents: int) -> int:
    """The number of the original that document ``number`` of ``documents`` is, or is a copy of; TEMPLATE for pages of the template."""
    slot = number % BLOCK
    if slot < ORIGINALS:
        return number
    if slot == BLOCK - 1:
        return TEMPLATE
    place = _draw("family", number) % (documents // BLOCK * ORIGINALS)
    return place // ORIGINALS * BLOCK + place % ORIGINALS


def text(number: int, documents: int) -> str:
    slot, original = number % BLOCK, family(number, documents)
    pool = sentences()
    told = [pool[_draw(f"sentence {at}", original) % len(pool)] for at in range(SENTENCES)]
    whole = "\n".join(" ".join(told[at::PARAGRAPHS]) for at in range(PARAGRAPHS))
    rate = TEMPLATE_RATE if original == TEMPLATE else 0.0 if slot < ORIGINALS else RATES[(slot - ORIGINALS) // KIND_OF]
    return _edited(whole, rate, number) if rate else whole


@lru_cache(maxsize=1)
def sentences() -> list[str]:
    found = []
    for room, name in _SOURCES:
        whole = (outside(room) / name).read_text(encoding="utf-8", errors="replace")
        plain = re.sub(r"^t\d+ ", "", whole, flags=re.MULTILINE)  # the articles' keys
        found += [" ".join(part.split()) for part in _END.split(plain)]
    return sorted({each for each in found if 8 <= len(each.split()) <= 40 and each[-1] in ".!?" and each[0].isupper()})


def judged(corpus: Path, documents: int) -> dict[str, float]:
    """From the ledger: recall by kind, of copies that the filters let through with their original; precision of what was dropped."""
    ledger = ds.dataset(corpus / "ledger").to_table(columns=["id", "url", "outcome", "duplicate_of"])
    numbers = np.array([int(url.rpartition("/")[2]) for url in ledger["url"].to_pylist()])
    ids = ledger["id"].combine_chunks()
    outcome = ledger["outcome"].combine_chunks()
    reached = np.asarray(pc.or_(pc.equal(outcome, "kept"), pc.starts_with(outcome, "dedup:")))
    row_of = np.full(documents, -1)
    row_of[numbers[reached]] = np.flatnonzero(reached)
    survivor = pc.index_in(ledger["duplicate_of"].combine_chunks(), value_set=ids)
    dropped = np.asarray(pc.is_valid(survivor))
    cluster = np.where(dropped, np.asarray(pc.fill_null(survivor, pa.scalar(0, pa.int32()))), np.arange(len(ids)))
    families = np.array([family(number, documents) for number in numbers.tolist()])
    told = {"reached deduplication": float(reached.mean())}
    slots = numbers % BLOCK
    for at, kind in enumerate(KINDS):
        first = ORIGINALS + at * KIND_OF
        copies = reached & (slots >= first) & (slots < min(first + KIND_OF, BLOCK - 1))
        copies &= row_of[np.maximum(0, families)] >= 0
        if copies.any():
            told[f"recall, {kind}"] = float((cluster[copies] == cluster[row_of[families[copies]]]).mean())
    template = cluster[reached & (families == TEMPLATE)]
    if len(template):
        told["recall, template"] = float(np.unique(template, return_counts=True)[1].max() / len(template))
    if dropped.any():
        told["precision"] = float((families[dropped] == families[cluster[dropped]]).mean())
    return told


def _write_file(folder: Path, documents: int, start: int) -> None:
    with (folder / f"{start:09d}.jsonl").open("w", encoding="utf-8") as out:
        for number in range(start, min(start + FILE_DOCUMENTS, documents)):
            record = {"id": str(number), "url": f"http://scale.example/{number}", "text": text(number, documents)}
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


def _edited(whole: str, rate: float, number: int) -> str:
    """Each word by its own chance another word of another sentence."""
    draw, pool = np.random.default_rng(_draw("edits", number)), sentences()
    lines = [line.split(" ") for line in whole.split("\n")]
    for line in lines:
        for at in np.flatnonzero(draw.random(len(line)) < rate).tolist():
            others = pool[draw.integers(len(pool))].split(" ")
            line[at] = others[draw.integers(len(others))]
    return "\n".join(" ".join(line) for line in lines)


def _draw(what: str, number: int) -> int:
    return xxhash.xxh3_64_intdigest(f"{what} {number}".encode())
