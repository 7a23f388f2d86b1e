"""Near-duplicates: what is found and what it costs, beside datasketch's index and text-dedup; into build/bench-dedup.json.

    python -m tests.benchmarks.dedup --documents 20000 --rounds 3

Articles with known pairs (chrisjmccormick), and documents made from their sentences with planted copies: words changed at known rates,
paragraphs reordered, another site's boilerplate. All read the same JSON lines, with the same shingles, bands and rows, and give pairs:
ours and datasketch's verified by signature, text-dedup's (which verifies nothing) each document with the root of its cluster. Ours are
the steps and kernels of the road in one process, without Spark (tests hold the road to datasketch's components). Each run is a process of
its own; CPU seconds are of its whole process tree, memory the sum of its resident sets.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import xxhash
from datasketch import MinHash, MinHashLSH

from corpus import document
from corpus.dedup.audit import wilson
from corpus.dedup.minhash import NearDuplicates, _band_keys, _Compare
from corpus.dedup.signature import MinHashSignature
from corpus.kernels.shingles import shingle_sets
from corpus.kernels.verify import jaccard
from corpus.kernels.words import words
from corpus.language.words import SegmentWords
from tests.benchmarks.sides import PEERS
from tests.benchmarks.sides import peer as peer_python
from tests.conftest import REPOSITORY
from tests.processes import environment

BUILD = REPOSITORY / "build" / "bench-dedup"
THRESHOLD = 0.7
SIDES = ("ours", "datasketch", "text-dedup")
KINDS = ("edits of 1 %", "edits of 2 %", "edits of 5 %", "edits of 10 %", "paragraphs reordered", "boilerplate changed")
Pairs = set[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.side:
        side, lines, target = asked.side
        found = {"ours": _ours, "datasketch": _datasketch}[side](Path(lines))
        Path(target).write_text(json.dumps(found))
        return
    data = Path(os.environ.get("GRISTMILL_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "dedup" / "chrisjmccormick__MinHash"
    if not data.is_dir():
        sys.exit(f"no articles to measure on: {data} (set GRISTMILL_TEST_DATA)")
    BUILD.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for size in (100, 1000, 2500):
        texts = dict(line.split(" ", 1) for line in (data / f"articles_{size}.train").read_text().splitlines())
        truth = {_pair(*line.split()) for line in (data / f"articles_{size}.truth").read_text().splitlines()}
        found, _ = _all(texts, 1)
        rows += _accuracy(f"{size} articles", texts, {"known pairs": truth}, found)
    texts, planted = plant(texts, asked.documents)
    found, costs = _all(texts, asked.rounds)
    rows += _accuracy(f"{len(texts)} documents", texts, planted, found)
    for unit in ("CPU seconds", "seconds", "MB at the peak"):
        for peer in SIDES[1:]:
            ratios = sorted(other / own for own, other in zip(costs["ours"][unit], costs[peer][unit], strict=True))
            values = {"ours": statistics.median(costs["ours"][unit]), "peer": statistics.median(costs[peer][unit])}
            told = {**values, "ratio": statistics.median(ratios), "interval": [ratios[0], ratios[-1]]}
            rows.append({"name": f"{len(texts)} documents: {unit}, beside {peer}", **told})
    target = REPOSITORY / "build" / "bench-dedup.json"
    target.write_text(json.dumps(rows, indent=2) + "\n")
    for row in rows:
        print(f"{row['name']}: ours {row['ours']:.4g}, peer {row['peer']:.4g}, ratio {row['ratio']:.3g} {row['interval']}")
    print(f"-> {target}")


def plant(articles: dict[str, str], documents: int) -> tuple[dict[str, str], dict[str, Pairs]]:
    """Documents of 12 sentences in 4 paragraphs between a site's header and footer, half of them copies of the others by kind."""
    draw = np.random.default_rng(20)
    sentences = [part.strip() + "." for text in articles.values() for part in text.split(". ") if 8 <= len(part.split()) <= 40]
    sites = [[str(sentences[at]) for at in draw.integers(0, len(sentences), 3)] for _ in range(50)]
    texts: dict[str, str] = {}
    planted: dict[str, Pairs] = {kind: set() for kind in KINDS}
    for number in range(documents // 2):
        kind = KINDS[number % len(KINDS)]
        site, other = draw.choice(len(sites), 2, replace=False)
        body = [" ".join(sentences[at] for at in draw.integers(0, len(sentences), 3)) for _ in range(4)]
        original = _page(sites[site], body)
        if kind.startswith("edits"):
            rate = int(kind.split()[2]) / 100
            copy = "\n".join(
                " ".join(word if draw.random() > rate else f"w{draw.integers(10**6)}" for word in line.split())
                for line in original.split("\n")
            )
        elif kind == "paragraphs reordered":
            copy = _page(sites[site], [body[at] for at in (2, 0, 3, 1)])
        else:
            copy = _page(sites[other], body)
        names = (f"d{number:05d}a", f"d{number:05d}b")
        texts |= dict(zip(names, (original, copy), strict=True))
        planted[kind].add(names)
    return texts, planted


def _page(site: Sequence[str], body: Sequence[str]) -> str:
    return "\n".join([site[0], *body, *site[1:]])


def _all(texts: dict[str, str], rounds: int) -> tuple[dict[str, Pairs], dict[str, dict[str, list[float]]]]:
    """Pairs that each side found, and what it cost in each round, interleaved."""
    lines = BUILD / "in.jsonl"
    lines.write_text("".join(json.dumps({"id": key, "text": text}) + "\n" for key, text in texts.items()))
    layout = map(str, NearDuplicates(threshold=THRESHOLD).layout())
    commands = {side: [sys.executable, "-m", "tests.benchmarks.dedup", "--side", side, lines, BUILD / side] for side in SIDES[:2]}
    commands["text-dedup"] = [peer_python("text_dedup"), PEERS / "text_dedup_minhash.py", lines, BUILD / "text-dedup", *layout]
    costs: dict[str, dict[str, list[float]]] = {side: {} for side in SIDES}
    for _ in range(rounds):
        for side, command in commands.items():
            for unit, value in _run(list(map(str, command))).items():
                costs[side].setdefault(unit, []).append(value)
            print(f"{len(texts)} documents, {side}: { ({unit: round(values[-1], 1) for unit, values in costs[side].items()}) }", flush=True)
    return {side: {_pair(*pair) for pair in json.loads((BUILD / side).read_text())} for side in SIDES}, costs


def _run(command: Sequence[str]) -> dict[str, float]:
    """A process to its end -> seconds, CPU seconds of its tree, and the most memory of its tree at a time."""
    started, spent, peak = time.monotonic(), {}, 0
    with subprocess.Popen(command, cwd=REPOSITORY, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            held = 0
            for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                try:
                    times = each.cpu_times()
                    spent[each.pid, each.create_time()] = times.user + times.system
                    held += each.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            peak = max(peak, held)
            time.sleep(0.05)
    assert process.returncode == 0, command
    return {"seconds": time.monotonic() - started, "CPU seconds": sum(spent.values()), "MB at the peak": peak / 1e6}


def _ours(lines: Path) -> list[tuple[str, str]]:
    """The fused pass's steps, then what the tasks of NearDuplicates do, with a sort in place of the shuffle."""
    step = NearDuplicates(threshold=THRESHOLD)
    bands, rows = step.layout()
    signed = []
    with lines.open() as stream:
        for records in _batches(map(json.loads, stream), 1000):
            batch = document.new_batch(id=[each["id"] for each in records], text=[each["text"] for each in records])
            signed.append(MinHashSignature()(SegmentWords()(batch)).select(["id", "signature"]))
    table = pa.Table.from_batches(signed).filter(pc.field("signature").is_valid())
    keys = pa.Table.from_batches(_band_keys(iter(table.to_batches()), bands=bands, rows=rows, permutations=step.permutations))
    buckets = keys.join(keys.group_by("key").aggregate([("id", "count")]).filter(pc.field("id_count") > 1), "key", join_type="inner")
    filled = buckets.join(table.rename_columns(["id", "content"]), "id").rename_columns(["key", "id", "size", "content"])
    ordered = filled.sort_by([("key", "ascending"), ("id", "ascending")]).combine_chunks().to_batches(max_chunksize=2048)
    compare = _Compare(False, THRESHOLD, step.all_pairs, step.representatives)
    found = [pair for out in compare(iter(ordered)) for pair in out.to_pylist()]
    return sorted({(pair["a"], pair["b"]) for pair in found if pair["similarity"] >= THRESHOLD})


def _datasketch(lines: Path) -> list[tuple[str, str]]:
    """MinHashLSH over the same words and shingles, with our bands and rows; what it proposes is verified by signature, as ours is."""
    index = MinHashLSH(num_perm=112, params=NearDuplicates(threshold=THRESHOLD).layout())
    sketches: dict[str, MinHash] = {}
    pairs = []
    with lines.open() as stream:
        for records in _batches(map(json.loads, stream), 1000):
            column = pa.array([each["text"] for each in records])
            for record, spans in zip(records, words(column).to_pylist(), strict=True):
                utf8 = record["text"].encode()
                told = [utf8[start:end].lower() for start, end in zip(spans[::2], spans[1::2], strict=True)]
                if len(told) < 5:
                    continue
                sketch = MinHash(num_perm=112, scheme="affine32", hashfunc=xxhash.xxh32_intdigest)
                sketch.update_batch([b" ".join(told[at : at + 5]) for at in range(len(told) - 4)])
                pairs += [_pair(record["id"], other) for other in index.query(sketch) if sketch.jaccard(sketches[other]) >= THRESHOLD]
                sketches[record["id"]] = sketch
                index.insert(record["id"], sketch)
    return pairs


def _accuracy(name: str, texts: dict[str, str], planted: dict[str, Pairs], found: dict[str, Pairs]) -> list[dict[str, Any]]:
    """Recall by kind and of all that is alike beyond the threshold in truth; precision as the share of finds that are."""
    true = _true_similarity(texts)
    every = set().union(*planted.values())
    alike = {pair for pair in every.union(*found.values()) if true(*pair) >= THRESHOLD}
    rows = []
    for peer in SIDES[1:]:
        for kind, pairs in {**planted, f"alike by {THRESHOLD} in truth": alike}.items():
            counts = [(len(found[side] & pairs), len(pairs)) for side in ("ours", peer)]
            rows.append(_row(f"{name}: recall, {kind}, beside {peer}", *counts))
        for kind, pairs in {f"alike by {THRESHOLD} in truth": alike, "known or planted": every}.items():
            counts = [(len(found[side] & pairs), len(found[side])) for side in ("ours", peer)]
            rows.append(_row(f"{name}: precision, {kind}, beside {peer}", *counts))
    return rows


def _row(name: str, own: tuple[int, int], others: tuple[int, int]) -> dict[str, Any]:
    """(hits, trials) of both sides; ``interval`` is Wilson's of our share."""
    ours, peer = (hits / max(1, trials) for hits, trials in (own, others))
    return {"name": name, "ours": ours, "peer": peer, "ratio": ours / peer if peer else 1.0, "interval": wilson(own[0], max(1, own[1]))}


def _true_similarity(texts: dict[str, str]) -> Callable[[str, str], float]:
    column = pa.array(list(texts.values()))
    sets = shingle_sets(column, words(column), np.full(len(column), 5)).to_pylist()
    held = {key: np.frombuffer(found or b"", "<u4") for key, found in zip(texts, sets, strict=True)}
    return lambda one, other: float(jaccard(held[one], held[other]))


def _batches(records: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(records, size)):
        yield batch


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)


if __name__ == "__main__":
    main()
