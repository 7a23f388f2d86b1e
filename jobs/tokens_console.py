"""What the jobs of tokenizers and tokens show, and the option that weighs languages.

show_tokens(encode(...))
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from jobs.console import console, table_of
from tokenization.encode import Encoded
from tokenization.shards import SPLITS
from tokenization.train import Trained


class Weight(click.ParamType):
    """LANGUAGE=N as (language, weight)."""

    name = "weight"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        language, _, weight = str(value).rpartition("=")
        try:
            return (language, float(weight)) if language else self.fail(f"{value} is no LANGUAGE=N: deu=2", param, ctx)
        except ValueError:
            self.fail(f"{weight} is no number", param, ctx)


def show_tokenizer(trained: Trained) -> None:
    """The fertility table, and where the tokenizer lies."""
    if trained.resumed:
        console.print("This tokenizer was whole already; nothing was done.")
    table = table_of("language", "documents", "tokens/word", "bytes/token", "bytes alone", "unknown")
    for row in trained.fertility:
        values = (f"{row['tokens_per_word']:.2f}", f"{row['bytes_per_token']:.2f}", f"{row['byte_share']:.1%}", f"{row['unknown']:,}")
        table.add_row(row["language"], f"{row['documents']:,}", *values)
    console.print(table)
    sample = trained.manifest["sample"]
    capped = ": no more is read, as --sample-bytes says" if sample["capped"] else ", all there is"
    console.print(
        f"{trained.manifest['kind']}, {trained.manifest['vocabulary']:,} ids, from {sample['documents']:,} documents "
        f"({sample['bytes']:,} bytes{capped}): [bold]{trained.folder}[/bold]",
        soft_wrap=True,
    )


def show_tokenizers(measured: Sequence[Mapping[str, Any]], page: Path) -> None:
    """Tokenizers side by side, and where their page lies."""
    table = table_of("tokenizer", "ids", "bytes/token", "tokens/word", "words cut", "never met", "rare")
    for each in measured:
        whole, use = each["all"], each["use"]
        cells = (f"{whole['bytes_per_token']:.3f}", f"{whole['tokens_per_word']:.3f}", f"{whole['continued_share']:.1%}")
        table.add_row(each["name"], f"{each['vocabulary']:,}", *cells, f"{use['unused']:,}", f"{use['rare']:,}")
    console.print(table)
    console.print(f"page: [bold]{page}[/bold]", soft_wrap=True)


def show_tokens(encoded: Encoded) -> None:
    """What lies in each split."""
    if encoded.resumed:
        console.print("These tokens were whole already; nothing was done.")
    table = table_of("split", "documents", "tokens", "bytes/token", "shards")
    for name in SPLITS:
        split = encoded.tokens.split(name)
        per_token = f"{split.bytes / max(1, split.tokens):.2f}"
        table.add_row(name, f"{split.documents:,}", f"{split.tokens:,}", per_token, f"{len(split.shards):,}")
    console.print(table)
    console.print(f"{encoded.tokens.manifest['dtype']}: [bold]{encoded.tokens.path}[/bold]", soft_wrap=True)
