"""`gristmill generate`: text from a model.

gristmill generate build/demo/model --prompt "Return the"
"""

from pathlib import Path

import click

from jobs.running import run
from modeling.config import SettingError
from modeling.evaluate import load_model
from modeling.generate import Sampling, generate
from tokenization.shards import TOKENIZER
from tokenization.tokenizer import carried

EXAMPLE = '\b\nExample:\n  gristmill generate model/ --prompt "Return the" --tokens 100 --temperature 0.7 --seed 1'


@click.command("generate", epilog=EXAMPLE)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--prompt", default="", help="What the text begins with; nothing: the beginning of a document.")
@click.option("--tokens", type=click.IntRange(min=1), default=200, show_default=True, help="At most this many.")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.8, show_default=True, help="0: always the likeliest.")
@click.option("--top-k", type=click.IntRange(min=0), default=0, show_default=True, help="Of the k likeliest only; 0: of all.")
@click.option("--top-p", type=click.FloatRange(0, 1, min_open=True), default=0.95, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
def command(model: Path, prompt: str, tokens: int, temperature: float, top_k: int, top_p: float, seed: int) -> None:
    """Continue a prompt with MODEL."""
    if any("\ud800" <= character <= "\udfff" for character in prompt):  # so Python holds bytes of an argument that are no UTF-8
        raise SettingError("the prompt is no UTF-8", where="--prompt")
    made, tokenizer = load_model(model), carried(model / TOKENIZER)
    click.echo(prompt, nl=False)
    for piece in generate(
        made, tokenizer, prompt, tokens=tokens, sampling=Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    ):
        click.echo(piece, nl=False)
    click.echo()


if __name__ == "__main__":
    run(command)
