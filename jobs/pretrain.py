"""`gristmill pretrain`: a model from token shards, on one device or many.

gristmill pretrain build/demo/tokens --preset tiny --output build/demo/model
torchrun --nproc-per-node 8 --nnodes 4 … jobs/pretrain.py tokens/ --preset 1.3b --strategy fsdp --output model/
"""

from dataclasses import replace
from pathlib import Path

import click

from corpus.session import session
from corpus.tasks import raising_user_errors
from jobs.running import run
from jobs.steady_console import show_paused, show_rate
from jobs.training_console import TrainingPanel, show_model
from modeling.config import with_settings
from modeling.find_rate import find_rate
from modeling.loggers import LOGS
from modeling.mixture import Mixture
from modeling.presets import NAMES, preset
from modeling.train import Launch, Trained, pretrain
from modeling.watching import Unwatched
from tokenization.shards import TokenFolder

EXAMPLE = """
\b
Example:
  gristmill pretrain tokens/ --preset 125m --output model/ --devices 8
  gristmill pretrain tokens/ --preset 4m --output model/ --set train.steps=500 --set model.position=learned
  gristmill pretrain tokens/ --preset 125m --output model/ --find-rate
  torchrun --nproc-per-node 8 --nnodes 4 --rdzv-endpoint head:29500 jobs/pretrain.py tokens/ --preset 6.7b --strategy fsdp --output model/
"""


@click.command("pretrain", epilog=EXAMPLE)
@click.argument("tokens", metavar="TOKENS")
@click.option("--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="The model's folder.")
@click.option("--preset", "name", type=click.Choice(NAMES), default="tiny", show_default=True)
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="model.FIELD or train.FIELD; may be repeated.")
@click.option("--mixture", type=click.Path(path_type=Path), metavar="FILE", help="YAML: weights by source or language, in phases.")
@click.option("--devices", type=click.IntRange(min=0), default=0, help="Processes on this machine; default all GPUs, or one on the CPU.")
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True)
@click.option(
    "--strategy", type=click.Choice(["ddp", "fsdp", "deepspeed"]), default="ddp", show_default=True, help="fsdp: FSDP2; deepspeed: ZeRO."
)
@click.option("--tensor-parallel", type=click.IntRange(min=1), default=1, show_default=True, help="Devices that share each matrix.")
@click.option("--precision", type=click.Choice(["auto", "32-true", "bf16-mixed", "bf16-true"]), default="auto", show_default=True)
@click.option("--compile", "compiled", is_flag=True, help="torch.compile, block by block.")
@click.option("--checkpoint-activations", "checkpointed", is_flag=True, help="Less memory for a third more work: see gristmill plan.")
@click.option("--keep-last", type=click.IntRange(min=1), default=2, show_default=True, help="Checkpoints to keep, beside the best one.")
@click.option("--log", default="tensorboard", show_default=True, metavar="NAMES", help=f"Some of {', '.join(LOGS)}, with commas between.")
@click.option("--find-rate", "finding", is_flag=True, help="Search for a learning rate in a short run of its own, and train nothing.")
@click.option("--spark-processes", type=click.IntRange(min=1), help="Run as this many processes on Spark's executors (TorchDistributor).")
@click.option("--master", metavar="URL", help="Spark's master, with --spark-processes.")
@click.option("--overwrite", is_flag=True, help="Replace the model or unfinished run that lies there.")
def command(tokens, output, name, settings, mixture, log, finding, spark_processes, master, overwrite, **launched) -> None:  # type: ignore[no-untyped-def]
    """Pretrain a model on TOKENS; the same command goes on with a run that was killed. SIGTERM saves behind the step, and exits 0."""
    model, train = with_settings(*preset(name, TokenFolder.open(tokens).manifest["tokenizer"]["vocabulary"]), settings)
    train = train if mixture is None else replace(train, mixture=Mixture.read(mixture).data)
    launch = Launch(logs=tuple(name.strip() for name in log.split(",")), **launched)
    if finding:
        return show_rate(find_rate(tokens, output, model, train, launch), train)
    if spark_processes:
        from pyspark.ml.torch.distributor import TorchDistributor  # a second, which other runs need not wait for

        spark = session("gristmill pretrain", master, brief=True)
        embedded = str(spark.sparkContext.master).startswith("local[")
        distributor = TorchDistributor(num_processes=spark_processes, local_mode=embedded, use_gpu=launch.on_gpu)
        trained: Trained | None = distributor.run(pretrain, tokens, output, model, train, launch, watcher=Unwatched(), overwrite=overwrite)
    else:
        with raising_user_errors(str(output)), TrainingPanel(model) as panel:
            trained = pretrain(tokens, output, model, train, launch, watcher=panel, overwrite=overwrite)
    if trained and trained.leads:
        show_paused(trained) if trained.paused_at else show_model(trained)


if __name__ == "__main__":
    run(command)
