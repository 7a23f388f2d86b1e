"""The command `gristmill`: the jobs under one name.

gristmill --help
gristmill curate web --input crawl/ --output corpus/
"""

import click

from jobs import crawl_demo, curate, explain, report, train_classifier
from jobs.running import run


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gristmill")
def gristmill() -> None:
    """From raw web archives to a clean, deduplicated, explained corpus."""


COMMANDS: tuple[click.Command, ...] = (curate.command, report.command, explain.command, train_classifier.command, crawl_demo.command)
for each in COMMANDS:
    gristmill.add_command(each)


def main() -> None:
    """Entry point of the installed command."""
    run(gristmill)


if __name__ == "__main__":
    main()
