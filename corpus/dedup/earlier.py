"""Documents of earlier corpora, as rows that take part in deduplication and are gone from its result: what was seen first stays.

A corpus made with ``output.index`` has ``index/*.parquet``: digest and signature of every document that its own deduplication saw, those
dropped as near-duplicates too, so that a new document that is like one of them only is known as well. No text is read. For the new
documents the result is that of both crawls in one run whose survivor rule prefers the earlier: a cluster that holds an earlier document
keeps no new one. Earlier corpora are never rewritten: where a new document joins two of their clusters, both survivors stay.

    rows = with_earlier(documents, ("corpora/2025",))
    found = without_earlier(deduplicated(rows))
"""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema

from corpus import document
from corpus.errors import InputError
from corpus.storage import locate
from corpus.work import spark_path

INDEX, MANIFEST = "index", "manifest.json"
_MARK = "~"  # after an id: no id of a new document has it, and ids keep their order


def with_earlier(documents: DataFrame, against: Sequence[str]) -> DataFrame:
    """The ledger table and, for each document of the indexes, a live row with id, text_digest, signature and duplicate_of."""
    if not against:
        return documents
    for corpus in against:
        if not (locate(corpus) / INDEX).exists():
            raise InputError("this corpus has no index", where=corpus, hint="make it again with --set output.index=true")
    schema = from_arrow_schema(pa.schema(list(document.INDEX)))
    index = documents.sparkSession.read.schema(schema).parquet(*(spark_path(locate(corpus) / INDEX) for corpus in against))
    # a record of two earlier corpora stands once
    once = index.groupBy("id").agg(F.min(F.struct("duplicate_of", "text_digest", "signature")).alias("row"))
    rows = once.select(F.concat("id", F.lit(_MARK)).alias("id"), "row.*")
    return documents.unionByName(rows, allowMissingColumns=True)


def is_earlier() -> Column:
    """Whether a row is an earlier corpus's."""
    return F.col("id").endswith(_MARK)


def without_earlier(documents: DataFrame) -> DataFrame:
    return documents.where(~is_earlier())


def survivor() -> Column:
    """Of a row that stays: the id of the document that stands for it in its corpus."""
    return F.when(is_earlier(), F.coalesce("duplicate_of", F.rtrim("id", F.lit(_MARK)))).otherwise(F.col("id"))


def refuse_other_signatures(against: Sequence[str], settings: Mapping[str, int]) -> None:
    """Raises InputError where the signatures of an earlier corpus were made with other settings: they cannot be compared."""
    for corpus in against:
        place = locate(corpus) / MANIFEST
        try:
            steps = json.loads(place.read_bytes())["fingerprint"]["recipe"]["steps"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "this is no finished corpus", where=corpus, hint="`against` names folders that `gristmill curate` made"
            ) from error
        there: dict[str, int] = next((step["min_hash_signature"] for step in steps if "min_hash_signature" in step), {})
        for name, value in settings.items():
            if there.get(name) != value:
                raise InputError(
                    f"its signatures have {name}={there.get(name)}, not {value}", where=corpus, hint="make it again, or set ours so"
                )
