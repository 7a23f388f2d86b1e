"""A part of a Common Crawl snapshot on the local disk: whole archives of its listing, or the records that its columnar index names.

The index (Parquet, sorted by host) is read where it lies, with the conditions pushed down to its row groups, until ``limit`` records are
found: a small limit gives the first hosts of the alphabet. Each record is fetched by its range, a gzip member of its own, and its payload
compared with the digest in its header. What is to be fetched is written down first (``plan.json``) and what was, last (``manifest.json``);
a killed download goes on with what is missing.

    fetch(Selection(snapshot="CC-MAIN-2025-30", languages=("deu",), limit=100), "crawl/", Remote(DATA))
"""

import base64
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from fastwarc.warc import WarcRecord

from corpus.errors import InputError, ResumeError
from corpus.sources.download import Remote
from corpus.storage import Place, json_bytes, locate

DATA = "https://data.commoncrawl.org/"
PLAN, MANIFEST = "plan.json", "manifest.json"
_RECORDS_A_FILE = 1000
_PIECE = 32 * 2**20  # of a whole archive (about 1 GB): what a dropped connection costs
_TEXT = ("text/html", "application/xhtml+xml", "text/plain")
_COLUMNS = ["url", "content_digest", "warc_filename", "warc_record_offset", "warc_record_length"]


@final
@dataclass(frozen=True, kw_only=True)
class Selection:
    """What is wanted. Without languages, TLDs and domains: ``limit`` whole archives of the listing; with one: ``limit`` records.

    ``languages``: ISO 639-3, the language that CLD2 found most of; ``domains``: registered domains, example.co.uk.
    """

    snapshot: str
    limit: int
    kind: Literal["warc", "wet", "wat"] = "warc"
    languages: tuple[str, ...] = ()
    tlds: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    mime: tuple[str, ...] = _TEXT

    @property
    def is_indexed(self) -> bool:
        return bool(self.languages or self.tlds or self.domains)

    def condition(self) -> Any:
        """The selection as an expression over the columns of the index: answers of status 200 with a text type."""
        wanted = (pc.field("fetch_status") == 200) & pc.field("content_mime_detected").isin(list(self.mime))
        if self.tlds:
            wanted &= pc.field("url_host_tld").isin(list(self.tlds))
        if self.domains:
            wanted &= pc.field("url_host_registered_domain").isin(list(self.domains))
        main = pc.utf8_slice_codeunits(pc.field("content_languages"), 0, 3)
        return wanted & main.isin(list(self.languages)) if self.languages else wanted


def fetch(
    selection: Selection, output: str, remote: Remote, *, parallel: int = 4, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """Download what is selected into ``output``; the manifest. Raises InputError, ResumeError."""
    folder = locate(output)
    folder.make_folder()
    plan = _plan(selection, folder, remote)
    if (folder / MANIFEST).exists():
        return json.loads((folder / MANIFEST).read_bytes())
    one = _fetch_record if selection.is_indexed else _fetch_archive
    done: list[dict[str, Any]] = []
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        for told in pool.map(lambda item: one(item, folder, remote), plan):
            done.append(told)
            progress(len(done), len(plan))
    for at in range(0, len(done) if selection.is_indexed else 0, _RECORDS_A_FILE):
        _join(folder, f"records-{at // _RECORDS_A_FILE:05d}.warc.gz", done[at : at + _RECORDS_A_FILE])
    fetched, refused = [each for each in done if not each["refused"]], [each for each in done if each["refused"]]
    if not fetched:
        raise InputError("nothing that was fetched is as its digest says", where=remote.base)
    manifest = {"selection": asdict(selection), "base": remote.base, "fetched": fetched, "refused": refused}
    (folder / MANIFEST).write_bytes(json_bytes(manifest))
    (folder / "parts").remove()
    return manifest


def _plan(selection: Selection, folder: Place, remote: Remote) -> list[dict[str, Any]]:
    """What is to be fetched, in order; that of the run which began here, if one did."""
    asked = json.loads(json_bytes(asdict(selection)))
    if (folder / PLAN).exists():
        found = json.loads((folder / PLAN).read_bytes())
        if found["selection"] != asked:
            raise ResumeError("another selection was begun there", where=folder.uri, hint="choose another --output")
        return found["items"]
    items = list(_records(selection, remote)) if selection.is_indexed else [{"path": path} for path in archives(selection, remote)]
    if not items:
        raise InputError(
            "no record of the snapshot is like that", where=selection.snapshot, hint="languages are ISO 639-3 codes, such as deu"
        )
    (folder / PLAN).write_bytes(json_bytes({"selection": asked, "items": items}))
    return items


def archives(selection: Selection, remote: Remote) -> list[str]:
    """The first ``limit`` paths of the snapshot's listing."""
    return _listing(f"crawl-data/{selection.snapshot}/{selection.kind}.paths.gz", remote)[: selection.limit]


def _listing(path: str, remote: Remote) -> list[str]:
    try:
        return gzip.decompress(remote.read(path)).decode().split()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        raise InputError("this is no gzip listing", where=path) from None


def _records(selection: Selection, remote: Remote) -> Iterator[dict[str, Any]]:
    """Rows of the index, until there are enough."""
    left = selection.limit
    for path in _listing(f"crawl-data/{selection.snapshot}/cc-index-table.paths.gz", remote):
        if "/subset=warc/" not in path:
            continue
        try:
            with remote.open(path) as stream:
                fragment = ds.ParquetFileFormat().make_fragment(pa.PythonFile(stream, mode="r"))
                batches = fragment.to_batches(columns=_COLUMNS, filter=selection.condition(), use_threads=False, batch_readahead=0)
                for batch in batches:
                    for row in batch.slice(0, left).to_pylist():
                        yield {"path": row.pop("warc_filename"), **row}
                    left -= min(left, batch.num_rows)
                    if not left:
                        return
        except (pa.ArrowException, OSError) as error:
            raise InputError("this part of the index cannot be read", where=path, hint=str(error).split("\n")[0][:200]) from error


def _fetch_record(item: dict[str, Any], folder: Place, remote: Remote) -> dict[str, Any]:
    """Into a file of its own, whole or not at all; kept as it is if it is there."""
    start, length = item["warc_record_offset"], item["warc_record_length"]
    key = hashlib.sha256(f"{item['path']} {start}".encode()).hexdigest()[:32]
    place = folder / f"parts/{key}"
    if place.exists():
        return {**item, "part": place.uri, "refused": ""}
    (folder / "parts").make_folder()
    refused = ""
    for _ in range(2):  # damage on the way is mended by another try
        content = remote.read(item["path"], start, length)
        refused = fault_of(content, item["content_digest"])
        if not refused:
            place.write_bytes(content)
            break
    return {**item, "part": place.uri, "refused": refused}


def fault_of(member: bytes, digest: str | None) -> str:
    """Why the bytes are not the record that was asked for; "" if they are: one gzip member, whose payload has the digest that its header
    and the index name (SHA-1 in base 32)."""
    inflater = zlib.decompressobj(31)
    try:
        content = inflater.decompress(member)
        record = WarcRecord.from_bytes(content) if inflater.eof and content.startswith(b"WARC/") else None
    except (zlib.error, OSError, ValueError):
        record = None
    if record is None:
        return "no record"
    headers = {name.lower(): value.strip() for name, value in record.headers.to_tuples()}
    told = headers.get("warc-payload-digest", "")
    start = content.find(b"\r\n\r\n") + 4
    body = content[start : start + int(headers.get("content-length", "0"))] if headers.get("content-length", "").isdigit() else b""
    payload = body[body.find(b"\r\n\r\n") + 4 :]
    real = base64.b32encode(hashlib.sha1(payload).digest()).decode()
    named = {each for each in (told.removeprefix("sha1:").upper() if told.startswith("sha1:") else "", (digest or "").upper()) if each}
    return "" if named <= {real} else "digest"


def _join(folder: Place, name: str, records: list[dict[str, Any]]) -> None:
    """Many records as one archive: gzip members stand one after another."""
    with (folder / name).replace() as out:
        for record in records:
            part = record.pop("part")
            if not record["refused"]:
                out.write(Place(part).read_bytes())
                record["file"] = name


def _fetch_archive(item: dict[str, Any], folder: Place, remote: Remote) -> dict[str, Any]:
    """A whole archive, by pieces that are added to a file which has its name only when it is whole."""
    if not folder.is_local:
        raise InputError("whole archives are downloaded to a local folder", where=folder.uri)
    name = item["path"].rpartition("/")[2]
    target, part = Path(folder.path) / name, Path(folder.path) / f".{name}.part"
    size = remote.size(item["path"])
    if not target.exists():
        with part.open("ab") as out:
            while (at := out.tell()) < size:
                out.write(remote.read(item["path"], at, min(_PIECE, size - at)))
                out.flush()
            out.truncate(size)
        part.replace(target)
    digest = hashlib.sha256()
    with target.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return {**item, "file": name, "bytes": size, "sha256": digest.hexdigest(), "refused": ""}
