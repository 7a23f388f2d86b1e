"""The errors that a user can cause, as one tree.

The command line turns each of them into one line on stderr and exit code 2; anything else is our fault and ends
with exit code 1. A message says what went wrong, where (file, record, key), and what to do about it.

    raise InputError("no readable archive", where="/data/crawl", hint="give a folder that holds .warc.gz files")
"""


class GristmillError(Exception):
    """What a user can mend. ``str()`` is one line: ``what: where (hint)``."""

    def __init__(self, what: str, *, where: str = "", hint: str = ""):
        self.what = what
        self.where = where
        self.hint = hint
        line = f"{what}: {where}" if where else what
        line = f"{line} ({hint})" if hint else line
        super().__init__(" ".join(line.encode("utf-8", "backslashreplace").decode().split()))  # a file's name may be no UTF-8


class RecipeError(GristmillError):
    """The recipe cannot be run: an unknown key, a wrong type, a step in the wrong place."""


class InputError(GristmillError):
    """The input cannot be read: a missing path, an empty folder, no readable record."""


class OutputError(GristmillError):
    """The output cannot be written: no permission, a full disk, somebody else's folder."""


class StorageError(GristmillError):
    """A disk or an object store fails while the run reads or writes: it may work again later."""


class ResumeError(GristmillError):
    """An unfinished or finished run lies there, and it is not this one."""


class AssetError(GristmillError):
    """A model or word list of the user's is missing, damaged, or something else."""


class EnvironmentProblem(GristmillError):
    """The machine lacks something: Java, a browser, an extra of the package."""
