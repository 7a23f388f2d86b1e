"""What a run shows that ended before its last step, and a search for the learning rate.

show_paused(trained)
"""

from jobs.console import console
from modeling.config import TrainConfig
from modeling.find_rate import Found
from modeling.train import Trained

_SHOWN = 7  # of the sweep's steps, 20 a decade


def show_paused(trained: Trained) -> None:
    """How to go on."""
    console.print(
        f"stopped by SIGTERM behind step {trained.paused_at:,}; all is saved in [bold]{trained.folder}[/bold]: the same command goes on",
        soft_wrap=True,
    )


def show_rate(found: Found, train: TrainConfig) -> None:
    """What was tried, a line a third of a decade, and what to begin with."""
    for at in range(0, len(found.rates), _SHOWN):
        console.print(f"{found.rates[at]:.1e}  {found.smoothed[at]:.3f}")
    console.print(
        f"the loss fell until [bold]{found.best:.1e}[/bold]; suggested: [bold]--set train.learning_rate={found.suggested:.1e}[/bold] "
        f"(now {train.learning_rate:.1e}): {found.file}",
        soft_wrap=True,
    )
