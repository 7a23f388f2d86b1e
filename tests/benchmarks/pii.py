"""Personal data beside Dolma, datatrove and Presidio: precision, recall, F1 by kind, documents a second.

    python -m tests.benchmarks.run pii

Labelled sentences: Presidio's own synthetic ones (English templates with names and numbers of many countries), half 1 by hash of the
text; half 0 is what our patterns were written against. Real pages for the speed. Presidio has its patterns on a blank pipeline, no
model: of persons and places nobody here finds any, and they are left out. CPU time, rounds interleaved, medians.
"""

import json
import statistics
import subprocess
import time
from pathlib import Path

import pyarrow as pa

from corpus import document
from corpus.extraction.html import ExtractHtml
from corpus.pii.detect import find_all
from corpus.pii.kinds import EMAIL, IP_PRIVATE, IPV4, IPV6, PHONE, SOUGHT
from corpus.pii.phones import is_phone
from tests.benchmarks.rows import Row, bootstrap, row
from tests.benchmarks.sides import PEERS, outside, peers
from tests.pii_data import Found, as_found, scores, sentences

SYSTEMS = ("presidio", "dolma", "datatrove")
DOLMAS = (EMAIL, PHONE, IPV4, IPV6, IP_PRIVATE)  # its three kinds
PAGES = 400


def measure(rounds: int) -> list[Row]:
    pythons = peers(*SYSTEMS)
    return accuracy(outside("pii"), pythons) + speed(pages(outside("html-extraction")), pythons, rounds)


def accuracy(folder: Path, pythons: dict[str, Path]) -> list[Row]:
    """F1 by kind on half 1, ours and each peer's that knows the kind."""
    labelled = sentences(folder, half=1)
    texts = [each.text for each in labelled]
    scored = {name: scores(labelled, _finds(python, name, texts)[0]) for name, python in pythons.items()}
    rows = []
    for kind, own in scores(labelled, as_found(find_all(pa.array(texts)))).items():
        mine = {"precision": own.precision, "recall": own.recall, "labelled": own.labelled}
        what = f"personal data in English sentences: {kind}"
        rows.append(row(f"pii.f1.{kind}", what, "F1", own.f1, **mine))
        for name, by in scored.items():
            if other := by[kind].f1:
                theirs = {"peer_precision": by[kind].precision, "peer_recall": by[kind].recall}
                told = row(f"pii.f1.{kind}.{name}", what, "F1", own.f1, peer_name=name, peer=other, ratio=own.f1 / other, **mine, **theirs)
                rows.append(told)
    return rows


def speed(texts: list[str], pythons: dict[str, Path], rounds: int) -> list[Row]:
    """Documents a second of CPU: all our kinds beside Presidio's, Dolma's three kinds and datatrove's two beside ours of the same."""
    array = pa.array(texts)
    kinds = {"presidio": SOUGHT, "dolma": DOLMAS, "datatrove": (EMAIL, IPV4)}
    find_all(array)  # compiles, and loads the telephone plans
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in pythons}
    for number in range(rounds):
        for name, python in pythons.items():
            is_phone.cache_clear()  # numbers met in the round before
            started = time.process_time()
            find_all(array, kinds[name])
            own = time.process_time() - started
            times[name].append((own, _finds(python, name, texts)[1]))
            print(f"round {number + 1}: {name} {times[name][-1][1]:.2f} s, ours {own:.3f} s for {len(texts)} pages", flush=True)
    rows = []
    for name, pairs in times.items():
        ratios = [other / own for own, other in pairs]
        own, other = (len(texts) / statistics.median(side) for side in zip(*pairs, strict=True))
        told = {"peer_name": name, "peer": other, "ratio": statistics.median(ratios), "interval": bootstrap(ratios), "rounds": rounds}
        rows.append(row(f"pii.speed.{name}", f"personal data of {name}'s kinds in real pages", "documents/s of CPU", own, **told))
    return rows


def pages(folder: Path) -> list[str]:
    """The texts of real pages, the same number of each from the whole set."""
    found = sorted(path for path in folder.rglob("*.html") if path.is_file() and path.stat().st_size)
    step = max(1, len(found) // (PAGES + PAGES // 4))
    payloads = [path.read_bytes() for path in found[::step]]
    none = pa.nulls(len(payloads), pa.string())
    columns = {"payload": pa.array(payloads, pa.binary()), "media_type": none, "http_charset": none, "http_headers": none}
    batch = document.new_batch(id=[str(number) for number in range(len(payloads))], **columns)
    return [text for text in ExtractHtml()(batch)["text"].to_pylist() if text][:PAGES]


def _finds(python: Path, name: str, texts: list[str]) -> tuple[list[list[Found]], float]:
    """What a peer finds, and its seconds of CPU time."""
    given = "".join(json.dumps(text) + "\n" for text in texts)
    command = [str(python), str(PEERS / "pii_find.py"), name]
    ran = subprocess.run(command, input=given, capture_output=True, text=True, check=True, timeout=1800)
    *finds, last = map(json.loads, ran.stdout.splitlines())
    return [[(kind, start, end) for kind, start, end in each] for each in finds], last["seconds"]
