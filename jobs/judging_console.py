"""What `gristmill judge` shows: the links of the annotators, and the results as tables.

show_results(summarise(votes))
"""

import ipaddress
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from jobs.console import console, table_of
from modeling.judging.samples import Item
from modeling.judging.server import JudgeServer
from modeling.judging.votes import RATINGS


def show_serving(server: JudgeServer, items: Sequence[Item], votes: Path, annotators: Sequence[str]) -> None:
    """Each annotator's link and progress."""
    systems, prompts = len({name for item in items for name in item.systems}), len({item.prompt_id for item in items})
    console.print(f"{len(items):,} items of {systems} systems on {prompts:,} prompts; votes in {escape(str(votes))}", soft_wrap=True)
    progress = server.session.progress()
    for name in annotators:
        done, total = progress[name]
        console.print(f"[bold]{escape(name)}[/bold]  {done:,} of {total:,} judged  {server.link(name)}", soft_wrap=True)
    if not _is_loopback(server.host):
        console.print("[yellow]Other machines may connect, without encryption; an SSH tunnel to 127.0.0.1 is safer.[/yellow]")
    console.print("[dim]Whoever has a link votes under its name. Ctrl-C stops; the same command goes on.[/dim]")


def show_results(told: Mapping[str, Any]) -> None:
    """Systems, pairs, agreement, annotators."""
    facts = f"{told['votes']:,} votes on {told['items']:,} items of {told['prompts']:,} prompts"
    console.print(f"{facts}; {told['skipped']:,} skipped, {told['undone']:,} undone. In brackets: 95 % intervals.")
    if told["mode"] == "pairs":
        _show_pairs(told)
    else:
        _show_ratings(told)
    table = table_of("agreement (Krippendorff's alpha)", "items judged twice", "nominal", "ordinal")
    for row in told["agreement"]:
        table.add_row(escape(row["question"] or "all pairs"), f"{row['items']:,}", *(_alpha(row[kind]) for kind in ("nominal", "ordinal")))
    console.print(table)
    table = table_of("annotator", "votes", "skipped", "undone", "comments", "median seconds", "left won")
    for row in told["annotators"]:
        seconds = "–" if row["median_seconds"] is None else f"{row['median_seconds']:.1f}"
        counts = (f"{row[name]:,}" for name in ("votes", "skipped", "undone", "comments"))
        table.add_row(escape(row["annotator"]), *counts, seconds, _left(row["position"]))
    console.print(table)


def _show_pairs(told: Mapping[str, Any]) -> None:
    table = table_of("system", "votes", "win rate", "strength (Elo points)")
    for row in told["systems"]:
        strength = _interval(row["strength"], "+.0f") if row["strength"] else "–"
        table.add_row(escape(row["system"]), f"{row['votes']:,}", _interval(row["win_rate"], ".1%"), strength)
    console.print(table)
    if told["unranked"]:
        console.print(f"[yellow]Not ranked: {escape(told['unranked'])}.[/yellow]", soft_wrap=True)
    table = table_of("pair", "first better", "tie", "both bad", "second better")
    for row in told["pairs"]:
        counts = (f"{row[name]:,}" for name in ("first", "tie", "both_bad", "second"))
        table.add_row(escape(" / ".join(row["systems"])), *counts)
    console.print(table)
    console.print(f"[dim]A tie is half a win of each. The left text won {_left(told['position'])} of the votes for one side.[/dim]\n")


def _show_ratings(told: Mapping[str, Any]) -> None:
    for question in told["questions"]:
        table = table_of("system", "votes", "mean", *map(str, RATINGS))
        table.title, table.title_justify, table.title_style = escape(question), "left", ""
        for row in told["systems"]:
            if row["question"] == question:
                counts = (f"{count:,}" for count in row["counts"])
                table.add_row(escape(row["system"]), f"{row['votes']:,}", _interval(row["mean"], ".2f"), *counts)
        console.print(table)


def _interval(value: Mapping[str, Any], form: str) -> str:
    known = f"{value['value']:{form}}"
    return known if value["low"] is None else f"{known} [dim]\\[{value['low']:{form}}, {value['high']:{form}}][/dim]"


def _alpha(value: Mapping[str, Any]) -> str:
    return "–" if value["value"] is None else _interval(value, ".3f")


def _left(position: Mapping[str, Any] | None) -> str:
    return _interval({**position, "value": position["share"]}, ".1%") if position else "–"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
