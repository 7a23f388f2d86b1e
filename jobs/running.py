"""How a job runs as a process: one error handler, three exit codes (0 done, 2 the user's error, 1 ours).

if __name__ == "__main__":
    run(command)
"""

import sys
from collections.abc import Sequence

import click

from corpus.errors import GristmillError


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
        print(f"gristmill: {error}", file=sys.stderr)
        sys.exit(2)
