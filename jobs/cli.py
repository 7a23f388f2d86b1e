"""The command `gristmill`: the jobs under one name, each imported when it is called: who curates waits for no PyTorch.

gristmill --help
gristmill curate web --input crawl/ --output corpus/
"""

from importlib import import_module

import click

from corpus.errors import EnvironmentProblem
from jobs.running import run

# name -> what it does; the module is jobs.NAME with underscores
COMMANDS = {
    "curate": "Make a corpus: a recipe over archives or tables.",
    "export-table": "A query of a database as Parquet, for curate to read.",
    "refilter": "A new corpus from a finished one: thresholds move, no archive is read again.",
    "report": "Make a corpus's report.html again.",
    "explain": "What became of a document, and why.",
    "conformance": "The published filters beside ours, and what each would reject.",
    "train-classifier": "A fastText classifier from labelled text.",
    "train-perplexity": "An n-gram model from text that is thought well of.",
    "train-extractor": "The classifier of main content, from labelled pages.",
    "commoncrawl": "A part of a Common Crawl snapshot, by language or domain.",
    "crawl-demo": "Serve two sites to this machine, and crawl them.",
    "train-tokenizer": "A tokenizer from a sample of a corpus.",
    "tokenizer-report": "Tokenizers side by side: what each language costs, tokens hardly met.",
    "encode": "A corpus as token shards.",
    "plan": "What a training run would take: memory, hours, energy.",
    "pretrain": "A model from token shards.",
    "evaluate": "Bits per byte of a model, beside a unigram model and zstd.",
    "answer": "What a model answers, scored: exact match, F1, BLEU, chrF, ROUGE, GSM8K, HumanEval.",
    "harness": "Tasks of the Language Model Evaluation Harness (lm_eval).",
    "ablate": "Which corpus makes the better model, with intervals and controls.",
    "generate": "Text from a model.",
    "export": "A model as a plain folder of transformers.",
    "judge": "People compare what models wrote, in a local page.",
    "batches": "Which documents the optimizer sees at a step.",
}
_EXTRAS = dict.fromkeys(("torch", "lightning", "safetensors", "tensorboard"), "train") | {"lm_eval": "harness"}


class _Jobs(click.Group):
    """Commands by name, imported on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            command = import_module(f"jobs.{cmd_name.replace('-', '_')}").command
        except ModuleNotFoundError as error:
            if extra := _EXTRAS.get((error.name or "").partition(".")[0]):
                raise EnvironmentProblem(f"{error.name} is not installed", hint=f"pip install 'gristmill[{extra}]'") from error
            raise
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Jobs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="gristmill")
def gristmill() -> None:
    """From raw text to a clean, explained corpus, a tokenizer, and a trained and evaluated model."""


def main() -> None:
    """Entry point of the installed command."""
    run(gristmill)


if __name__ == "__main__":
    main()
