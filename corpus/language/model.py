"""Loads a fastText model of the user's, after a look at what the file is: on some that are none the library aborts the process.

load("glotlid.bin").f.predict("Ein Satz\n", 3, 0.0, "strict")
"""

from functools import lru_cache
from typing import Any

import fasttext

from corpus.errors import AssetError
from corpus.storage import locate

_MAGIC = (793712314).to_bytes(4, "little")  # fastText's files begin with it


@lru_cache(maxsize=4)
def load(path: str) -> Any:
    """A fastText model. Raises AssetError for a file that is none."""
    place = locate(path)
    try:
        with place.open() as stream:
            magic = stream.read(4)
    except OSError as error:
        raise AssetError("cannot read the model", where=path, hint=error.strerror or str(error)) from error
    if magic != _MAGIC:
        raise AssetError("this is no fastText model", where=path, hint="train one with `gristmill train-classifier`")
    try:
        return fasttext.load_model(place.path)
    except (ValueError, RuntimeError, MemoryError) as error:
        raise AssetError("the fastText model is damaged", where=path, hint="train it again") from error
