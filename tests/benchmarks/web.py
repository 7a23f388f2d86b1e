"""The whole road: the recipe `web` on real pages, from process start to finished report, beside datatrove with the same filters.

python -m tests.benchmarks.run web
"""

import json
import os
import re
import shutil
from importlib import resources
from typing import Any

import pyarrow.dataset as ds

from tests.benchmarks.pages import warcs
from tests.benchmarks.sides import BUILD, PEERS, compared, interleaved, ours, peer, wall

COPIES = 5  # 10,315 documents: the start of Spark does not decide


def measure(rounds: int) -> dict[str, Any]:
    folder, documents = warcs(int(os.environ.get("GRISTMILL_BENCH_COPIES", COPIES)))
    python = peer("datatrove")

    def gristmill() -> float:
        shutil.rmtree(BUILD / "ours", ignore_errors=True)
        return wall(ours("jobs.cli", "curate", "web", "--input", folder, "--output", BUILD / "ours", "--master", "local[2]"))

    def datatrove() -> float:
        for name in ("theirs", "theirs.logs"):
            shutil.rmtree(BUILD / name, ignore_errors=True)
        with resources.as_file(resources.files("corpus.resources.lid176").joinpath("lid.176.ftz")) as model:
            return wall([python, PEERS / "datatrove_web.py", folder, BUILD / "theirs"], LID_MODEL=str(model))

    times = interleaved({"gristmill": gristmill, "datatrove": datatrove}, rounds)
    result = compared("web: WARC to Parquet on 2 cores", "documents/s", documents, times)
    result["kept"] = json.loads((BUILD / "ours" / "manifest.json").read_text())["kept"]
    result["peer_kept"] = ds.dataset(BUILD / "theirs").count_rows()
    assert result["peer_kept"] > documents / 10, "the peer extracted next to nothing: its environment is broken"
    result["run"] = json.loads((BUILD / "ours" / "run.json").read_text())
    result["peer_version"] = re.search(r"datatrove==(\S+)", (PEERS / "datatrove.txt").read_text())[1]  # type: ignore[index]
    return result
