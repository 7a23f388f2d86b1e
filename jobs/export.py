"""`gristmill export`: a trained model as a plain folder of `transformers`.

gristmill export build/demo/model --output plain/
"""

from pathlib import Path

import click

from corpus.tasks import raising_user_errors
from jobs.running import run
from modeling.export import export

EXAMPLE = "\b\nExample:\n  gristmill export model/ --output plain/"


@click.command("export", epilog=EXAMPLE)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), required=True, help="The folder to make: config, weights, tokenizer.")
@click.option("--drop-mtp", is_flag=True, help="Leave out the heads of multi-token prediction; the logits stay.")
def command(model: Path, output: Path, drop_mtp: bool) -> None:
    """Export MODEL as the Llama, Mistral, Ministral, Qwen3, OLMo 2 or OLMo 3 that it is."""
    with raising_user_errors(str(output)):
        click.echo(f"{export(model, output, drop_mtp=drop_mtp)}: {output}")


if __name__ == "__main__":
    run(command)
