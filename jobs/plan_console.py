"""What `gristmill plan` shows.

show_plan(plan(...), "8 of h100", 0.4)
"""

from jobs.console import console, table_of
from modeling.plan import CHINCHILLA, RESERVE, Plan


def show_plan(made: Plan, where: str, utilisation: float) -> None:
    """The figures of the whole run, then memory by layout."""
    console.print(f"{made.parameters:,} parameters, {made.flops_per_token:.3e} FLOPs a token (both exact)")
    console.print(
        f"{made.tokens:.3e} tokens, {made.tokens_per_parameter:.1f} a parameter (Chinchilla: {CHINCHILLA:.0f}); "
        f"{made.steps:,} steps, {made.flops:.3e} FLOPs",
        soft_wrap=True,
    )
    columns = ("layout", "batch", "weights", "grads", "AdamW", "gathered", "activ.", "sum", "fits")
    console.print(f"Memory of one device in GB (estimate; {where}, {RESERVE:.0%} left free):")
    table = table_of(*columns)
    for each in made.memory:
        parts = (each.weights, each.gradients, each.optimizer, each.gathered, each.activations, each.total)
        table.add_row(each.layout.name, str(each.micro), *(f"{part / 1e9:,.1f}" for part in parts), "yes" if each.fits else "no")
    console.print(table)
    if any(each.layout.tensor > 1 for each in made.memory):
        console.print("[dim]tp N: `gristmill pretrain --tensor-parallel N`[/dim]")
    fewest = f"at least {made.fewest_gpus:,}" if made.fewest_gpus else "more than 4,096"
    if made.layout is None or made.hours is None:
        console.print(f"[bold]No layout fits[/bold]: it takes {fewest} of these GPUs with one window at once.")
        return
    cost = "" if made.money is None else f", {made.money:,.0f} in the price's currency"
    console.print(
        f"[bold]{made.layout}[/bold]: {made.tokens_per_second:,.0f} tokens/s, {made.hours:,.1f} hours{cost}, "
        f"{made.kilowatt_hours:,.0f} kWh (estimate at an MFU of {utilisation:.0%}; it would fit on {fewest})",
        soft_wrap=True,
    )
