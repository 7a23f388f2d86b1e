"""Records of every outside archive, counted by ours, by warcio and by FastWARC; where they differ the table says why."""

import contextlib
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import fastwarc.warc
import pytest
from warcio.archiveiterator import ArchiveIterator

from corpus.sources.source import InputFile, ReadLog, Split
from corpus.sources.warc import WarcSource

ARC = "FastWARC reads no ARC"
CORRUPT_ARC = "FastWARC reads no ARC; lengths in it are wrong: warcio stops at the first, ours goes on at the next line that is one"
ARC_LENGTH = "lengths -1 and abc: warcio counts what has none as records, ours as damage"
BZIP2 = "neither reads bzip2"
LZ4 = "warcio reads no lz4"
ONE_MEMBER = "several records in a gzip member: warcio stops at the second"
WARCIO_RAISES = "warcio raises: POST bodies without a request beside them, a date that is none"
FASTWARC_ENDS = "lines that end with LF alone: FastWARC stops after a record"
LENGTH = "wrong lengths: ours goes on at the next header, FastWARC after what the length says, warcio counts pieces of bodies"
LF = "ClueWeb09: WARC/0.18, lines that end with LF alone, an empty line more: both stop after a record"
GAP = "an empty line too many between records: warcio stops"
NO_NEWLINE = "no empty lines at the end: all count one, and FastWARC raises after it"
NO_COLON = "a header of lines without a colon is none"
NO_LENGTH = "a record without Content-Length is damage for ours, an empty record for warcio"
FOLDED = "a header that is folded over Content-Length is none for ours"
NO_END = "a header that does not end is damage for ours, a record for the others"

# file -> (records ours, warcio's, FastWARC's, why they differ); in every file that is not here all three are equal.
DIFFERENT = {
    "archivesunleashed__aut/arc/example.arc.gz": (300, 300, 0, ARC),
    "netarchivesuite__jwat/jwat-arc/src/test/resources/1-1-20110922131213-00000-svc-VirtualBox.arc": (102, 102, 0, ARC),
    "netarchivesuite__jwat/jwat-arc/src/test/resources/small_BNF.arc": (6, 6, 0, ARC),
    "netarchivesuite__jwat/jwat-arc/src/test/resources/test-arc-1.0-dashed-fields.arc": (2, 2, 0, ARC),
    "internetarchive__warc/alexa_short_header.arc.gz": (2, 2, 0, ARC),
    "webrecorder__warcio/example-space-in-url.arc": (2, 2, 0, ARC),
    "webrecorder__warcio/example.arc": (2, 2, 0, ARC),
    "webrecorder__warcio/example.arc.gz": (2, 2, 0, ARC),
    "archivesunleashed__aut/arc/badexample.arc.gz": (5, 1, 0, CORRUPT_ARC),
    "webrecorder__warcio/bad.arc": (1, 4, 0, ARC_LENGTH),
    "slyrz__warc/bench.warc.bz2": (23, 0, 0, BZIP2),
    "slyrz__warc/test.warc.bz2": (10, 0, 0, BZIP2),
    "chatnoir-eu__chatnoir-resiliparse/block-sized-records.warc.lz4": (3, 0, 3, LZ4),
    "chatnoir-eu__chatnoir-resiliparse/warcfile.warc.lz4": (50, 0, 50, LZ4),
    "internetarchive__gowarc/corrupted-mid-record.warc.gz.open": (12, 2, 12, ONE_MEMBER),
    "internetarchive__gowarc/corrupted-trailing-bytes.warc.gz.open": (30, 2, 30, ONE_MEMBER),
    "internetarchive__gowarc/good.warc.gz.open": (50, 1, 50, ONE_MEMBER),
    "internetarchive__gowarc/skip-non-open.warc.gz": (10, 1, 10, ONE_MEMBER),
    "slyrz__warc/test.warc.gz": (10, 1, 10, ONE_MEMBER),
    "webrecorder__warcio/example-bad-non-chunked.warc.gz": (6, 1, 6, ONE_MEMBER),
    "webrecorder__warcio/example-bad.warc.gz.bad": (6, 1, 6, ONE_MEMBER),
    "webrecorder__warcio/example-wrong-chunks.warc.gz": (2, 1, 2, ONE_MEMBER),
    "openzim__warc2zim/data/single-page-test.warc": (108, 40, 108, WARCIO_RAISES),
    "webrecorder__py-wacz/example-collection-with-lists.warc": (38, 6, 38, WARCIO_RAISES),
    "webrecorder__replayweb.page/netpreserve-twitter.warc": (304, 76, 304, WARCIO_RAISES),
    "apache__stormcrawler/unparsable-date.warc.gz": (3, 1, 3, WARCIO_RAISES),
    "oduwsdl__ipwb/1memento.warc": (4, 4, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/1memento_noContentType.warc": (2, 2, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/2mementos.warc": (5, 5, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/2mementos_htmlXhtml.warc": (3, 3, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/2mementos_queryString.warc": (3, 3, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/3mementos.warc": (6, 6, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/4mementos.warc": (7, 7, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/5mementos.warc": (8, 8, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/5mementosAndFroggie.warc": (9, 9, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/baconIpsum_chunked_httpTrailors.warc": (6, 6, 2, FASTWARC_ENDS),
    "oduwsdl__ipwb/redirectRelative.warc": (2, 2, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/slash.warc": (2, 2, 1, FASTWARC_ENDS),
    "oduwsdl__ipwb/variableSizedDates.warc": (5, 5, 1, FASTWARC_ENDS),
    "datatogether__warc/test.warc": (10, 10, 10, LENGTH),
    "datatogether__warc/warcio/example-trunc.warc": (4, 4, 3, LENGTH),
    "facebookresearch__cc_net/sample.warc.txt": (4, 1, 1, LENGTH),
    "oduwsdl__ipwb/HTTP204.warc": (3, 3, 1, LENGTH),
    "oduwsdl__ipwb/broken.warc": (6, 8, 6, LENGTH),
    "oduwsdl__ipwb/redirect.warc": (2, 2, 1, LENGTH),
    "toimik__WarcProtocol/Invalid/incorrect_content_length.warc": (4, 3, 1, LENGTH),
    "toimik__WarcProtocol/Invalid/short_content_block.warc": (1, 0, 1, LENGTH),
    "webrecorder__warcio/example-trunc.warc": (4, 4, 3, LENGTH),
    "webrecorder__warcio.js/example-bad-length.warc": (6, 6, 3, LENGTH),
    "DigitalPebble__behemoth/ClueWeb09_English_Sample.warc": (101, 1, 1, LF),
    "iipc__webarchive-commons/resource/html/link-extraction-test.warc": (8, 4, 8, GAP),
    "netarchivesuite__jwat/jwat-common/src/test/resources/test-utf8.warc": (1, 1, 1, NO_NEWLINE),
    "toimik__WarcProtocol/Invalid/malformed_header.warc": (0, 0, 0, NO_COLON),
    "toimik__WarcProtocol/Invalid/missing_header_field.warc": (3, 4, 1, NO_LENGTH),
    "toimik__WarcProtocol/Invalid/multiline_header_values.warc": (0, 1, 0, FOLDED),
    "toimik__WarcProtocol/Invalid/premature_w_trailing_newline.warc": (0, 1, 1, NO_END),
    "toimik__WarcProtocol/Invalid/premature_wo_trailing_newline.warc": (0, 1, 1, NO_END),
}


def counted(records: Callable[[], Iterable[Any]]) -> int:
    """Until the reader ends, or raises."""
    count = 0
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        for record in records():
            if hasattr(record, "content_stream"):
                record.content_stream().read()
            count += 1
    return count


def three(path: Path) -> tuple[int, int, int] | None:
    """(ours, warcio's, FastWARC's); None where the file is no archive of ours."""
    file = InputFile(0, path.name, str(path), path.stat().st_size)
    if not WarcSource().accepts(file, path.read_bytes()[:4096]):
        return None
    log = ReadLog()
    rows = sum(batch.num_rows for batch in WarcSource().read(Split(file, 0, file.size_bytes), log))
    with path.open("rb") as stream:
        warcio = counted(lambda: ArchiveIterator(stream, arc2warc=True))
    return rows + sum(log.records.values()), warcio, counted(lambda: fastwarc.warc.ArchiveIterator(str(path)))


@pytest.mark.parametrize("folder", ["warc", "warc-edge"])
def test_every_archive_beside_warcio_and_fastwarc(shared_data: Callable[[str], Path], folder: str) -> None:
    root = shared_data(folder)
    found, unread = {}, []
    for path in sorted(path for path in root.rglob("*") if path.is_file() and path.name not in ("SOURCE.txt", "INDEX.tsv")):
        name = str(path.relative_to(root))
        if (counts := three(path)) is None:
            unread.append(path.name)
        else:
            found[name] = counts
    different = {name: counts for name, counts in found.items() if len(set(counts)) > 1 or name in DIFFERENT}
    assert different == {name: told[:3] for name, told in DIFFERENT.items() if name in found}
    assert len(found) - len(different) >= 25
    assert unread == (["empty.warc.gz.open"] if folder == "warc-edge" else [])  # a gzip member of nothing
