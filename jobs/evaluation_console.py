"""What `gristmill evaluate` shows: bits per byte by group, texts, tasks, what of them stands in the
training text, what is by heart; and the end of the demo.

show_evaluation(evaluation, page)
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from corpus.engine import Result
from corpus.publish import PAGE
from jobs.console import console, table_of
from modeling.answers.session import ANSWERS
from modeling.evaluate import rows
from modeling.page import PAGE as EVALUATION_PAGE
from modeling.page import touched


def show_evaluation(evaluation: Mapping[str, Any], page: Path) -> None:
    """Bits per byte of the model, a unigram model and zstd, by split, language and source."""
    table = table_of("split", "group", "n", "ppl", "bits/byte", "95 %", "unigram", "zstd -19", left=2)  # 80 columns; the page has the rest
    for row in rows(evaluation):
        bits = (f"{row['bits_per_byte']:.3f}", _between(row["bits_per_byte_interval"], "–"))
        beside = (f"{row['unigram_bits_per_byte']:.3f}", f"{row['zstd_bits_per_byte']:.3f}")
        style = "bold" if row["group"] == "all" else ""
        counts = (f"{row['documents']:,}", f"{row['perplexity']:,.1f}")
        table.add_row(row["split"], row["group"], *counts, *bits, *beside, style=style)
    console.print(table)
    _show_texts(evaluation["texts"])
    _show_tasks(evaluation["tasks"])
    _show_touched(evaluation)
    console.print(f"curves and samples: [bold]{page}[/bold]", soft_wrap=True)


def show_road(curated: Result, evaluation: Mapping[str, Any], output: Path) -> None:
    """The end of the demo: from documents to bits per byte in one table, and what the model writes."""
    manifest = curated.manifest
    held_out = [row for row in rows(evaluation) if row["group"] == "all"][-1]
    table = Table("what", "figure", "where", box=None, header_style="dim", pad_edge=False)
    table.columns[1].justify = "right"
    table.add_row("documents read", f"{manifest['read']:,}", f"{output / 'crawl'}")
    table.add_row("documents kept", f"{manifest['kept']:,}", f"{output / 'corpus'}")
    table.add_row("parameters", f"{evaluation['parameters']:,}", f"{output / 'model'}")
    table.add_row("[bold green]bits per byte of the model[/bold green]", f"[bold]{held_out['bits_per_byte']:.3f}[/bold]", held_out["split"])
    table.add_row("of a unigram model", f"{held_out['unigram_bits_per_byte']:.3f}", "same tokenizer, same documents")
    table.add_row("of zstd -19", f"{held_out['zstd_bits_per_byte']:.3f}", "same documents")
    console.print(table)
    sample = evaluation["samples"][0]
    console.print(f"\n[dim]{escape(sample['prompt'])}[/dim]{escape(sample['text'])}\n", soft_wrap=True)
    for page in (output / "corpus" / PAGE, output / "evaluation" / EVALUATION_PAGE):
        console.print(f"report: [bold]{page}[/bold]", soft_wrap=True)


def show_answers(found: Mapping[str, Any], output: Path) -> None:
    """The scores of `gristmill answer`, and what to know of them."""
    table = table_of("score", "n", "shots", "value", "95 %")
    for name, score in found["scores"].items():
        between = "–" if score["interval"] is None else _between(score["interval"])
        table.add_row(name, f"{found['n']:,}", str(found["shots"]), f"{score['value']:.3f}", between)
    console.print(table)
    if cut := found["cut_prompts"]:
        console.print(
            f"{cut:,} of {found['n']:,} prompts are longer than the context of {found['context_length']:,}: their beginning is cut."
        )
    _show_looked_for(found["contamination"] and {"": found["contamination"]})
    console.print(f"[dim]{escape(found['signature'])}[/dim]", soft_wrap=True)
    console.print(f"each answer: [bold]{output / ANSWERS}[/bold]", soft_wrap=True)


def show_harness(found: Mapping[str, Any], file: Path) -> None:
    """Each score of each task as lm_eval names it, and its standard error."""
    table = table_of("task", "score", "n", "value", "standard error", left=2)
    for task, values in found["results"].items():
        counted = f"{found['n'][task]['effective']:,}" if task in found["n"] else ""
        for name, value in values.items():
            if isinstance(value, float) and "_stderr" not in name:
                error = values.get(name.replace(",", "_stderr,"))
                table.add_row(escape(task), escape(name), counted, f"{value:.3f}", f"{error:.3f}" if isinstance(error, float) else "–")
    console.print(table)
    _show_looked_for(found["contamination"])
    console.print(f"[dim]lm_eval {found['lm_eval']}[/dim]  [bold]{file}[/bold]", soft_wrap=True)


def _show_looked_for(tasks: Mapping[str, Any] | None) -> None:
    """Of each task: how many items stand in the training text, and the scores of the others."""
    if tasks is None:
        console.print("[dim]not looked for in the training text: --trained-on TOKENS[/dim]")
        return
    for task, found in tasks.items():
        rest = found["without_touched"]
        values = {name: score["value"] if isinstance(score, Mapping) else score for name, score in (rest["scores"] or {}).items()}
        scores = ", ".join(f"{escape(name)} {value:.3f}" for name, value in values.items())
        console.print(
            f"{escape(task)}{': ' if task else ''}{found['touched']:,} of {found['items']:,} items have a run of {found['ngram']} words in "
            f"the training text; the other {rest['n']:,}: {scores or '–'}",
            soft_wrap=True,
        )


def _show_texts(sets: Sequence[Mapping[str, Any]]) -> None:
    if sets:
        table = table_of("text", "documents", "bits/byte", "95 %", "unigram", "ppl a token", "ppl a word", "words")
        for row in sets:
            bits = (f"{row['bits_per_byte']:.3f}", _between(row["bits_per_byte_interval"]), f"{row['unigram_bits_per_byte']:.3f}")
            for at, (counted, words) in enumerate(row["word_perplexity"].items()):
                first = (escape(row["name"]), f"{row['documents']:,}", *bits, f"{row['perplexity']:,.1f}") if at == 0 else ("",) * 6
                table.add_row(*first, f"{words['perplexity']:,.1f}", f"{words['words']:,} {counted.removesuffix(' of the original')}")
        console.print(table)


def _show_tasks(tasks: Sequence[Mapping[str, Any]]) -> None:
    if tasks:
        table = table_of("task", "chosen by", "n", "shots", "accuracy", "95 %", "chance", "bits/byte of the right one", left=2)
        for row in tasks:
            chance = f"{row['chance']:.3f}" if "chance" in row else "–"
            found = (f"{row['accuracy']:.3f}", _between(row["interval"]), chance, f"{row['gold_bits_per_byte']:.3f}")
            table.add_row(escape(row["name"]), row["chosen_by"], f"{row['n']:,}", str(row["shots"]), *found)
        console.print(table)


def _show_touched(evaluation: Mapping[str, Any]) -> None:
    """What of each set stands in the training text, the score with and without it; and what is known by heart."""
    if found := touched(evaluation):
        table = table_of("in the training text", "items", "touched", "too short", "score", "all", "without touched")
        for row in found:
            without = "–" if row["without_touched"] is None else f"{row['without_touched']:.3f}"
            counts = (f"{row['items']:,}", f"{row['touched']:,}", f"{row['too_short']:,}")
            table.add_row(escape(row["name"]), *counts, row["score"], f"{row['all']:.3f}", without)
        console.print(table)
    heart = evaluation["memorisation"]
    rows_told = "; ".join(f"{row['copies']}: {row['reproduced']} of {row['passages']}" for row in heart["rows"])
    if rows_told:
        console.print(
            f"by heart (greedy decoding gives the next {heart['continuation']} tokens), by copies in the training text: {rows_told}",
            soft_wrap=True,
        )


def _between(interval: Sequence[float] | None, to: str = " to ") -> str:
    return "–" if interval is None else f"{interval[0]:.3f}{to}{interval[1]:.3f}"
