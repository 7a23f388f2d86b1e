"""`gristmill refilter`: other thresholds for a finished corpus, from its stored signals.

gristmill refilter corpus/ --set gopher_quality.min_words=30 --output looser/
"""

import click

from corpus.refilter import Change, refilter
from corpus.session import BRIEF_BYTES, session
from jobs import console
from jobs.running import run

EXAMPLE = """
\b
Example:
  gristmill refilter corpus/ --set toxic_words.max_fraction=0 --output stricter/
  gristmill refilter corpus/ --set gopher_quality.min_words=30 --set split_by_cluster.test=0.01 --output looser/
"""


@click.command("refilter", epilog=EXAMPLE)
@click.argument("corpus", metavar="DIR")
@click.option("--set", "overrides", multiple=True, metavar="STEP.FIELD=VALUE", help="Change one threshold; may be repeated.")
@click.option("--output", required=True, metavar="NEW", help="The new corpus folder.")
@click.option("--master", metavar="URL", help="Spark's master; default local[*], or what spark-submit says.")
@click.option("--work", metavar="DIR", help="Where intermediate results lie; Spark must be able to write there. Default NEW.work.")
@click.option("--overwrite", is_flag=True, help="Replace the corpus or unfinished run that lies there.")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="Let the recipe use steps of this package; may be repeated.")
def command(corpus, overrides, output, master, work, overwrite, allow) -> None:  # type: ignore[no-untyped-def]
    """Make a new corpus of the finished one in DIR with other thresholds of filters, or other settings of deduplication, split, mixture or
    output. No archive is read: what is loosened must be stored (output.keep_rejected).
    """
    change = Change.of(corpus, overrides, allow=allow)
    spark = session("gristmill refilter", master, brief=change.size_bytes < BRIEF_BYTES)
    with console.Progress(spark) as progress:
        result = refilter(change, output, spark=spark, work=work, overwrite=overwrite, observer=progress)
    console.show_result(result)


if __name__ == "__main__":
    run(command)
