"""`gristmill report`: make report.html of a corpus again, from its report.json.

gristmill report corpus/
"""

import click

from corpus.report.page import remake
from corpus.storage import locate
from jobs.running import run


@click.command("report", epilog="\b\nExample:\n  gristmill report corpus/")
@click.argument("corpus", metavar="DIR")
def command(corpus: str) -> None:
    """Make report.html of the corpus in DIR again, from report.json."""
    click.echo(remake(locate(corpus)).uri)


if __name__ == "__main__":
    run(command)
