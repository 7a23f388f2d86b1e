"""Paths and URIs, local or not, through ``pyarrow.fs``: what tasks open inputs and write outputs with.

``s3a://`` is taken as ``s3://``: stock PySpark has no S3 classes, so nothing of ours goes through Hadoop's.
Credentials and endpoints come from where the AWS, GCS and HDFS clients look (``AWS_ENDPOINT_URL``, ``~/.aws``, …).

    place = locate("s3://bucket/crawl/a.warc.gz")
    with place.open() as stream: ...
"""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, final

import pyarrow as pa
from pyarrow import fs

from corpus.errors import InputError

REMOTE = ("s3://", "gs://", "gcs://", "hdfs://", "viewfs://")


class OddName(InputError):
    """A file's name is no UTF-8."""


def is_utf8(name: str) -> bool:
    """Whether the name of a local file came to Python whole, without surrogates for bytes that are no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


@final
@dataclass(frozen=True)
class Place:
    """A path on a file system. ``uri`` is what a user would write; ``path`` what the file system calls it."""

    uri: str

    @property
    def path(self) -> str:
        return _resolve(self.uri)[1]

    @property
    def filesystem(self) -> fs.FileSystem:
        return _resolve(self.uri)[0]

    @property
    def is_local(self) -> bool:
        return not self.uri.startswith(REMOTE)

    def __truediv__(self, name: str) -> "Place":
        return Place(f"{self.uri.rstrip('/')}/{name}")

    def info(self) -> fs.FileInfo:
        return self.filesystem.get_file_info(self.path)

    def exists(self) -> bool:
        return self.info().type != fs.FileType.NotFound

    def open(self) -> IO[bytes]:
        """Seekable, for reading."""
        return self.filesystem.open_input_file(self.path) if is_utf8(self.uri) else pa.PythonFile(open(self.uri, "rb"), mode="r")

    def read_bytes(self) -> bytes:
        with self.open() as stream:
            return stream.read()

    def make_folder(self) -> None:
        self.filesystem.create_dir(self.path, recursive=True)

    def remove(self) -> None:
        """The file, or the folder with all that is in it; nothing if there is none."""
        kind = self.info().type
        if kind == fs.FileType.Directory:
            self.filesystem.delete_dir(self.path)
        elif kind == fs.FileType.File:
            self.filesystem.delete_file(self.path)

    def files(self) -> list[fs.FileInfo]:
        """All files below this folder, in the order of their paths. Raises OddName where a name is no UTF-8, which Arrow cannot open."""
        try:
            found = self.filesystem.get_file_info(fs.FileSelector(self.path, recursive=True, allow_not_found=True))
            return sorted((info for info in found if info.type == fs.FileType.File), key=lambda info: info.path)
        except UnicodeDecodeError as error:
            name = error.object.decode("utf-8", "backslashreplace")
            raise OddName("a file name is no UTF-8", where=f"{self.uri}: {name}", hint="rename it") from None

    def odd_files(self) -> Iterator[tuple[str, int]]:
        """(name relative to this folder, size) of all files below this local folder, through Python, which opens whatever name there is:
        bytes that are no UTF-8 are lone surrogates in it."""
        for folder, folders, names in os.walk(self.path):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if os.path.isfile(path):
                    yield os.path.relpath(path, self.path), os.path.getsize(path)

    @contextmanager
    def replace(self) -> Iterator[IO[bytes]]:
        """Write a file whole or not at all: a temporary name beside it, moved into place when the block ends well."""
        folder, _, name = self.path.rpartition("/")
        temporary = f"{folder}/.{name}.{uuid.uuid4().hex}.tmp"
        try:
            with self.filesystem.open_output_stream(temporary) as stream:
                yield stream
            self.filesystem.move(temporary, self.path)
        except BaseException:
            if self.filesystem.get_file_info(temporary).type == fs.FileType.File:
                self.filesystem.delete_file(temporary)
            raise

    def write_bytes(self, content: bytes) -> None:
        with self.replace() as stream:
            stream.write(content)


def json_bytes(value: Any) -> bytes:
    """JSON that is the same for equal values: sorted keys, two spaces, UTF-8, a newline at the end."""
    return (json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@contextmanager
def made_first(folder: Path) -> Iterator[None]:
    """The local folder is there before what takes minutes (an OSError where it cannot be); if that fails, one made for it goes again."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if is_new:
            with suppress(OSError):  # something is in it
                folder.rmdir()
        raise


def locate(path: str) -> Place:
    """A path as a user writes it -> where it is. Local paths become absolute; ``s3a://`` becomes ``s3://``."""
    if path.startswith("s3a://"):
        path = "s3://" + path[len("s3a://") :]
    if path.startswith("file://"):
        path = path[len("file://") :]
    return Place(path) if path.startswith(REMOTE) else Place(os.path.abspath(os.path.expanduser(path)))


def _resolve(uri: str) -> tuple[fs.FileSystem, str]:
    if not uri.startswith(REMOTE):
        return fs.LocalFileSystem(), uri
    try:
        if uri.startswith("s3://"):
            # region given, or Arrow asks AWS over the network for the bucket's, which a local server has no answer to
            region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            if region or os.environ.get("AWS_ENDPOINT_URL"):
                return _s3(region or "us-east-1", os.environ.get("AWS_ENDPOINT_URL")), uri[len("s3://") :]
        return fs.FileSystem.from_uri(uri)
    except (OSError, ValueError) as error:
        raise InputError("cannot reach storage", where=uri, hint=str(error)) from error


def _s3(region: str, endpoint: str | None) -> fs.FileSystem:
    return fs.S3FileSystem(region=region, endpoint_override=endpoint)
