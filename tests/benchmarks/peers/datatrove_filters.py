"""datatrove's filters on the first texts of a Parquet folder: CPU seconds, and how many documents pass them all.

python datatrove_filters.py build/bench/texts/documents 500
"""

import json
import sys
import time

import pyarrow.parquet as pq
from datatrove.data import Document
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter


def main(folder: str, count: str) -> None:
    filters = [GopherRepetitionFilter(), GopherQualityFilter(), C4QualityFilter(filter_no_terminal_punct=False), FineWebQualityFilter()]
    texts = pq.read_table(folder, columns=["text"])["text"].to_pylist()[: int(count)]
    documents = [Document(text=text, id=str(at)) for at, text in enumerate(texts)]

    def passes(document: Document) -> bool:
        return all(each.filter(document) is True for each in filters)

    passes(Document(text="One sentence to warm up. " * 50, id="warm"))
    started = time.process_time()
    kept = sum(map(passes, documents))
    print(json.dumps({"seconds": time.process_time() - started, "documents": len(documents), "kept": kept}))


if __name__ == "__main__":
    main(*sys.argv[1:])
