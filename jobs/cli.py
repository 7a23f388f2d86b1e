"""The command `gristmill`: a group of the jobs, one error handler, three exit codes (0 done, 2 the user's error, 1 ours).

gristmill --help
gristmill curate web --input crawl/ --output corpus/
"""

import sys
from collections.abc import Sequence

import click

from corpus.errors import GristmillError
from jobs import crawl_demo, curate, explain, report, train_classifier


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gristmill")
def gristmill() -> None:
    """From raw web archives to a clean, deduplicated, explained corpus."""


for command in (curate.command, report.command, explain.command, train_classifier.command, crawl_demo.command):
    gristmill.add_command(command)


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


def main() -> None:
    """Entry point of the installed command."""
    run(gristmill)


if __name__ == "__main__":
    main()
