"""Work in Spark's tasks without a table, and errors across the border between tasks and driver.

A task that meets something a user can mend raises it through :func:`guarded`, which writes it into the message of the exception in a
form that survives Spark's wrapping; :func:`raising_user_errors` on the driver finds it there and raises the one-line error again.

    frame.mapInArrow(guarded(function), schema)
    results = in_tasks(spark, items, sizes, one)
"""

import errno
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from corpus import errors

TASK_BYTES = 64 * 2**20  # small items share a task up to this: a task costs some 50 ms, reading 64 MiB some seconds
_MARK = "gristmill-user-error:"
_NO_SPACE = "No space left on device"
_WRITE_FAULTS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR}


@final
@dataclass(frozen=True)
class guarded:
    """``function`` over an iterator of batches, user errors marked."""

    function: Callable[[Iterator[Any]], Iterator[Any]]

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        try:
            yield from self.function(iter(batches))
        except errors.GristmillError as error:
            raise RuntimeError(_encode(error)) from error
        except OSError as error:
            if error.errno in _WRITE_FAULTS:
                raise RuntimeError(_encode(_write_error(error, error.filename or ""))) from error
            raise RuntimeError(_encode(_storage_error(error, error.filename or ""))) from error  # after four tries it is the user's to know


@contextmanager
def raising_user_errors(output: str) -> Iterator[None]:
    """What a user can mend leaves the block as an error of ``corpus.errors``, wherever it arose; the rest as it was."""
    try:
        yield
    except OSError as error:
        if error.errno in _WRITE_FAULTS:
            raise _write_error(error, output) from error
        raise _storage_error(error, output) from error
    except (PySparkException, Py4JError) as error:
        text = str(error)
        found = re.search(re.escape(_MARK) + r"(\{.*?\})" + re.escape(_MARK), text, re.DOTALL)
        if found:
            told = json.loads(found.group(1))
            raise getattr(errors, told["kind"])(told["what"], where=told["where"] or output, hint=told["hint"]) from error
        if _NO_SPACE in text:  # from Spark's own shuffle and spill files
            raise errors.OutputError(
                "no space left on the disk", where=output, hint="free some, or set --work and spark.local.dir elsewhere"
            ) from error
        raise


def in_tasks(spark: SparkSession, items: Sequence[str], sizes: Sequence[int], one: Callable[[str], str]) -> list[str]:
    """``one`` applied to each item in Spark's tasks, one small string each; results in no particular order.

    Neighbours share a task up to TASK_BYTES, but never so many that a core would have fewer than four tasks to choose from.
    """
    task_bytes = min(TASK_BYTES, sum(sizes) // (4 * spark.sparkContext.defaultParallelism) + 1)
    groups: list[list[str]] = []
    room = 0
    for item, size in zip(items, sizes, strict=True):
        if not groups or size > room:
            groups.append([])
            room = task_bytes
        groups[-1].append(item)
        room -= size

    def over(tasks: Iterator[list[str]]) -> Iterator[str]:
        for group in tasks:
            yield from map(one, group)

    return spark.sparkContext.parallelize(groups, max(1, len(groups))).mapPartitions(guarded(over)).collect()


def _write_error(error: OSError, where: str) -> errors.OutputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "no space left on the disk" if full else "cannot write"
    hint = "free some, or choose another --output or --work" if full else "check the permissions, or choose another folder"
    return errors.OutputError(what, where=where, hint=hint)


def _storage_error(error: OSError, where: str) -> errors.StorageError:
    what = f"reading or writing failed: {(str(error) or type(error).__name__).splitlines()[0][:300]}"
    return errors.StorageError(what, where=where, hint="the same command goes on where this one stopped")


def _encode(error: errors.GristmillError) -> str:
    told = {"kind": type(error).__name__, "what": error.what, "where": error.where, "hint": error.hint}
    return f"{_MARK}{json.dumps(told)}{_MARK}"
