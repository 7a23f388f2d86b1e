"""Pages whose main text people have marked, from the folders of outside data, in the form that `gristmill train-extractor` reads.

    python -m tests.benchmarks.labelled build/labelled.jsonl

Each folder's SOURCE.txt says how it is labelled. Sets: ``wceb`` (seven types of page; the labels were drafted by a program and
corrected), ``readability``, ``defuddle`` (whole texts), ``goose`` (how the text begins), ``adbar`` (some phrases that belong to it, some
that don't).
"""

import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from corpus.extraction.charset import decode
from corpus.kernels.markup import scan
from tests.benchmarks.sides import outside

_MARKDOWN = (
    (re.compile(r"\A```json\n.*?\n```\n", re.DOTALL), ""),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), " "),
    (re.compile(r"\[\^[^\]]*\]:?"), " "),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"</?[a-z][^>]*>"), " "),
    (re.compile(r"^\s*(?:[#>*+-]+|\d+\.)\s", re.MULTILINE), ""),
    (re.compile(r"[*`|]|(?<!\w)_|_(?!\w)"), " "),
)
_WCEB, _ADBAR, _GOOSE = "Murrough-Foley__web-content-extraction-benchmark", "adbar__trafilatura", "goose3__goose3"


def labelled_pages(root: Path) -> Iterator[dict[str, Any]]:
    """Rows with ``html``, ``set``, ``type``, ``url`` and ``text``, ``prefix`` or ``with`` and ``without``."""
    with gzip.open(root / _WCEB / "dev" / "ground-truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            path = root / _WCEB / "dev" / "html" / f"{row['file_id']}.html.gz"
            truth = row["ground_truth"]
            kind = row.get("page_type") or row.get("_internal", {}).get("page_type", {}).get("primary", "unknown")
            if truth["main_content"] and path.exists():
                yield {"set": "wceb", "type": kind, "url": row["url"], "html": _html(path), "text": truth["main_content"]}
    for folder in sorted((root / "mozilla__readability").iterdir()):
        if (folder / "source.html.gz").exists() and (folder / "expected.html").exists():
            text, site = _plain(_html(folder / "expected.html")), re.sub(r"-\d+$", "", folder.name)
            yield {
                "set": "readability",
                "type": "article",
                "url": f"http://{site}.com/{folder.name}",
                "html": _html(folder / "source.html.gz"),
                "text": text,
            }
    for expected in sorted((root / "kepano__defuddle" / "expected").glob("*.md")):
        fixture = root / "kepano__defuddle" / "fixtures" / f"{expected.stem}.html"
        source = fixture if fixture.exists() else fixture.with_suffix(".html.gz")
        if source.exists():
            text = expected.read_text(encoding="utf-8")
            for pattern, by in _MARKDOWN:
                text = pattern.sub(by, text)
            named = re.search(r"--([\w-]+(?:\.[\w-]+)*\.(?:com|org|net|io|dev|me|blog|app|[a-z]{2}))(?:-|$)", expected.stem)
            family = expected.stem.split("--")[0]  # fixtures of one family are alike
            url = f"http://{named.group(1) if named else family + '.invalid'}/{expected.stem}"
            yield {"set": "defuddle", "type": "mixed", "url": url, "html": _html(source), "text": text}
    for path in sorted((root / _GOOSE / "content").glob("*.json")):
        row, page = json.loads(path.read_text(encoding="utf-8")), path.with_name(path.stem + ".html.gz")
        if row["expected"].get("cleaned_text") and page.exists():
            yield {
                "set": "goose",
                "type": "article",
                "url": row.get("url") or f"http://{path.stem}/",
                "html": _html(page),
                "prefix": row["expected"]["cleaned_text"],
            }
    for url, row in sorted(json.loads((root / _ADBAR / "evaldata.json").read_text(encoding="utf-8")).items()):
        for folder in ("cache", "eval"):
            page = root / _ADBAR / folder / f"{row['file']}.gz"
            if page.exists():
                yield {"set": "adbar", "type": "article", "url": url, "html": _html(page), "with": row["with"], "without": row["without"]}
                break


def _html(path: Path) -> str:
    payload = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return decode(payload, None, True)[0]


def _plain(html: str) -> str:
    page = scan(html.encode("utf-8", "replace"))
    return "\n".join(page.block_text(number) for number in range(len(page.blocks)))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("w", encoding="utf-8") as out:
        for row in labelled_pages(outside("html-extraction")):
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
