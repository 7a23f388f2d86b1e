"""`gristmill curate`: a recipe over archives into a corpus folder.

gristmill curate web --input crawl/ --output corpus/
spark-submit --py-files gristmill.zip jobs/curate.py web --input … --output …
"""

import click

from corpus import engine, recipe
from corpus.session import BRIEF_BYTES, session
from corpus.sources.listing import find
from jobs import console
from jobs.running import run

EXAMPLE = """
\b
Example:
  gristmill curate web --input crawl/ --output corpus/
  gristmill curate web --input 's3://bucket/crawl/*.warc.gz' --output s3://bucket/corpus --set gopher_quality.min_words=30
  gristmill curate my.yaml --input a.jsonl --output corpus/ --allow my_package
  gristmill curate --show web > my.yaml
"""


@click.command("curate", epilog=EXAMPLE)
@click.argument("name", metavar="RECIPE", required=False)
@click.option("--input", "inputs", multiple=True, metavar="PATH", help="File, folder, glob or s3://, gs://, hdfs:// URI; may be repeated.")
@click.option("--output", metavar="DIR", help="The corpus folder.")
@click.option("--set", "overrides", multiple=True, metavar="STEP.FIELD=VALUE", help="Change one setting of the recipe; may be repeated.")
@click.option("--master", metavar="URL", help="Spark's master; default local[*], or what spark-submit says.")
@click.option("--work", metavar="DIR", help="Where intermediate results lie; Spark must be able to write there. Default DIR.work.")
@click.option("--overwrite", is_flag=True, help="Replace the corpus or unfinished run that lies there.")
@click.option("--allow", multiple=True, metavar="PACKAGE", help="Let the recipe use steps of this package; may be repeated.")
@click.option("--plan", "show_plan", is_flag=True, help="Print the stages and which steps are fused; run nothing.")
@click.option("--list", "show_list", is_flag=True, help="Print the built-in recipes.")
@click.option("--show", "show_recipe", is_flag=True, help="Print the recipe as YAML, every threshold visible.")
@click.argument("more_inputs", metavar="", nargs=-1)
def command(name, inputs, output, overrides, master, work, overwrite, allow, show_plan, show_list, show_recipe, more_inputs) -> None:  # type: ignore[no-untyped-def]
    """Make a corpus: run RECIPE (a built-in's name or a YAML file) over the inputs."""
    if show_list:
        console.show_recipes([recipe.load(each) for each in recipe.built_in_recipes()])
        return
    if not name:
        raise click.UsageError("name a recipe (gristmill curate --list shows the built-in ones)")
    made = recipe.load(name, overrides=overrides, allow=allow)
    if show_recipe or show_plan:
        click.echo(made.to_yaml() if show_recipe else console.plan_lines(engine.plan(made)), nl=False)
        return
    if not (inputs and output):
        raise click.UsageError("--input and --output are needed")
    given = [*inputs, *more_inputs]
    spark = session("gristmill curate", master, brief=sum(file.size_bytes for file in find(given)) < BRIEF_BYTES)
    with console.Progress(spark) as progress:
        result = engine.curate(made, given, output, spark=spark, work=work, overwrite=overwrite, observer=progress)
    console.show_result(result)


if __name__ == "__main__":
    run(command)
