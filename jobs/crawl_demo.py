"""`gristmill crawl-demo`: crawl two sites that this machine serves to itself, into WARCs.

gristmill crawl-demo --output build/demo/crawl --pages 500
"""

from pathlib import Path

import click

from corpus.demo.crawl import crawl_demo
from jobs import console
from jobs.running import run


@click.command("crawl-demo", epilog="\b\nExample:\n  gristmill crawl-demo --output build/demo/crawl --pages 500")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Where the WARCs go.")
@click.option("--pages", type=click.IntRange(min=1), help="At most this many pages; default: all that the demo needs.")
@click.option("--seed", default=0, show_default=True, help="Decides names, addresses and near-copies of the written site.")
def command(output: Path, pages: int | None, seed: int) -> None:
    """Serve a documentation site of this Python and a site written for the demo on the loopback, and crawl both into WARCs."""
    with console.counting("crawling") as progress:
        result = crawl_demo(output, pages=pages, seed=seed, progress=progress)
    click.echo(str(result))


if __name__ == "__main__":
    run(command)
