"""datatrove's road from WARC to Parquet with the steps of our recipe `web`; run in an environment of its own (datatrove.txt).

LID_MODEL=lid.176.ftz python datatrove_web.py WARCS OUTPUT
"""

import os
import sys

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.extractors import Trafilatura
from datatrove.pipeline.filters import C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter, LanguageFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import WarcReader
from datatrove.pipeline.writers import ParquetWriter
from datatrove.utils import lid

WORKERS = 2
# Its own model is a download: the same file for both. Here, and not in main, because its workers import this module again.
lid.cached_asset_path_or_download = lambda *_, **__: os.environ["LID_MODEL"]


def main(warcs: str, output: str) -> None:
    LocalPipelineExecutor(
        pipeline=[
            WarcReader(warcs, glob_pattern="*.warc.gz"),
            Trafilatura(favour_precision=True, timeout=10, deduplicate=False),
            LanguageFilter(languages=None, language_threshold=0.65),
            GopherRepetitionFilter(),
            GopherQualityFilter(),
            C4QualityFilter(filter_no_terminal_punct=False),
            FineWebQualityFilter(),
            PIIFormatter(),
            ParquetWriter(output),
        ],
        tasks=WORKERS,
        workers=WORKERS,
        logging_dir=f"{output}.logs",
        skip_completed=False,
    ).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
