"""The one way kernels are compiled: numba, no Python objects, the GIL released, machine code cached on disk where that can be.

Numba keeps its cache beside the source, or where NUMBA_CACHE_DIR says. In a zip on an executor there is no file to put it beside,
and numba refuses to compile at all with its cache on; there each process compiles for itself (some seconds once a worker).

    @kernel
    def total(values): ...
"""

import os
from collections.abc import Callable
from typing import Any

import numba


def kernel(function: Callable[..., Any]) -> Any:
    """Compile on first call. No fastmath and no threads: the same input gives the same bits on every machine."""
    on_disk = os.path.isfile(function.__code__.co_filename)
    return numba.njit(nogil=True, cache=on_disk)(function)


def lean_kernel(function: Callable[..., Any]) -> Any:
    """``kernel`` for what creates no array: the references to its arrays are not counted.

    Numba counts them at each call by two atomic writes, which were two thirds of a scan's time: small functions, called for every tag.
    """
    on_disk = os.path.isfile(function.__code__.co_filename)
    return numba.njit(nogil=True, cache=on_disk, _nrt=False)(function)  # type: ignore[call-overload]
