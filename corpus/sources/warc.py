"""Web archives: WARC 1.0 and 1.1, WET, WAT, ARC 1 and 2; plain, gzip, bzip2, zstd or lz4, or in a WACZ. One row for each response, resource
and conversion record.

Framing through damage is ours (``framing``); the records are parsed by FastWARC, 3.5 µs each. A record that gives no text
becomes a row with a reason; other records are counted by type. A revisit holds no text by definition (its page was met before, perhaps in
another crawl): it is counted with its profile. WAT holds what was computed of the pages, links and titles, and no text: its records are
counted as ``wat:metadata``.

    log = ReadLog()
    for batch in WarcSource().read(Split(file, 0, file.size_bytes), log): ...
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, final

import numpy as np
import pyarrow as pa
import xxhash
from fastwarc.warc import WarcRecord
from resiliparse.parse.encoding import detect_mime

from corpus import document, hashing
from corpus.sources.compression import CODECS, Blocks, is_skippable
from corpus.sources.digests import digests_hold
from corpus.sources.framing import Frame, after_skippable, frames
from corpus.sources.http import BadChunks, BadEncoding, TooLarge, decode_body
from corpus.sources.source import Damage, InputFile, ReadLog, Source, Split
from corpus.sources.wacz import ZIP_MAGIC, wacz_frames
from corpus.step import Reason
from corpus.urls.site_files import rules_of, site_file

STATUS = Reason("http:status", "the server's answer is not a success: the value is its status code")
NOT_TEXT = Reason("http:not_text", "the payload is neither HTML nor plain text")
NO_PAYLOAD = Reason("http:no_payload", "the answer has no body")
UNKNOWN_ENCODING = Reason("http:unknown_encoding", "the content encoding is unknown, or the body is not of it")
BROKEN_CHUNKING = Reason("http:broken_chunking", "the body breaks off within a chunk")
BAD_HTTP = Reason("http:bad_header", "the record holds no readable HTTP answer")
TRUNCATED = Reason("warc:truncated", "the crawler cut the payload (WARC-Truncated)")
TOO_LARGE = Reason("warc:too_large", "the payload is larger than the limit in bytes")
CUT_OFF = Reason("warc:cut_off", "the record ends elsewhere than its header says, or is damaged")

DOCUMENT_TYPES = ("response", "resource", "conversion")
TEXT_TYPES = ("text/html", "application/xhtml+xml", "text/plain")
HTTP_HEADERS = ("content-language", "x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "link", "last-modified")
_PROFILES = ("identical-payload-digest", "server-not-modified", "uri-agnostic-identical-payload-digest")
_ENDINGS = tuple(f".{kind}{packed}" for kind in ("warc", "arc") for packed in ("", ".gz", ".bz2", ".zst", ".zstd", ".lz4"))
_ROWS = 512
_SNIFFED_BYTES = 4096


@final
@dataclass(frozen=True, kw_only=True)
class WarcSource(Source):
    """Web archives. ``max_record_bytes`` bounds a payload before and after decompression (Common Crawl itself cuts at 1 or 5 MiB).

    ``check_digests``: compare each record with the digests that it states. What differs is counted among the damages, with its place, and
    read all the same: crawlers state wrong ones too.
    """

    name: str = "web"
    collection: str = ""
    max_record_bytes: int = 16 * 2**20
    batch_bytes: int = 16 * 2**20
    split_bytes: int = 128 * 2**20
    check_digests: bool = False

    adds = (*document.PAGE, "site_rules")
    reasons = (STATUS, NOT_TEXT, NO_PAYLOAD, UNKNOWN_ENCODING, BROKEN_CHUNKING, BAD_HTTP, TRUNCATED, TOO_LARGE, CUT_OFF)

    def __post_init__(self) -> None:
        if min(self.max_record_bytes, self.batch_bytes, self.split_bytes) < 1:
            raise ValueError("max_record_bytes, batch_bytes and split_bytes must be at least 1")

    def accepts(self, file: InputFile, head: bytes) -> bool:
        name = file.file.lower()
        if head.startswith(ZIP_MAGIC):
            return name.endswith(".wacz") or head[30:].startswith(b"archive/")
        content = _decoded(head).lstrip()
        if content.startswith((b"WARC/", b"filedesc:")):
            return True
        return name.endswith(_ENDINGS)  # damaged at its head, or empty, it is still ours to account for

    def splits(self, file: InputFile) -> list[tuple[int, int]]:
        starts = range(0, max(1, file.size_bytes), self.split_bytes)
        return [(start, min(start + self.split_bytes, file.size_bytes)) for start in starts]

    def read(self, split: Split, log: ReadLog) -> Iterator[pa.RecordBatch]:
        rows: list[dict[str, Any]] = []
        held = 0
        with split.file.place.open() as stream:
            is_zip = stream.read(len(ZIP_MAGIC)) == ZIP_MAGIC
            for frame in (wacz_frames if is_zip else frames)(stream, split, self.max_record_bytes, log):
                row = log.parse(split.file.file, frame.offset, len(frame.content), self._row, frame, split.file, log)
                if row:
                    rows.append(row)
                    held += 1 + len(row["payload"] or b"")
                if held >= self.batch_bytes or len(rows) == _ROWS:
                    yield _batch(rows)
                    rows, held = [], 0
        if rows:
            yield _batch(rows)

    def _row(self, frame: Frame, file: InputFile, log: ReadLog) -> dict[str, Any] | None:
        """The frame as a row; None if it is no document (then it is counted)."""
        try:
            record = WarcRecord.from_bytes(frame.content)
            headers = {name.lower(): value for name, value in record.headers.to_tuples()}
        except (OSError, ValueError):
            log.records["warc:unreadable_header"] += 1
            return None
        kind = headers.get("warc-type", "unknown").strip().lower()
        if kind not in DOCUMENT_TYPES:
            log.records[_counted(kind, headers)] += 1
            return None
        row: dict[str, Any] = {"payload": None, "media_type": None, "http_charset": None, "http_headers": [], "fault": None, "status": None}
        if not frame.whole:
            row["fault"] = (CUT_OFF, None, None)
        elif frame.too_large:
            row["fault"] = (TOO_LARGE, frame.body_bytes, self.max_record_bytes)
        else:
            self._read_payload(record, headers, row)
        if self.check_digests and frame.whole and not frame.too_large and not digests_hold(headers, frame.block):
            log.damages.append(Damage(file.file, frame.offset, 0, "warc:other_digest"))
        payload_digest = headers.get("warc-payload-digest") or f"xxh3:{xxhash.xxh3_128_hexdigest(row['payload'] or b'')}"
        url = headers.get("warc-target-uri", "").strip().removeprefix("<").removesuffix(">")
        record_id = headers.get("warc-record-id", "").strip()
        date = headers.get("warc-date", "").strip()
        row["id"] = hashing.document_id(record_id, url, date, payload_digest)
        row["url"] = url or None
        row["date"] = parse_date(date)
        row["origin"] = {"input": file.input, "file": file.file, "offset": frame.offset, "record_id": record_id or None}
        row["source"], row["collection"] = self.name, self.collection or None
        row["site_rules"] = rules_of(row["status"], row["payload"]) if site_file(url) else None
        if row["fault"]:
            row["payload"] = None
        return row

    def _read_payload(self, record: WarcRecord, headers: dict[str, str], row: dict[str, Any]) -> None:
        """Fill in payload, type and headers, and the fault if there is one; the first fault is the one told."""
        truncated = headers.get("warc-truncated", "").strip()
        is_http = "application/http" in headers.get("content-type", "").lower() or (
            "content-type" not in headers and headers.get("warc-target-uri", "").lstrip("<").startswith("http")
        )
        http: dict[str, str] = {}
        status = None
        if is_http:
            try:
                record.parse_http(auto_decode="none", quirks_mode=True)
                if record.http_headers is not None:
                    status = record.http_headers.status_code
                    http = _joined(record.http_headers.to_tuples())
            except (OSError, ValueError):
                status = None
        body = bytes(record.reader.read())
        if not is_http:
            media_type = headers.get("content-type", "")
            if language := headers.get("warc-identified-content-language", "").strip():  # WET: nothing else says it
                row["http_headers"] = [{"name": "content-language", "value": language}]
        elif status is None:
            row["fault"] = (BAD_HTTP, None, None)
            return
        else:
            media_type = http.get("content-type", "")
            row["http_headers"] = [{"name": name, "value": http[name]} for name in HTTP_HEADERS if name in http]
            row["http_charset"] = _parameter(media_type, "charset")
            row["status"] = status
            if not 200 <= status < 300:
                row["fault"] = (STATUS, status, None)
                return
        if truncated:
            row["fault"] = (TRUNCATED, None, None)
            return
        try:
            payload = decode_body(body, http.get("transfer-encoding"), http.get("content-encoding"), self.max_record_bytes)
        except BadChunks:
            row["fault"] = (BROKEN_CHUNKING, None, None)
        except BadEncoding:
            row["fault"] = (UNKNOWN_ENCODING, None, None)
        except TooLarge:
            row["fault"] = (TOO_LARGE, None, self.max_record_bytes)
        else:
            identified = headers.get("warc-identified-payload-type", "") or media_type
            row["media_type"] = _media_type(identified, payload)
            row["payload"] = payload
            if not payload:
                row["fault"] = (NO_PAYLOAD, None, None)
            elif row["media_type"] not in TEXT_TYPES:
                row["fault"] = (NOT_TEXT, None, None)


def _decoded(head: bytes) -> bytes:
    """The first bytes behind the compression, if 4096 bytes of the file are enough to tell."""
    blocks = Blocks(BytesIO(head), len(head))
    at = after_skippable(blocks, 0)
    codec = next((each for each in CODECS if head.startswith(each.magic, at)), None)
    return codec.head(blocks, at, b"", 64) if codec else head if not is_skippable(head[:4]) else b""


def _counted(kind: str, headers: dict[str, str]) -> str:
    """Under which name a record that is no document is counted."""
    if kind == "metadata" and headers.get("content-type", "").lower().startswith("application/json"):
        return "wat:metadata"
    if kind == "revisit":
        profile = headers.get("warc-profile", "").strip().rstrip("/").rpartition("/")[2]
        return f"warc:revisit:{profile}" if profile in _PROFILES else "warc:revisit"
    return f"warc:{kind if kind.isalpha() and len(kind) < 20 else 'unknown'}"


def parse_date(text: str) -> datetime | None:
    """A WARC-Date (ISO 8601, UTC) -> aware datetime; None where it is none."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (OverflowError, ValueError):
        return None


def _media_type(declared: str, payload: bytes) -> str:
    """Lower case, without parameters; sniffed where the server said nothing or nothing that tells."""
    kind = declared.split(";")[0].strip().lower()
    if "/" not in kind or kind in ("application/octet-stream", "unknown/unknown", "application/x-unknown"):
        return detect_mime(payload[:_SNIFFED_BYTES])
    return kind


def _parameter(header: str, name: str) -> str | None:
    for part in header.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip("\"'") or None
    return None


def _joined(pairs: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Headers by lower-case name; repeated ones joined by a comma, as HTTP allows, but for the type, of which the last counts."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers and key != "content-type" else value
    return headers


def _joined_payloads(payloads: list[bytes | None]) -> pa.Array:
    """A binary array in one copy; pyarrow's own builder doubles its memory again and again, which takes as long as inflating."""
    ends = np.cumsum([0, *(len(payload or b"") for payload in payloads)], dtype=np.int64)
    mask = pa.array([payload is not None for payload in payloads]).buffers()[1]
    data = pa.py_buffer(b"".join(payload for payload in payloads if payload))
    return pa.Array.from_buffers(pa.binary(), len(payloads), [mask, pa.array(ends, pa.int32()).buffers()[1], data])


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    faults = [row["fault"] for row in rows]
    failed = [[{"reason": fault[0].code, "step": "warc", "value": fault[1], "threshold": fault[2]}] if fault else [] for fault in faults]
    names = ("id", "url", "date", "source", "collection", "origin", "media_type", "http_charset")
    columns: dict[str, Any] = {name: [row[name] for row in rows] for name in names}
    for name in ("media_type", "http_charset"):
        columns[name] = pa.array(columns[name], document.PAGE[name])
    columns["site_rules"] = pa.array([row["site_rules"] for row in rows], pa.string())
    columns["payload"] = _joined_payloads([row["payload"] for row in rows])
    columns["http_headers"] = pa.array([row["http_headers"] for row in rows], document.PAGE["http_headers"])
    return document.new_batch(**columns, failed=failed)
