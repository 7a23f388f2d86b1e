"""`gristmill explain`: all that is known about one document.

gristmill explain corpus/ http://en.mill.example/bread.html
"""

import click

from corpus.report.explain import explain
from corpus.storage import locate
from jobs.running import run


@click.command(
    "explain", epilog="\b\nExample:\n  gristmill explain corpus/ http://en.mill.example/bread.html\n  gristmill explain corpus/ 0f3a…"
)
@click.argument("corpus", metavar="DIR")
@click.argument("key", metavar="URL-OR-ID")
def command(corpus: str, key: str) -> None:
    """What became of a document: origin, each signal against its threshold, reason, duplicates, split."""
    for line in explain(locate(corpus), key).to_lines():
        click.echo(line)


if __name__ == "__main__":
    run(command)
