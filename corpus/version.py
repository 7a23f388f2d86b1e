"""Which code made a result: the version of gristmill, and a digest of the package's files.

code_version("corpus")    # "0.1.0+108843ab5d58"
"""

from collections.abc import Iterable
from functools import lru_cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable

import xxhash


@lru_cache
def code_version(package: str = "corpus") -> str:
    """``version+digest``: the version of gristmill, and 12 hex digits over the sources and resources of one of its packages."""
    digest = xxhash.xxh3_64()
    for name, content in _files(resources.files(package), ""):
        digest.update(b"%d:%s%d:" % (len(name), name.encode(), len(content)))
        digest.update(content)
    try:
        version = metadata.version("gristmill")
    except metadata.PackageNotFoundError:  # from a zip on an executor, or a checkout that is not installed
        version = "0"
    return f"{version}+{digest.hexdigest()[:12]}"


def _files(folder: Traversable, prefix: str) -> Iterable[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _files(entry, f"{name}/")
        elif not entry.name.endswith((".pyc", ".nbi", ".nbc")):
            yield name, entry.read_bytes()
