"""The work folder: whose it is, and where set steps leave what they computed, so that a killed run goes on from there.

resumed = claim(place, fingerprint, differences)
table = Work(spark, place, texts).materialise("01-exact", lambda: step(table, work))
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self, final

from pyspark.sql import DataFrame, SparkSession

from corpus.errors import OutputError, ResumeError
from corpus.storage import Place, json_bytes

STATE = "state.json"
Differences = Callable[[Mapping[str, Any], Mapping[str, Any]], list[str]]

_WHOLE = "_whole.json"  # written last, with the size of every part: Spark reads a folder that lacks one without a word


@final
@dataclass(frozen=True)
class Work:
    """A folder that Spark can read and write, the session to do it with, and the texts. A ``corpus.step.Workspace``."""

    spark: SparkSession
    place: Place
    texts: DataFrame

    def below(self, name: str) -> Self:
        """A folder of a step's own."""
        return type(self)(self.spark, self.place / name, self.texts)

    def reread(self, name: str) -> DataFrame:
        """What was materialised under ``name``."""
        return self.spark.read.parquet(spark_path(self.place / name))

    def materialise(self, name: str, make: Callable[[], DataFrame]) -> DataFrame:
        """``make()`` written as Parquet under ``name`` and read back; only read back where it lies whole already."""
        folder = self.place / name
        whole = folder / _WHOLE
        if not whole.exists() or json.loads(whole.read_bytes()) != _parts(folder):
            made = make()
            made.write.mode("overwrite").parquet(spark_path(folder))
            whole.write_bytes(json_bytes(_parts(folder)))
            return self.spark.read.schema(made.schema).parquet(spark_path(folder))
        return self.reread(name)


def _parts(folder: Place) -> dict[str, int]:
    """Bytes of the Parquet files that Spark has written, by name."""
    return {info.base_name: info.size for info in folder.files() if info.base_name.endswith(".parquet")}


def spark_path(place: Place) -> str:
    """How Spark calls the place: local paths as file: URIs (the default file system of a cluster may be HDFS), S3 as s3a."""
    if place.is_local:
        return f"file://{place.path}"
    return "s3a://" + place.uri[len("s3://") :] if place.uri.startswith("s3://") else place.uri


def refuse_foreign(output: Place, manifest: str, work: Place) -> None:
    """Never write into a folder of somebody else's, nor take one for ours. ``manifest``: the file that a whole output of ours has."""
    if output.exists() and output.files() and not (output / manifest).exists() and not (work / STATE).exists():
        raise OutputError("the output folder holds something else", where=output.uri, hint="choose an empty folder, or give --overwrite")


def claim(work: Place, now: Mapping[str, Any], differences: Differences) -> bool:
    """Mark the work folder as that of the run with the fingerprint ``now``; true if it was begun before."""
    work.make_folder()
    state = work / STATE
    if state.exists():
        changed = differences(json.loads(state.read_bytes()), now)
        if changed:
            raise ResumeError(
                f"an unfinished run lies there; changed: {'; '.join(changed)}", where=work.uri, hint="--overwrite starts over"
            )
        return True
    if work.files():
        raise OutputError(
            "the work folder holds something else", where=work.uri, hint="choose an empty folder with --work, or give --overwrite"
        )
    state.write_bytes(json_bytes(now))
    return False
