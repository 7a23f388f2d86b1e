"""What the votes say: win rates, strengths, ratings, agreement, and whether the side or the person decided; and exports.

    told = summarise(Votes.open(Path("votes.sqlite")))
    told["systems"][0]                  # {"system": "b", "win_rate": {"value": 0.61, "low": 0.52, "high": 0.7}, "strength": {…}, …}
    export(votes, Path("votes.csv"))    # or .jsonl: a row a vote; .json: the summary

All intervals are of 95 %. Those of rates, strengths, means and alpha are bootstraps over prompts.
"""

import csv
import io
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import InputError, OutputError
from corpus.storage import json_bytes, locate
from modeling.judging.agreement import alpha
from modeling.judging.strengths import fit, fit_replicates, problem
from modeling.judging.votes import RATINGS, Vote, Votes
from modeling.resampling import interval, replicates, wilson

FORMAT = "gristmill judgement 1"
EXPORTS = (".json", ".jsonl", ".csv")
_ELO = 400 / math.log(10)  # points of a natural logarithm: 400 points are odds of 10 to 1


def summarise(votes: Votes) -> dict[str, Any]:
    """Everything that is told of a file of votes. Raises InputError where no vote stands."""
    every = votes.all()
    counted = [vote for vote in every if vote.status == "counted"]
    if not counted:
        raise InputError("no vote stands in this file", where=str(votes.file), hint="gristmill judge SAMPLES --votes asks for some")
    told = {
        "format": FORMAT,
        "mode": votes.mode,
        "questions": list(votes.questions),
        "votes": len(counted),
        "skipped": sum(vote.status == "skipped" for vote in every),
        "undone": sum(vote.status == "undone" for vote in every),
        "items": len({vote.item for vote in counted}),
        "prompts": len({vote.prompt_id for vote in counted}),
        "annotators": _annotators(every),
    }
    return told | (_of_pairs(counted) if votes.mode == "pairs" else _of_ratings(counted, votes.questions))


def export(votes: Votes, file: Path) -> None:
    """All votes, those skipped or undone too, as .jsonl or .csv; the summary as .json."""
    rows = [asdict(vote) for vote in votes.all()]
    if file.suffix == ".json":
        content = json_bytes(summarise(votes))
    elif file.suffix == ".jsonl":
        content = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    elif file.suffix == ".csv":
        stream = io.StringIO(newline="")
        writer = csv.DictWriter(stream, list(Vote.__dataclass_fields__))
        writer.writeheader()
        writer.writerows({**row, **{name: row[name] and json.dumps(row[name]) for name in ("systems", "ratings")}} for row in rows)
        content = stream.getvalue().encode()
    else:
        raise OutputError("votes are exported as .jsonl, .csv or .json", where=str(file))
    try:
        locate(str(file)).write_bytes(content)
    except OSError as error:
        raise OutputError("cannot write the export", where=str(file), hint=str(error)) from error


def _of_pairs(votes: Sequence[Vote]) -> dict[str, Any]:
    names = sorted({system for vote in votes for system in vote.systems})
    wins_PSS = _wins(votes, names)
    wins = wins_PSS.sum(0)
    drawn = (replicates(len(wins_PSS)) @ wins_PSS.reshape(len(wins_PSS), -1)).reshape(-1, len(names), len(names))
    systems: list[dict[str, Any]] = [
        {
            "system": name,
            "votes": int(wins[at].sum() + wins[:, at].sum()),
            "win_rate": _value(_rate(wins, at), _rate(drawn, at)),
            "strength": None,
        }
        for at, name in enumerate(names)
    ]
    unranked = problem(wins, names)
    if unranked is None:
        logs = fit(wins)
        spread = fit_replicates(drawn, logs)
        for at, system in enumerate(systems):
            system["strength"] = _value(_ELO * logs[at], _ELO * spread[:, at])
    systems.sort(key=lambda each: (-each["strength"]["value"] if each["strength"] else 0, -each["win_rate"]["value"], each["system"]))
    units = _units(votes, lambda vote: ("first", "second", "tie", "both_bad").index(_outcome(vote)))
    thirds = [(prompt, [(0, 2, 1, 1)[code] for code in codes]) for prompt, codes in units]
    decided = [vote for vote in votes if vote.choice in ("left", "right")]
    return {
        "systems": systems,
        "unranked": unranked,
        "pairs": _table(votes),
        "agreement": [
            {
                "question": None,
                "items": sum(len(codes) > 1 for _, codes in units),
                "nominal": asdict(alpha(units, codes=4, ordinal=False)),
                "ordinal": asdict(alpha(thirds, codes=3, ordinal=True)),
            }
        ],
        "position": _left(decided),
    }


def _of_ratings(votes: Sequence[Vote], questions: Sequence[str]) -> dict[str, Any]:
    names = sorted({vote.systems[0] for vote in votes})
    prompts = {prompt: at for at, prompt in enumerate(sorted({vote.prompt_id for vote in votes}))}
    weights = replicates(len(prompts))
    systems: list[dict[str, Any]] = []
    agreement = []
    for number, question in enumerate(questions):
        for name in names:
            sums = np.zeros((len(prompts), 2))
            counts: Counter[int] = Counter()
            for vote in votes:
                if vote.systems[0] == name and vote.ratings:
                    sums[prompts[vote.prompt_id]] += (vote.ratings[number], 1)
                    counts[vote.ratings[number]] += 1
            drawn = weights @ sums
            with np.errstate(invalid="ignore"):
                mean = _value(float(sums[:, 0].sum() / sums[:, 1].sum()), drawn[:, 0] / drawn[:, 1])
            row = {"system": name, "question": question, "votes": counts.total(), "mean": mean}
            systems.append(row | {"counts": [counts[rating] for rating in RATINGS]})
        units = _units(votes, lambda vote, at=number: (vote.ratings or ())[at] - RATINGS[0])  # type: ignore[misc]
        found = {kind: asdict(alpha(units, codes=len(RATINGS), ordinal=kind == "ordinal")) for kind in ("nominal", "ordinal")}
        agreement.append({"question": question, "items": sum(len(codes) > 1 for _, codes in units), **found})
    order = {question: at for at, question in enumerate(questions)}
    systems.sort(key=lambda row: (order[row["question"]], -row["mean"]["value"], row["system"]))
    return {"systems": systems, "agreement": agreement}


def _wins(votes: Sequence[Vote], names: Sequence[str]) -> np.ndarray:
    """float64 (prompts, S, S): votes for the row's system over the column's; half a vote each way of a tie, both bad among them."""
    prompts = {prompt: at for at, prompt in enumerate(sorted({vote.prompt_id for vote in votes}))}
    at = {name: number for number, name in enumerate(names)}
    wins = np.zeros((len(prompts), len(names), len(names)))
    for vote in votes:
        left, right = (at[system] for system in vote.systems)
        share = {"left": 1.0, "right": 0.0}.get(vote.choice or "", 0.5)
        wins[prompts[vote.prompt_id], left, right] += share
        wins[prompts[vote.prompt_id], right, left] += 1 - share
    return wins


def _rate(wins: np.ndarray, at: int) -> np.ndarray:
    won, lost = wins[..., at, :].sum(-1), wins[..., at].sum(-1)
    with np.errstate(invalid="ignore"):
        return won / (won + lost)


def _outcome(vote: Vote) -> str:
    """Of the pair with its systems by name: first, second, tie or both_bad."""
    if vote.choice not in ("left", "right"):
        return str(vote.choice)
    return "first" if (vote.choice == "left") == (vote.systems == tuple(sorted(vote.systems))) else "second"


def _table(votes: Sequence[Vote]) -> list[dict[str, Any]]:
    counts: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for vote in votes:
        counts[tuple(sorted(vote.systems))][_outcome(vote)] += 1
    kinds = ("first", "tie", "both_bad", "second")
    return [{"systems": list(systems), **{kind: counts[systems][kind] for kind in kinds}} for systems in sorted(counts)]


def _units(votes: Sequence[Vote], code: Any) -> list[tuple[str, list[int]]]:
    """(prompt, what each annotator said of one item), by item: the order of votes changes nothing."""
    units: defaultdict[str, tuple[str, list[int]]] = defaultdict()
    for vote in sorted(votes, key=lambda vote: (vote.item, vote.annotator)):
        units.setdefault(vote.item, (vote.prompt_id, []))[1].append(code(vote))
    return list(units.values())


def _annotators(votes: Sequence[Vote]) -> list[dict[str, Any]]:
    """By name: how many, how fast, and how often left won."""
    rows = []
    for name in sorted({vote.annotator for vote in votes}):
        own = [vote for vote in votes if vote.annotator == name]
        counted = [vote for vote in own if vote.status == "counted"]
        seconds = [vote.seconds for vote in counted if vote.seconds is not None]
        rows.append(
            {
                "annotator": name,
                "votes": len(counted),
                "skipped": sum(vote.status == "skipped" for vote in own),
                "undone": sum(vote.status == "undone" for vote in own),
                "comments": sum(bool(vote.comment) for vote in counted),
                "median_seconds": statistics.median(seconds) if seconds else None,
                "position": _left([vote for vote in counted if vote.choice in ("left", "right")]),
            }
        )
    return rows


def _left(decided: Sequence[Vote]) -> dict[str, Any] | None:
    """How often the left one won of the votes that chose a side; each system stood there as often as right, so 0.5 is no bias."""
    if not decided:
        return None
    left = sum(vote.choice == "left" for vote in decided)
    low, high = wilson(left, len(decided))
    return {"decided": len(decided), "left": left, "share": left / len(decided), "low": low, "high": high}


def _value(value: float | np.ndarray, drawn: np.ndarray) -> dict[str, float | None]:
    low, high = interval(drawn) or (None, None)
    return {"value": float(value), "low": low, "high": high}
