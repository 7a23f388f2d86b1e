"""Near-duplicates: what is found and what it costs, on Spark and without it, beside datatrove, text-dedup and datasketch's index.

    python -m tests.benchmarks.run dedup

Articles with known pairs (chrisjmccormick), and documents made from their sentences with planted copies: words changed at known rates,
paragraphs reordered, another site's boilerplate. All read the same JSON lines, with the same shingles, bands and rows. ``spark`` is the
public command on two cores: signatures, bands, verification, components, survivors, shards, report; beside datatrove's four stages on
two workers and text-dedup on two processes, neither of which verifies a pair. ``kernels`` are the same steps and kernels in one process,
with a sort in place of the shuffle, beside datasketch.
"""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
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
from tests.benchmarks.rows import Row, compared, row
from tests.benchmarks.sides import BUILD, PEERS, Cost, curate, interleaved, ours, outside, peers, spent

FOLDER = BUILD / "dedup"
RECIPE = Path(__file__).with_suffix(".yaml")
DOCUMENTS = 20_000
THRESHOLD = 0.7
SPARK, KERNELS, DATASKETCH = "spark", "kernels", "datasketch"
PEER_OF = {"datatrove": SPARK, "text-dedup": SPARK, DATASKETCH: KERNELS}  # whom each is compared with: the like of it
KINDS = ("edits of 1 %", "edits of 2 %", "edits of 5 %", "edits of 10 %", "paragraphs reordered", "boilerplate changed")
Pair = tuple[str, str]
Pairs = set[Pair]


def measure(rounds: int) -> list[Row]:
    data = outside("dedup") / "chrisjmccormick__MinHash"
    articles = dict(line.split(" ", 1) for line in (data / "articles_2500.train").read_text().splitlines())
    truth = {_pair(*line.split()) for line in (data / "articles_2500.truth").read_text().splitlines()}
    found, _ = _all(articles, 1)
    rows = _accuracy("articles", articles, {"known pairs": truth}, found)
    texts, planted = plant(articles, DOCUMENTS)
    found, costs = _all(texts, rounds)
    rows += _accuracy("planted", texts, planted, found)
    taken: dict[str, tuple[str, Callable[[Cost], float]]] = {
        "wall": ("s", lambda cost: cost.seconds),
        "cpu": ("s of CPU", lambda cost: cost.cpu_seconds),
        "memory": ("MB", lambda cost: cost.peak_bytes["together"] / 1e6),
    }
    for other, mine in PEER_OF.items():
        if other in costs:
            for name, (unit, take) in taken.items():
                what = f"deduplication of {len(texts):,} documents, {mine}: {name}"
                rows.append(compared(f"dedup.{mine}.{name}.{other}", what, unit, {mine: costs[mine], other: costs[other]}, take))
    return rows


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


def _all(texts: dict[str, str], rounds: int) -> tuple[dict[str, Pairs], dict[str, list[Cost]]]:
    """Pairs that each side found, and what it cost in each round, interleaved."""
    given, layout = FOLDER / "in", NearDuplicates(threshold=THRESHOLD).layout()
    given.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps({"id": key, "text": text, "url": f"http://dedup.example/{key}"}) + "\n" for key, text in texts.items()]
    for number in range(2):  # a file for each core
        (given / f"{number}.jsonl").write_text("".join(lines[number::2]))
    whole = FOLDER / "in.jsonl"
    whole.write_text("".join(lines))
    commands = {
        SPARK: curate(RECIPE, given, FOLDER / "corpus", "--master", "local[2]", "--set", f"near_duplicates.threshold={THRESHOLD}"),
        KERNELS: ours("tests.benchmarks.dedup", KERNELS, whole, FOLDER / KERNELS),
        DATASKETCH: ours("tests.benchmarks.dedup", DATASKETCH, whole, FOLDER / DATASKETCH),
    }
    pythons = peers("datatrove", "text_dedup")
    if "datatrove" in pythons:
        script = PEERS / "datatrove_minhash.py"
        commands["datatrove"] = _cleared(FOLDER / "datatrove.work", [pythons["datatrove"], script, given, FOLDER / "datatrove.work"])
        commands["datatrove"] += [FOLDER / "datatrove", *layout]
    if "text_dedup" in pythons:
        commands["text-dedup"] = [pythons["text_dedup"], PEERS / "text_dedup_minhash.py", whole, FOLDER / "text-dedup", *layout]
    print(f"{len(texts):,} documents", flush=True)
    costs = interleaved({side: partial(spent, command) for side, command in commands.items()}, rounds)
    found = {side: {_pair(*pair) for pair in json.loads((FOLDER / side).read_text())} for side in commands if side != SPARK}
    assert all(found.values()), "a side found nothing: its answer was misread, or its environment is broken"
    return {SPARK: _clusters(FOLDER / "corpus"), **found}, costs


def _cleared(folder: Path, command: list[object]) -> list[object]:
    """The command, with the folder removed before: datatrove leaves out the tasks that it finds done."""
    return ["sh", "-c", 'rm -rf "$0" && exec "$@"', folder, *command]


def _clusters(corpus: Path) -> Pairs:
    """Each duplicate with its survivor, from the ledger."""
    ledger = ds.dataset(corpus / "ledger").to_table(columns=["id", "url", "duplicate_of"])
    keys = {each["id"]: each["url"].rpartition("/")[2] for each in ledger.to_pylist()}
    return {_pair(keys[each["id"]], keys[each["duplicate_of"]]) for each in ledger.to_pylist() if each["duplicate_of"]}


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


def _accuracy(name: str, texts: dict[str, str], planted: Mapping[str, Pairs], found: Mapping[str, Pairs]) -> list[Row]:
    """Recall of all that is alike beyond the threshold in truth, and by kind; precision as the share of told pairs that are.

    A pair is found where both lie in one cluster. ``interval`` is Wilson's of our share, over the peer's.
    """
    true = _true_similarity(texts)
    alike = {pair for pair in set().union(*planted.values(), *found.values()) if true(*pair) >= THRESHOLD}
    joined = {side: _joined(pairs) for side, pairs in found.items()}

    def recall(side: str, pairs: Pairs) -> tuple[int, int]:
        return sum(joined[side](*pair) for pair in pairs), max(1, len(pairs))

    def precision(side: str) -> tuple[int, int]:
        return len(found[side] & alike), max(1, len(found[side]))

    rows = []
    for peer, mine in PEER_OF.items():
        if peer not in found:
            continue
        kinds = {}
        for kind, pairs in planted.items():
            kinds |= {f"recall, {kind}": _share(recall(mine, pairs)), f"peer's recall, {kind}": _share(recall(peer, pairs))}
        measures = {"recall": [recall(side, alike) for side in (mine, peer)], "precision": [precision(side) for side in (mine, peer)]}
        for measure, counts in measures.items():
            own, other = map(_share, counts)
            rows.append(
                row(
                    f"dedup.{mine}.{measure}.{name}.{peer}",
                    f"{measure} on {len(texts):,} {name} documents, pairs alike by {THRESHOLD} in truth, {mine}",
                    measure,
                    own,
                    peer_name=peer,
                    peer=other,
                    ratio=own / other if other else None,
                    interval=[bound / other for bound in wilson(*counts[0])] if other else None,
                    **(kinds if measure == "recall" else {}),
                )
            )
    return rows


def _share(counts: tuple[int, int]) -> float:
    return counts[0] / counts[1]


def _joined(pairs: Pairs) -> Callable[[str, str], bool]:
    """Whether two lie in one cluster."""
    above: dict[str, str] = {}

    def root(key: str) -> str:
        while (next_one := above.get(key, key)) != key:
            above[key] = above.get(next_one, next_one)
            key = above[key]
        return key

    for one, other in pairs:
        above[root(other)] = root(one)
    return lambda one, other: root(one) == root(other)


def _true_similarity(texts: dict[str, str]) -> Callable[[str, str], float]:
    column = pa.array(list(texts.values()))
    sets = shingle_sets(column, words(column), np.full(len(column), 5)).to_pylist()
    held = {key: np.frombuffer(found or b"", "<u4") for key, found in zip(texts, sets, strict=True)}
    return lambda one, other: float(jaccard(held[one], held[other]))


def _batches(records: Iterator[dict[str, str]], size: int) -> Iterator[list[dict[str, str]]]:
    while batch := list(islice(records, size)):
        yield batch


def _pair(one: str, other: str) -> Pair:
    return (one, other) if one < other else (other, one)


if __name__ == "__main__":
    side, lines, target = sys.argv[1:]
    Path(target).write_text(json.dumps({KERNELS: _ours, DATASKETCH: _datasketch}[side](Path(lines))))
