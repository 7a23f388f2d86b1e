"""Pages about the Python that is running: its modules, classes and functions, from their docstrings.

Sources are read with ``ast``: nothing is imported, since importing runs code. Pages come in a fixed order and hold no path of this
machine and no memory address, so that the same installation gives the same pages.

    for page in library_pages(limit=100): print(page.path, page.title)
"""

import ast
import re
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import final

MIN_CHARACTERS = 400  # of a docstring, for a page of its own: shorter ones are rejected by every filter, and would only fill the crawl
_SKIPPED = {
    "test",
    "tests",
    "testing",
    "idlelib",
    "lib2to3",
    "turtledemo",
    "site-packages",
    "__pycache__",
    "_vendor",
    "vendored",
    "conftest.py",
}
_OWN = {"gristmill", "pip", "setuptools"}
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
_MAX_SOURCE_BYTES = 1_000_000


@final
@dataclass(frozen=True)
class LibraryPage:
    """``path`` begins with a slash; ``sections``: (heading, docstring) of the members that have one."""

    path: str
    title: str
    kind: str
    package: str
    signature: str
    docstring: str
    sections: tuple[tuple[str, str], ...] = ()


def library_pages(limit: int) -> list[LibraryPage]:
    """The first ``limit`` pages: descriptions of the installed packages, the standard library, then the packages by name."""
    pages: list[LibraryPage] = []
    seen: set[str] = set()
    for page in _all_pages():
        if len(pages) == limit:
            break
        if page.path not in seen:
            seen.add(page.path)
            pages.append(page)
    return pages


def _all_pages() -> Iterator[LibraryPage]:
    distributions = sorted(metadata.distributions(), key=lambda each: (each.metadata["Name"] or "").lower())
    for distribution in distributions:
        name = (distribution.metadata["Name"] or "").lower()
        text = _clean(str(distribution.metadata.json.get("description", "")))
        if name and name not in _OWN and len(text) >= MIN_CHARACTERS:
            yield LibraryPage(
                f"/packages/{name}.html", name, "package", name, "", re.sub(r"<[^>]{1,200}>|!\[[^\]]*\]\([^)]*\)", "", text)[:40_000]
            )
    library = Path(sysconfig.get_paths()["stdlib"])
    for path in _sources(library):
        yield from _pages_of(path, ".".join(path.relative_to(library).with_suffix("").parts), "python")
    for distribution in distributions:
        name = (distribution.metadata["Name"] or "").lower()
        if name in _OWN:
            continue
        files = [
            file
            for file in distribution.files or ()
            if file.suffix == ".py" and not _SKIPPED.intersection(file.parts) and ".." not in file.parts
        ]
        for file in sorted(files, key=str):
            yield from _pages_of(Path(str(distribution.locate_file(file))), ".".join(file.with_suffix("").parts), name)


def _sources(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name in _SKIPPED or entry.name.startswith("."):
            continue
        if entry.is_dir():
            if entry.name.isidentifier():
                yield from _sources(entry)
        elif entry.suffix == ".py":
            yield entry


def _pages_of(path: Path, module: str, package: str) -> Iterator[LibraryPage]:
    """The module's page, and one for each public class and function in it whose docstrings are long enough."""
    try:
        if path.stat().st_size > _MAX_SOURCE_BYTES:
            return
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    module = module.removesuffix(".__init__")
    docstring = _docstring(tree)
    if len(docstring) >= MIN_CHARACTERS:
        yield LibraryPage(_path(module), module, "module", package, "", docstring)
    for node in tree.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) or node.name.startswith("_"):
            continue
        docstring = _docstring(node)
        sections: tuple[tuple[str, str], ...] = ()
        if isinstance(node, ast.ClassDef):
            members = [(each.name, _docstring(each)) for each in node.body if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef))]
            sections = tuple((name, text) for name, text in members if text and not name.startswith("_"))
        if len(docstring) + sum(len(text) for _, text in sections) >= MIN_CHARACTERS:
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            title = f"{module}.{node.name}"
            yield LibraryPage(_path(title), title, kind, package, _signature(node), docstring, sections)


def _path(name: str) -> str:
    return f"/reference/{name.replace('.', '/')}.html"


def _docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return _clean(ast.get_docstring(node) or "")


def _signature(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return "" if isinstance(node, ast.ClassDef) else _clean(f"{node.name}({ast.unparse(node.args)})")[:300]


def _clean(text: str) -> str:
    """Without lone surrogates, addresses, and paths of this machine."""
    text = text.encode("utf-8", "replace").decode()
    for prefix in sorted({sys.prefix, sys.base_prefix, str(Path.home())}, key=len, reverse=True):
        if len(prefix) > 1:
            text = text.replace(prefix, "…")
    return _ADDRESS.sub("0x…", text)
