"""`gristmill conformance`: the published filters, their variants, and what each would reject of the same texts.

gristmill conformance --pages crawl/
"""

import click

from corpus.report.conformance import conformance
from corpus.sources.listing import find
from jobs.running import run


@click.command(
    "conformance", epilog="\b\nExample:\n  gristmill conformance\n  gristmill conformance --pages crawl/ --pages corpus/documents"
)
@click.option(
    "--pages", multiple=True, metavar="PATH", help="WARCs, or Parquet with texts, to count rejected documents on; may be repeated."
)
def command(pages: tuple[str, ...]) -> None:
    """Each published rule: our value, its source, its variants, and with --pages what they reject."""
    for line in conformance(find(pages) if pages else None).to_lines():
        click.echo(line)


if __name__ == "__main__":
    run(command)
