"""Where a run's figures go beside ``curve.jsonl``: TensorBoard, CSV, Weights & Biases, MLflow; all of them to files in the model's folder.

Nothing leaves the machine unless the user's environment says so: ``WANDB_MODE=online``, or ``MLFLOW_TRACKING_URI=http://…``.

    made = loggers(Path("build/demo/model"), ("tensorboard", "csv"), settings={"model": {...}}, first_step=0)
"""

import os
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import CSVLogger, Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from corpus.errors import EnvironmentProblem
from modeling.config import SettingError

LOGS = ("tensorboard", "csv", "wandb", "mlflow")  # their folders too
_PROJECT = "gristmill"


def require(names: Sequence[str]) -> None:
    """Raises SettingError for a name that is not known, EnvironmentProblem naming the extra that brings what is missing."""
    for name in names:
        if name not in LOGS:
            raise SettingError(f"no such logger: {name}", where="--log", hint=", ".join(LOGS))
        if name in ("wandb", "mlflow") and find_spec(name) is None:
            raise EnvironmentProblem(f"{name} is not installed", hint=f"pip install 'gristmill[{name}]'")


def loggers(folder: Path, names: Sequence[str], *, settings: Mapping[str, Any], first_step: int) -> list[Logger]:
    """One for each name; in every process: those after the first write nothing."""
    made = []
    for name in names:
        logger = _MAKERS[name](folder, first_step)
        if name in ("wandb", "mlflow"):  # they compare runs by their settings
            logger.log_hyperparams(dict(settings))
        made.append(logger)
    return made


def _tensorboard(folder: Path, first_step: int) -> Logger:
    return TensorBoardLogger(folder, name="tensorboard", version="")


def _csv(folder: Path, first_step: int) -> Logger:
    """A file for each start: begun again in the same folder, Lightning's logger removes what was there."""
    return CSVLogger(folder, name="csv", version=f"from-step-{first_step:08d}", flush_logs_every_n_steps=1)


def _wandb(folder: Path, first_step: int) -> Logger:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    (folder / "wandb").mkdir(parents=True, exist_ok=True)  # where it cannot write, it takes a folder of its own choice
    return WandbLogger(project=_PROJECT, name=folder.name, save_dir=folder, offline=os.environ.get("WANDB_MODE") != "online")


def _mlflow(folder: Path, first_step: int) -> Logger:
    # the small package writes to a server or to files; the latter it calls finished, and wants to be told that it is meant
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    store = os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlflow").absolute().as_uri()
    return MLFlowLogger(experiment_name=_PROJECT, run_name=folder.name, tracking_uri=store)


_MAKERS: Mapping[str, Callable[[Path, int], Logger]] = {
    "tensorboard": _tensorboard, "csv": _csv, "wandb": _wandb, "mlflow": _mlflow,
}  # fmt: skip
