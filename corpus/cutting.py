"""Texts without what set steps have cut from them: the one place where a document's text changes after the fused pass.

A set step says what goes as spans of bytes in the text as it found it; ``cuts`` on the ledger table has them by step, in their order. The
texts themselves stay as they are in the work folder, and are cut as they are read by later set steps and by the writer. Of the
signals, words are counted anew; the others stay those that the document was judged by.

    texts = cut_texts(texts, documents)
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from corpus import document
from corpus.kernels.pieces import without
from corpus.language.words import SegmentWords
from corpus.tasks import guarded


def cut_texts(texts: DataFrame, documents: DataFrame) -> DataFrame:
    """``texts``: as the fused pass left them; ``documents``: the ledger table -> the texts as they are now, with the same columns."""
    cuts = documents.where("cuts is not null").select("id", "origin", "cuts")
    joined = texts.join(cuts, ["id", "origin"], "left").select(*texts.columns, "cuts")

    def over(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield cut(batch).drop_columns(["cuts"])

    return joined.mapInArrow(guarded(over), texts.schema)


def cut(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Columns ``text``, ``cuts`` and perhaps ``signals``, a struct -> the texts without their cuts, and their words counted anew."""
    lengths = pc.fill_null(pc.list_value_length(batch["cuts"]), 0).to_numpy(zero_copy_only=False)
    for number in range(lengths.max(initial=0)):
        has = pa.array(lengths > number)
        spans = pc.struct_field(pc.list_element(batch["cuts"].filter(has), number), "spans")
        texts = pc.replace_with_mask(batch["text"], has, without(batch["text"].filter(has), spans))
        batch = document.with_column(batch, "text", texts)
    return _recounted(batch, lengths > 0) if (lengths > 0).any() and "signals" in batch.schema.names else batch


def _recounted(batch: pa.RecordBatch, changed: np.ndarray) -> pa.RecordBatch:
    signals = batch["signals"]
    fields = {field.name: pc.struct_field(signals, field.name) for field in signals.type}
    mask = pa.array(changed)
    counted = SegmentWords()(batch.select(["text"]).filter(mask))
    for name in SegmentWords.signals:
        if name in fields:
            fields[name] = pc.replace_with_mask(fields[name], mask, counted[document.SIGNAL + name].cast(fields[name].type))
    struct = pa.StructArray.from_arrays(list(fields.values()), fields=list(signals.type), mask=pc.is_null(signals))
    return document.with_column(batch, "signals", struct)
