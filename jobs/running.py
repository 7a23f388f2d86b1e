"""How a job runs as a process: one error handler, three exit codes (0 done, 2 the user's error, 1 ours).

if __name__ == "__main__":
    run(command)
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from corpus.errors import GristmillError, StorageError


def run(command: click.Command, arguments: Sequence[str] | None = None) -> None:
    """Run one command as a process does: errors of the user's are one line and exit code 2."""
    try:
        command.main(args=None if arguments is None else list(arguments), standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        print("stopped; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
    except GristmillError as error:
        _end(error)
    except OSError as error:  # a disk or an object store that fails where nobody else has put it into words
        what = (str(error) or type(error).__name__).splitlines()[0][:300]
        _end(StorageError(f"reading or writing failed: {what}", hint="the same command goes on where this one stopped"))


def _end(error: GristmillError) -> NoReturn:
    print(f"gristmill: {error}", file=sys.stderr)
    sys.exit(2)
