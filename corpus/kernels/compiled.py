"""The one way kernels are compiled: numba, no Python objects, the GIL released, machine code cached on disk where that can be.

Numba keeps its cache beside the source, or where NUMBA_CACHE_DIR says. An executor has gristmill in a zip: there it lies below
NUMBA_CACHE_DIR, the user's cache folder or Spark's local one, the first that can be written, and is found again by the next process,
executor and run; where none can be, each process compiles for itself.

    @kernel
    def total(values): ...
"""

import os
from collections.abc import Callable
from functools import lru_cache
from typing import Any, final

import numba
from numba.core.caching import ZipCacheLocator

from corpus.version import code_version

_CONFIG: Any = numba.config  # its values come to be at run time


@final
class Archived(ZipCacheLocator):
    """Where numba keeps what it makes of kernels in a zip. Its own place for them is named after the path of the zip, which is another
    for each run and executor; this one after the content of all kernels: one that is called by another is compiled into it."""

    def __init__(self, py_func: Callable[..., Any], py_file: str):
        super().__init__(py_func, py_file)
        self._own, self._cache_path = os.path.dirname(self._cache_path), ""
        name = f"gristmill-{code_version('corpus.kernels')}"
        for root in (_CONFIG.CACHE_DIR, self._own, os.environ.get("SPARK_LOCAL_DIRS", "").partition(",")[0]):
            if root and _is_writable(os.path.join(root, name)):
                self._cache_path = os.path.join(root, name)
                return

    @classmethod
    def from_function(cls, py_func: Callable[..., Any], py_file: str) -> "Archived | None":
        made = cls(py_func, py_file) if ".zip" in py_file and py_func.__module__.startswith("corpus.") else None
        return made if made and made.get_cache_path() else None


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first call. No fastmath and no threads: the same input gives the same bits on every machine."""
    return numba.njit(nogil=True, cache=_on_disk(function))(function)


def lean_kernel(function: Callable[..., Any]) -> Any:
    """``kernel`` for what creates no array: the references to its arrays are not counted.

    Numba counts them at each call by two atomic writes, which were two thirds of a scan's time: small functions, called for every tag.
    """
    return numba.njit(nogil=True, cache=_on_disk(function), _nrt=False)(function)  # type: ignore[call-overload]


def _on_disk(function: Callable[..., Any]) -> bool:
    """Whether there is a place: numba refuses to compile a function at all that is to be cached and cannot be."""
    file = function.__code__.co_filename
    return os.path.isfile(file) or Archived.from_function(function, file) is not None


@lru_cache
def _is_writable(folder: str) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)


if not os.path.isfile(__file__):  # in a zip
    # before numba's own, which stay for the kernels of others
    theirs = ("UserProvidedCacheLocator", "InTreeCacheLocator", "UserWideCacheLocator", "IPythonCacheLocator", "ZipCacheLocator")
    _CONFIG.CACHE_LOCATOR_CLASSES = ",".join((f"{__name__}.{Archived.__name__}", *theirs))
