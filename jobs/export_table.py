"""`gristmill export-table`: a query of a database as Parquet, for `gristmill curate` to read.

gristmill export-table --url jdbc:postgresql://db/crm --query 'SELECT id, body FROM notes' --key id --output notes/
"""

import click

from corpus.session import session
from corpus.sources.database import PASSWORD, USER, Query, export
from corpus.storage import locate
from corpus.tasks import raising_user_errors
from jobs.running import run

EXAMPLE = f"""
\b
Example:
  export {USER}=reader {PASSWORD}=…
  gristmill export-table --url jdbc:postgresql://db/crm --query 'SELECT id, body AS text FROM notes' --key id --output notes/ \\
    --driver /usr/share/java/postgresql.jar
  gristmill curate company --input notes/ --output corpus/
"""


@click.command("export-table", epilog=EXAMPLE)
@click.option("--url", required=True, metavar="URL", help="JDBC address of the database, without a password.")
@click.option("--query", required=True, metavar="SQL", help="What to read: a SELECT, or a table's name.")
@click.option("--key", required=True, metavar="COLUMN", help="An integer column, unique in the query.")
@click.option("--parts", default=8, show_default=True, metavar="N", help="Ranges of the key; each is read on its own.")
@click.option("--output", required=True, metavar="DIR", help="The folder for the Parquet files.")
@click.option("--driver", default="", metavar="JAR", help="The database's JDBC driver.")
@click.option("--master", metavar="URL", help="Spark's master; default local[*], or what spark-submit says.")
def command(url: str, query: str, key: str, parts: int, output: str, driver: str, master: str | None) -> None:
    """Export a query of a database to Parquet; the same command goes on where a killed one stopped."""
    sql = query if " " in query.strip() else f"SELECT * FROM {query.strip()}"
    asked = Query(url=url, query=sql.strip().rstrip(";"), key=key, parts=parts)
    with raising_user_errors(output):
        rows = export(session("gristmill export-table", master, brief=True), asked, locate(output), driver)
    click.echo(f"{rows:,} rows in {locate(output).uri}")


if __name__ == "__main__":
    run(command)
