"""`gristmill commoncrawl`: a part of a Common Crawl snapshot on the local disk, for `gristmill curate`.

gristmill commoncrawl --snapshot CC-MAIN-2025-30 --languages deu --limit 100 --output crawl/
"""

import click

from corpus.sources.commoncrawl import DATA, Selection, fetch
from corpus.sources.download import Remote
from jobs import console
from jobs.running import run

EXAMPLE = """
\b
Example:
  gristmill commoncrawl --snapshot CC-MAIN-2025-30 --languages deu --limit 100 --output crawl/
  gristmill commoncrawl --snapshot CC-MAIN-2025-30 --kind wet --limit 1 --output crawl/
  gristmill commoncrawl --snapshot CC-NEWS/2025/07 --limit 1 --output news/
  gristmill curate web --input crawl/ --output corpus/
"""


@click.command("commoncrawl", epilog=EXAMPLE)
@click.option("--snapshot", required=True, metavar="NAME", help="Such as CC-MAIN-2025-30; commoncrawl.org lists them.")
@click.option("--languages", default="", metavar="CODES", help="ISO 639-3, by comma: records whose main language is one of these.")
@click.option("--tlds", default="", metavar="NAMES", help="By comma: records of hosts below these.")
@click.option("--domains", default="", metavar="NAMES", help="By comma: records of these registered domains.")
@click.option("--kind", type=click.Choice(["warc", "wet", "wat"]), default="warc", show_default=True, help="Of whole archives.")
@click.option("--limit", type=click.IntRange(min=1), required=True, help="Records, or whole archives where nothing is selected.")
@click.option("--output", required=True, metavar="DIR", help="Where they go.")
@click.option("--base-url", default=DATA, show_default=True, metavar="URL", help="A mirror: a URL, a folder or s3://.")
@click.option("--parallel", type=click.IntRange(1, 16), default=4, show_default=True, help="Downloads at once.")
def command(snapshot, languages, tlds, domains, kind, limit, output, base_url, parallel) -> None:  # type: ignore[no-untyped-def]
    """Fetch records that the index selects by language, TLD or domain; whole archives where none is named. Goes on where it was stopped."""
    lists = [tuple(part for part in given.split(",") if part) for given in (languages, tlds, domains)]
    if kind != "warc" and any(lists):
        raise click.UsageError("the index names records of WARC alone: leave --kind out")
    selection = Selection(snapshot=snapshot, limit=limit, kind=kind, languages=lists[0], tlds=lists[1], domains=lists[2])
    with console.counting("fetching") as progress:
        manifest = fetch(selection, output, Remote(base_url), parallel=parallel, progress=progress)
    click.echo(f"{len(manifest['fetched']):,} fetched, {len(manifest['refused']):,} refused: {output}/manifest.json says which")


if __name__ == "__main__":
    run(command)
