"""Personal data beside Dolma, datatrove and Presidio: precision, recall, F1 by kind, documents a second; into build/bench-pii.json.

    python -m tests.benchmarks.pii --rounds 3

Labelled sentences: Presidio's own synthetic ones (English templates with names and numbers of many countries), half 1 by hash of the
text; half 0 is what our patterns were written against. Real pages for the speed. A peer runs in an environment of its own,
installed on first use into build/bench/NAME from tests/benchmarks/peers/NAME.txt. Presidio has its patterns on a blank pipeline, no
model: of persons and places nobody here finds any, and they are left out. CPU time, rounds interleaved, medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa

from corpus import document
from corpus.extraction.html import ExtractHtml
from corpus.pii.detect import find_all
from corpus.pii.kinds import EMAIL, IP_PRIVATE, IPV4, IPV6, PHONE, SOUGHT
from corpus.pii.phones import is_phone
from tests.benchmarks.run import PEERS, _peer
from tests.conftest import REPOSITORY
from tests.pii_data import Found, as_found, scores, sentences

SYSTEMS = ("presidio", "dolma", "datatrove")
DOLMAS = (EMAIL, PHONE, IPV4, IPV6, IP_PRIVATE)  # its three kinds
PAGES = 400


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    data = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (data / "pii").is_dir():
        sys.exit(f"no sentences to measure on: {data / 'pii'} (set GRISTMILL_TEST_DATA)")
    pythons = {name: Path(os.environ.get(f"PEER_{name.upper()}") or _peer(name)) for name in SYSTEMS}
    rows = accuracy(data / "pii", pythons) + speed(pages(data / "html-extraction"), pythons, rounds)
    target = REPOSITORY / "build" / "bench-pii.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2) + "\n")
    print(f"-> {target}")


def accuracy(folder: Path, pythons: dict[str, Path]) -> list[dict[str, Any]]:
    """F1 by kind on half 1, ours and each peer's."""
    labelled = sentences(folder, half=1)
    texts = [each.text for each in labelled]
    scored = {"ours": scores(labelled, as_found(find_all(pa.array(texts))))}
    scored |= {name: scores(labelled, _finds(python, name, texts)[0]) for name, python in pythons.items()}
    rows = []
    for kind, own in scored["ours"].items():
        told = ", ".join(
            f"{name} {by[kind].precision:.3f}/{by[kind].recall:.3f}/{by[kind].f1:.3f}"
            for name, by in scored.items()
            if by[kind].f1 or name == "ours"
        )
        print(f"{kind} ({own.labelled} labelled; precision/recall/F1): {told}", flush=True)
        for name in pythons:
            peer = scored[name][kind]
            ratio = own.f1 / peer.f1 if peer.f1 else None
            row = {
                "name": f"F1 of {kind} in English sentences",
                "unit": "F1",
                "peer_name": name,
                "ours": own.f1,
                "peer": peer.f1,
                "ratio": ratio,
            }
            rows.append({**row, "interval": None, "ours_detail": asdict(own), "peer_detail": asdict(peer)})
    return rows


def speed(texts: list[str], pythons: dict[str, Path], rounds: int) -> list[dict[str, Any]]:
    """Documents a second: all our kinds beside Presidio's, Dolma's three kinds and datatrove's two beside ours of the same."""
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
        ratios = sorted(other / own for own, other in pairs)
        own, peer = (len(texts) / statistics.median(side) for side in zip(*pairs, strict=True))
        row = {"name": f"kinds of {name} in real pages", "unit": "documents/s", "peer_name": name, "ours": own, "peer": peer}
        rows.append({**row, "ratio": statistics.median(ratios), "interval": [ratios[0], ratios[-1]]})
        told = f"{statistics.median(ratios):.1f} times ({ratios[0]:.1f} to {ratios[-1]:.1f})"
        print(f"{name}: ours {own:.0f}, peer {peer:.0f} documents/s, {told}")
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
    return [[(kind, start, end) for kind, start, end in row] for row in finds], last["seconds"]


if __name__ == "__main__":
    main()
