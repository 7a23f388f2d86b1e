"""`gristmill plan`: what a training run would take, before a GPU is rented.

gristmill plan --preset 1.3b --tokens 26e9 --gpus 64 --gpu h100 --price 2.50
"""

import json
from dataclasses import asdict

import click

from jobs.plan_console import show_plan
from jobs.running import run
from modeling.config import with_settings
from modeling.hardware import GPUS
from modeling.plan import plan
from modeling.presets import NAMES, preset

EXAMPLE = "\b\nExample:\n  gristmill plan --preset 1.3b --tokens 26e9 --gpus 64 --gpu h100 --price 2.50"


@click.command("plan", epilog=EXAMPLE)
@click.option("--preset", "name", type=click.Choice(NAMES), required=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="model.FIELD or train.FIELD; may be repeated.")
@click.option("--tokens", type=float, help="Tokens to train on, such as 26e9; default the preset's steps.")
@click.option("--gpus", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--gpu", type=click.Choice(list(GPUS)), default="h100", show_default=True)
@click.option("--mfu", type=float, default=0.4, show_default=True, help="The share of a GPU's peak that training is taken to reach.")
@click.option("--price", type=float, help="Of one GPU for an hour, in any currency.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
def command(name, settings, tokens, gpus, gpu, mfu, price, as_json) -> None:  # type: ignore[no-untyped-def]
    """Parameters, FLOPs, memory by layout, hours and energy of a run: an estimate from the data sheet of GPU, and --mfu."""
    model, train = with_settings(*preset(name), settings)
    wanted = float(train.steps * train.global_batch_tokens) if tokens is None else tokens
    made = plan(model, train, tokens=wanted, gpus=gpus, gpu=GPUS[gpu], utilisation=mfu, price=price)
    if as_json:
        click.echo(json.dumps({"estimate": True, "preset": name, "gpus": gpus, "gpu": gpu, "mfu": mfu, **asdict(made)}, indent=1))
    else:
        show_plan(made, f"{gpus:,} x {gpu}", mfu)


if __name__ == "__main__":
    run(command)
