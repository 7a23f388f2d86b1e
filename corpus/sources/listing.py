"""From what the user names to the files that are read: paths, folders, globs and URIs -> numbered inputs with digests.

A folder means every readable archive in it, recursively. What no source of the recipe accepts is listed, counted and left
alone. Inputs are numbered by their content (relative names and digests), so neither their order on the command line
nor the folder they lie in can change a byte of the corpus.

    found = find(["crawl/", "s3://bucket/more/*.warc.gz"])
"""

import fnmatch
import glob
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import final

from pyarrow import fs

from corpus.errors import InputError
from corpus.sources.source import InputFile, Source
from corpus.storage import OddName, Place, is_utf8, locate

HEAD_BYTES = 4096  # enough to inflate the first line of a WARC, and to see a Parquet magic
_READ_BYTES = 4 * 2**20


@final
@dataclass(frozen=True)
class Examined:
    """A file with its digest, and which of the recipe's sources reads it (-1: none, and ``why``)."""

    file: InputFile
    source: int
    why: str = ""


def find(inputs: Sequence[str]) -> list[InputFile]:
    """All files below the inputs, not yet opened; ``input`` is the position on the command line. Raises InputError."""
    files: list[InputFile] = []
    place_number = 0
    for given in inputs:
        for place in _expand(given):
            files += [InputFile(place_number, _shown(name), uri, size) for name, uri, size in _files_of(place, given)]
            place_number += 1
    if not files:
        raise InputError("there is no file in it", where=", ".join(inputs), hint="give a folder that holds .warc.gz files, or the files")
    return files


def _files_of(place: Place, given: str) -> list[tuple[str, str, int]]:
    """(name, uri, size) of a file, or of all files in a folder."""
    if not is_utf8(place.uri):
        if os.path.isfile(place.path):
            return [(place.uri.rpartition("/")[2], place.uri, os.path.getsize(place.path))]
        return [(name, (place / name).uri, size) for name, size in place.odd_files()]
    info = place.info()
    if info.type == fs.FileType.NotFound:
        raise InputError("no such file or folder", where=given)
    if info.type == fs.FileType.File:
        return [(place.uri.rpartition("/")[2], place.uri, info.size)]
    prefix = place.path.rstrip("/") + "/"
    try:
        return [(name, (place / name).uri, entry.size) for entry in place.files() for name in [entry.path.removeprefix(prefix)]]
    except OddName:
        return [(name, (place / name).uri, size) for name, size in place.odd_files()]


def _shown(name: str) -> str:
    """As UTF-8, for ledger and manifest: bytes that are none become ``\\xff``."""
    return name if is_utf8(name) else os.fsencode(name).decode("utf-8", "backslashreplace")


def examine(file: InputFile, sources: Sequence[Source]) -> Examined:
    """Read the file once: its SHA-256, and which source takes it. Runs in a task. An unreadable file is a finding, not an error."""
    digest = hashlib.sha256()
    head = b""
    try:
        with file.place.open() as stream:
            while block := stream.read(_READ_BYTES):
                head = head or block[:HEAD_BYTES]
                digest.update(block)
    except OSError as error:
        return Examined(file, -1, f"cannot be opened: {error.strerror or type(error).__name__}")
    digested = replace(file, sha256=digest.hexdigest())
    why = "no source of the recipe reads it" if head else "empty"
    for number, source in enumerate(sources):
        try:
            if source.accepts(digested, head):
                return Examined(digested, number)
        except InputError as error:  # it would be this source's, but for a table's missing column
            why = f"{error.what}: {error.hint}"
    return Examined(digested, -1, why)


def number_inputs(examined: Sequence[Examined]) -> list[Examined]:
    """Number the inputs by what they hold, and sort the files by (input, file)."""
    contents: dict[int, list[tuple[str, str]]] = {}
    for entry in examined:
        contents.setdefault(entry.file.input, []).append((entry.file.file, entry.file.sha256))
    order = sorted(contents, key=lambda number: (sorted(contents[number]), number))
    numbers = {number: at for at, number in enumerate(order)}
    renumbered = [replace(entry, file=replace(entry.file, input=numbers[entry.file.input])) for entry in examined]
    return sorted(renumbered, key=lambda entry: (entry.file.input, entry.file.file))


def _expand(given: str) -> list[Place]:
    """A glob becomes the places it matches, each an input of its own; anything else is one place."""
    place = locate(given)
    if not glob.has_magic(given) or (os.path.lexists(place.path) if place.is_local else place.exists()):
        return [place]
    if place.is_local:
        matches = sorted(glob.glob(place.path, recursive=True))
        places = [locate(match) for match in matches]
    else:
        fixed = place.uri[: min(place.uri.find(mark) for mark in "*?[" if mark in place.uri)].rpartition("/")[0]
        folder = Place(fixed)
        names = [info.path.removeprefix(folder.path.rstrip("/") + "/") for info in folder.files()]
        places = [folder / name for name in names if fnmatch.fnmatchcase((folder / name).uri, place.uri)]
    if not places:
        raise InputError("nothing matches", where=given)
    return places
