"""datatrove's four stages of MinHash deduplication over a folder of JSON lines; runs in its own environment. Its clusters as pairs of keys.

python datatrove_minhash.py in/ work/ pairs.json 12 9
"""

import json
import struct
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers import JsonlWriter

WORKERS = 2


def main(given: str, work: str, target: str, bands: str, rows: str) -> None:
    config = MinhashConfig(n_grams=5, num_buckets=int(bands), hashes_per_bucket=int(rows))
    removed = JsonlWriter(f"{work}/removed", compression=None)
    bands_a_worker = int(bands) // WORKERS
    stages = [
        (WORKERS, [JsonlReader(given), MinhashDedupSignature(f"{work}/signatures", config=config)]),
        (bands_a_worker * WORKERS, [MinhashDedupBuckets(f"{work}/signatures", f"{work}/buckets", config=config)]),
        (1, [MinhashDedupCluster(f"{work}/buckets", f"{work}/clusters", config=config, save_cluster_id=True)]),
        (
            WORKERS,
            [
                JsonlReader(given),
                MinhashDedupFilter(f"{work}/clusters", exclusion_writer=removed),
                JsonlWriter(f"{work}/kept", compression=None),
            ],
        ),
    ]
    for number, (tasks, pipeline) in enumerate(stages):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=min(WORKERS, tasks), logging_dir=f"{work}/logs/{number}").run()
    clusters: dict[int, list[str]] = {}
    files = sorted(Path(given).iterdir())
    assert len(files) == WORKERS  # a task reads one file, and its clusters name documents by their number in it
    for task, file in enumerate(files):
        told = Path(work, "clusters", f"{task:06d}.clusters")  # the filter passes them on only in tasks that remove something
        if told.exists():
            keys = [json.loads(line)["id"] for line in file.open()]
            for number, cluster in struct.iter_unpack("<2I", told.read_bytes()):
                clusters.setdefault(cluster, []).append(keys[number])
    pairs = [sorted((keys[0], other)) for keys in clusters.values() for other in keys[1:]]
    Path(target).write_text(json.dumps(pairs))


if __name__ == "__main__":
    main(*sys.argv[1:])
