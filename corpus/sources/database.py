"""A query of a database, exported once to Parquet by Spark's JDBC reader, in parts; what curates reads is the export.

A table changes while it is read, and a killed run would come back to another one. So the export is the input: it has a digest, it stays
what it was, and the recipe reads it as Parquet, column map and labels included. Rows go from the tasks to the files, never through the
driver. A part that is whole is not read again; rows within a part come in the order of the key, so that equal tables give equal bytes.

    export(spark, Query(url="jdbc:postgresql://db/crm", query="SELECT id, body FROM notes", key="id", parts=16), locate("notes/"))

The password comes from the environment (``GRISTMILL_DB_PASSWORD``), never from the command line, and is written nowhere.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, final

import pyarrow as pa
import pyarrow.parquet as pq
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from corpus.errors import EnvironmentProblem, InputError, ResumeError
from corpus.storage import Place, json_bytes
from corpus.tasks import guarded

MANIFEST, STATE = "export", "bounds"  # JSON, under names that no source takes for data
PASSWORD, USER = "GRISTMILL_DB_PASSWORD", "GRISTMILL_DB_USER"
_DRIVERS = {
    "postgresql": "org.postgresql.Driver",
    "sqlite": "org.sqlite.JDBC",
    "mysql": "com.mysql.cj.jdbc.Driver",
    "mariadb": "org.mariadb.jdbc.Driver",
    "sqlserver": "com.microsoft.sqlserver.jdbc.SQLServerDriver",
    "oracle": "oracle.jdbc.OracleDriver",
}
_FETCH_ROWS = 1000
_NAME = re.compile(r"^[A-Za-z_]\w*$")


@final
@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of which database. ``key``: an integer column, unique in the query, by whose ranges it is read in ``parts``."""

    url: str
    query: str
    key: str
    parts: int = 8

    def __post_init__(self) -> None:
        if not re.match(r"^jdbc:[a-z]+:", self.url):
            raise InputError("this is no JDBC address", where=_without_secrets(self.url), hint="such as jdbc:postgresql://host/database")
        if re.search(r"password\s*=", self.url, re.IGNORECASE) or re.search(r"//[^/@]*:[^/@]*@", self.url):
            raise InputError(
                "the address holds a password", where=_without_secrets(self.url), hint=f"put it in the environment: {PASSWORD}"
            )
        if not _NAME.match(self.key):
            raise InputError("the key is the plain name of a column", where=self.key)
        if self.parts < 1:
            raise InputError("parts must be at least 1", where=str(self.parts))


def export(spark: SparkSession, query: Query, folder: Place, jar: str = "") -> int:
    """Write the query's rows to ``folder`` as ``part-NNNNN.parquet``; go on where a killed export stopped. Returns the number of rows.

    ``jar``: the JDBC driver, where Spark does not have it. Raises InputError, EnvironmentProblem, ResumeError.
    """
    asked = {**asdict(query), "url": _without_secrets(query.url)}
    if (folder / MANIFEST).exists():
        told = json.loads((folder / MANIFEST).read_bytes())
        _refuse_other(told["query"], asked, folder)
        return int(told["rows"])
    if jar:
        if not os.path.exists(jar):
            raise EnvironmentProblem("the JDBC driver is not there", where=jar)
        spark.sql(f"ADD JAR '{jar}'")
    bounds = _bounds(spark, query, asked, folder)
    missing = [at for at in range(len(bounds)) if not (folder / _part(at)).exists()]
    if missing:
        _run(lambda: _write(spark, query, [bounds[at] for at in missing], missing, folder), query)
    rows = {_part(at): pq.read_metadata((folder / _part(at)).open()).num_rows for at in range(len(bounds))}
    (folder / MANIFEST).write_bytes(json_bytes({"query": asked, "rows": sum(rows.values()), "parts": rows}))
    return sum(rows.values())


def _bounds(spark: SparkSession, query: Query, asked: dict[str, Any], folder: Place) -> list[str]:
    """One condition on the key a part, found out once: rows that come later must not move the borders of a resumed export."""
    if (folder / STATE).exists():
        told = json.loads((folder / STATE).read_bytes())
        _refuse_other(told["query"], asked, folder)
        return list(told["bounds"])
    key = query.key
    found = _run(lambda: _read(spark, query, f"SELECT MIN({key}) AS low, MAX({key}) AS high FROM ({query.query}) q").collect(), query)
    try:
        low, high = int(found[0][0]), int(found[0][1])
    except (TypeError, ValueError):
        raise InputError("the query gives no rows, or its key is no integer", where=query.key) from None
    step = -(-(high - low + 1) // query.parts)
    starts = range(low, high + 1, step)
    bounds = [f"{key} >= {start} AND {key} <= {min(start + step - 1, high)}" for start in starts]
    folder.make_folder()
    (folder / STATE).write_bytes(json_bytes({"query": asked, "bounds": bounds}))
    return bounds


def _write(spark: SparkSession, query: Query, bounds: list[str], numbers: list[int], folder: Place) -> None:
    """Each part by one task: the database filters it, the task sorts it and streams it into a file that appears when it is whole."""
    for bound, number in zip(bounds, numbers, strict=True):
        frame = _read(spark, query, f"SELECT * FROM ({query.query}) q WHERE {bound}").coalesce(1).sortWithinPartitions(query.key)
        place = folder / _part(number)

        def over(batches: Iterator[pa.RecordBatch], place: Place = place) -> Iterator[pa.RecordBatch]:
            yield from _into_file(batches, place)

        if not frame.mapInArrow(guarded(over), "rows long").collect():  # no row lies between these keys
            with place.replace() as out:
                pq.write_table(pa.schema([pa.field(name, pa.string()) for name in frame.columns]).empty_table(), out)


def _into_file(batches: Iterator[pa.RecordBatch], place: Place) -> Iterator[pa.RecordBatch]:
    first = next(batches, None)
    if first is None:
        return
    rows = 0
    with place.replace() as out, pq.ParquetWriter(out, first.schema, compression="zstd") as writer:
        while first is not None:
            writer.write_batch(first)
            rows += first.num_rows
            first = next(batches, None)
    yield pa.RecordBatch.from_pydict({"rows": [rows]})


def _read(spark: SparkSession, query: Query, sql: str) -> DataFrame:
    kind = query.url.split(":")[1]
    reader = spark.read.format("jdbc").option("url", query.url).option("query", sql).option("fetchsize", _FETCH_ROWS)
    if kind in _DRIVERS:
        reader = reader.option("driver", _DRIVERS[kind])
    for option, name in (("user", USER), ("password", PASSWORD)):
        if name in os.environ:
            reader = reader.option(option, os.environ[name])
    return reader.load()


def _run(action: Callable[[], Any], query: Query) -> Any:
    """What the database or its driver refuses, in one line and without its password."""
    try:
        return action()
    except (PySparkException, Py4JError) as error:
        text = str(error)
        if "gristmill-user-error:" in text:  # a task's own word, such as a full disk: told by raising_user_errors
            raise
        if "ClassNotFoundException" in text or "No suitable driver" in text:
            raise EnvironmentProblem(
                "Spark has no JDBC driver for this database", where=_without_secrets(query.url), hint="name its .jar with --driver"
            ) from error
        found = re.search(r"(?:SQLException|PSQLException|SQLiteException)[^:\n]*:\s*([^\n]{1,300})", text)
        raise InputError(
            "the database refuses", where=_without_secrets(query.url), hint=(found.group(1) if found else text[:300])
        ) from error


def _refuse_other(told: dict[str, Any], asked: dict[str, Any], folder: Place) -> None:
    if told != asked:
        raise ResumeError("another query was exported there", where=folder.uri, hint="choose another folder")


def _part(number: int) -> str:
    return f"part-{number:05d}.parquet"


def _without_secrets(url: str) -> str:
    """An address that may be printed: without user, password and parameters."""
    return re.sub(r"[?;].*$", "", re.sub(r"//[^/@]*@", "//", url))
