"""Real pages as WARCs: what the whole-road benchmarks read.

pack(Path("../shared/data/html-extraction"), Path("build/bench/pages"), files=4)
"""

import gzip
import io
from pathlib import Path

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


def pack(pages: Path, folder: Path, files: int) -> int:
    """All HTML files below ``pages`` (plain or gzip), dealt over ``files`` WARCs; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(path for path in pages.rglob("*.htm*") if path.is_file() and path.stat().st_size)
    for number in range(files):
        with (folder / f"{number}.warc.gz").open("wb") as out:
            writer = WARCWriter(out, gzip=True)
            for at, path in enumerate(found[number::files]):
                body = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
                http = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], protocol="HTTP/1.1")
                headers = {"WARC-Record-ID": f"<urn:bench:{number}:{at}>", "WARC-Date": "2026-01-01T00:00:00Z"}
                url = f"http://bench.example/{path.relative_to(pages)}"
                record = writer.create_warc_record(url, "response", payload=io.BytesIO(body), http_headers=http, warc_headers_dict=headers)
                writer.write_record(record)
    return len(found)
