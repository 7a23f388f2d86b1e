"""From scores to verdicts: the cross-matrix, effects, what the controls say, and the answer in words, as ``ablation.json``.

The primary outcome is declared before the run (``plan.json``): bits per byte, the mean over all held-out sets, equal weights. All else is
secondary. Nothing here depends on time or machine: the same scores give the same bytes.

    result = conclude(design, folder)
    result["verdict"]["headline"]           # "b is better than a: 0.021 bits per byte less, 95 % interval 0.010 to 0.032"
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from corpus.errors import InputError
from corpus.storage import json_bytes, locate
from modeling.ablation.design import FORMAT, HELD_OUT, NULL, POSITIVE, SHUFFLED, Design
from modeling.ablation.held_out import BAD, GOOD, RARE, TEXT, HeldOut, Piece
from modeling.ablation.statistics import Effect, Scores, compare, holm, mean_of, noise_of

RESULT = "ablation.json"
PRIMARY = "mean of all held-out sets"
PRIMARY_OUTCOME = f"bits per byte, {PRIMARY}, equal weights"
NO_DIFFERENCE = "no detectable difference"


def conclude(design: Design, folder: Path, **more: Any) -> dict[str, Any]:
    """Write ``ablation.json`` and return its content. Raises InputError where a run is missing."""
    told = {(run.arm.name, run.seed): _read(run.scores(folder)) for run in design.runs()}
    held = HeldOut.read(folder / HELD_OUT)
    texts, tasks = scored_sets(design, held, told)
    effects = _effects(design, texts, tasks)
    controls = _controls(design, texts)
    result = {
        "format": FORMAT,
        "primary": PRIMARY_OUTCOME,
        "verdict": _verdict(design, effects, controls, texts),
        "matrix": _matrix(design, texts, tasks),
        "best": _best(design, texts),
        "parameters": design.model.parameters,
        "effects": effects,
        "controls": controls,
        "noise": asdict(noise_of(*_alike(design), texts)),
        "sets": {name: _set_facts(held.pieces, numbers) for name, numbers in held.sets.items()},
        "rare_languages": _rare(held.pieces),
        "draws": [{"arm": arm, "seed": seed, "epochs": each["run"]["epochs"], **each["draw"]} for (arm, seed), each in told.items()],
        "curves": [{"arm": arm, "seed": seed, "sets": each["curve"]} for (arm, seed), each in told.items()],
        "design": asdict(design),
        "models": {f"{arm} {seed}": each["model"] for (arm, seed), each in told.items()},
        "parents": [*({"corpus": arm.digest} for arm in design.arms), {"tokenizer": design.tokenizer}],
        **more,
    }
    locate(str(folder / RESULT)).write_bytes(json_bytes(result))
    return result


def scored_sets(design: Design, held: HeldOut, told: Mapping[tuple[str, int], Mapping[str, Any]]) -> tuple[list[Scores], list[Scores]]:
    """The sets of texts, in bits over bytes; the tasks, in bits by which an item's right text is likelier than the likeliest wrong one."""
    bits = {arm.name: np.array([told[arm.name, seed]["nats"] for seed in range(design.seeds)]) / np.log(2) for arm in design.all_arms}
    texts, tasks = [], []
    for name, numbers in held.sets.items():
        pieces = [held.pieces[at] for at in numbers]
        values = {arm: found[:, numbers] for arm, found in bits.items()}
        if pieces[0].kind == TEXT:
            sizes = np.array([len(piece.text.encode()) for piece in pieces], float)
            texts.append(Scores(name=name, values=values, sizes=sizes, keys=[piece.key for piece in pieces]))
        else:
            items, margins = _margins(pieces, values)
            tasks.append(Scores(name=name, values=margins, sizes=np.ones(len(items)), keys=items, sign=1))
    return texts, tasks


def _margins(pieces: Sequence[Piece], values: Mapping[str, np.ndarray]) -> tuple[list[str], dict[str, np.ndarray]]:
    sides: dict[str, tuple[list[int], list[int]]] = {}
    for at, piece in enumerate(pieces):
        sides.setdefault(piece.key, ([], []))[piece.kind == BAD].append(at)
    assert all(pieces[good].kind == GOOD for (good,), _ in sides.values())
    return list(sides), {
        arm: np.stack([found[:, bad].min(1) - found[:, good[0]] for good, bad in sides.values()], 1) for arm, found in values.items()
    }


def _effects(design: Design, texts: Sequence[Scores], tasks: Sequence[Scores]) -> list[dict[str, Any]]:
    """The primary outcome of each pair, corrected over pairs; then each set and task of each pair, corrected over all of these."""
    primary = [compare(reference, arm, texts, outcome=PRIMARY) for reference, arm in design.pairs()]
    others = [compare(reference, arm, [each]) for reference, arm in design.pairs() for each in (*texts, *tasks)]
    return [*_corrected(primary, is_primary=True), *_corrected(others, is_primary=False)]


def _alike(design: Design) -> tuple[str, str]:
    """The two arms that differ least: the first and its null control, or without controls the first two."""
    return design.arms[0].name, NULL if design.controls else design.arms[1].name


def _corrected(found: Sequence[Effect], *, is_primary: bool) -> list[dict[str, Any]]:
    ps = holm([effect.p for effect in found])
    return [
        asdict(effect) | {"primary": is_primary, "p_holm": p, "verdict": effect.verdict(p)} for effect, p in zip(found, ps, strict=True)
    ]


def _controls(design: Design, texts: Sequence[Scores]) -> list[dict[str, Any]]:
    """What each control was to be, and was, in the primary outcome; not corrected, so that a faulty experiment is found sooner."""
    if not design.controls:
        return []
    first = design.arms[0].name
    made = []
    for name, expected, what in (
        (NULL, NO_DIFFERENCE, f"{first} again, the same documents in another order"),
        (POSITIVE, "worse", f"{first} with {SHUFFLED:.0%} of its words out of place"),
    ):
        effect = compare(first, name, texts, outcome=PRIMARY)
        found = effect.verdict(effect.p)
        made.append(asdict(effect) | {"what": what, "expected": expected, "verdict": found, "passed": found == expected})
    return made


def _verdict(
    design: Design, effects: Sequence[Mapping[str, Any]], controls: Sequence[Mapping[str, Any]], texts: Sequence[Scores]
) -> dict[str, Any]:
    failed = [control for control in controls if not control["passed"]]
    primary = [effect for effect in effects if effect["primary"]]
    if failed:
        reasons = "; ".join(f"the {each['arm']} came out as “{each['verdict']}”, not “{each['expected']}”" for each in failed)
        missed = [control for control in failed if control["arm"] == POSITIVE and control["verdict"] == NO_DIFFERENCE]
        return {
            "withheld": True,
            "headline": "No verdict: this experiment cannot be trusted",
            "sentences": [f"{reasons[0].upper()}{reasons[1:]}.", *map(_too_coarse, missed)],
        }
    sentences = [sentence(effect) for effect in primary]
    if len(primary) == 1:
        return {"withheld": False, "headline": sentences[0], "sentences": []}
    means = [arm.name for arm in design.arms]
    best = _best(design, texts)["primary"]
    behind = [name for name in means if any({best, name} == {e["arm"], e["reference"]} and e["verdict"] != NO_DIFFERENCE for e in primary)]
    level = [name for name in means if name != best and name not in behind]
    if not behind:
        headline = f"{NO_DIFFERENCE.capitalize()} between any of {', '.join(means)} and the best"
    else:
        headline = f"{best} is better than {_listed(behind)}" + (f"; {NO_DIFFERENCE} from {_listed(level)}" if level else "")
    return {"withheld": False, "headline": headline, "sentences": sentences}


def _too_coarse(control: Mapping[str, Any]) -> str:
    found, resolved = f"{control['effect']:+.3f} bits per byte", f"resolves about {control['resolves']:.3f}"
    return f"It differs by {found}, and this experiment {resolved}: more seeds or a larger budget would find smaller differences."


def sentence(effect: Mapping[str, Any]) -> str:
    """One comparison in words."""
    arm, reference, size = effect["arm"], effect["reference"], abs(effect["effect"])
    if effect["verdict"] == NO_DIFFERENCE:
        resolves = f"this experiment resolves about {effect['resolves']:.3f} bits per byte"
        return f"No detectable difference between {arm} and {reference}: {resolves}"
    low, high = sorted((abs(effect["low"]), abs(effect["high"])))
    better, other = (arm, reference) if effect["verdict"] == "better" else (reference, arm)
    return f"{better} is better than {other}: {size:.3f} bits per byte less (95 % interval {low:.3f} to {high:.3f})"


def _matrix(design: Design, texts: Sequence[Scores], tasks: Sequence[Scores]) -> list[dict[str, Any]]:
    """A row for each arm: its mean over seeds on each set, the seeds, and on tasks how many items are right."""
    table = []
    for arm in design.all_arms:
        cells = {each.name: {"mean": float(each.of(arm.name).mean()), "seeds": each.of(arm.name).tolist()} for each in (*texts, *tasks)}
        for task in tasks:
            cells[task.name]["accuracy"] = float((task.values[arm.name] > 0).mean())
        table.append({"arm": arm.name, "primary": float(mean_of(texts, arm.name).mean()), "sets": cells})
    return table


def _best(design: Design, texts: Sequence[Scores]) -> dict[str, str]:
    """The arm with the least bits per byte on each set, and in the primary outcome; whether that is more than chance is another matter."""
    names = [arm.name for arm in design.arms]
    columns = {"primary": list(texts), **{each.name: [each] for each in texts}}
    return {column: min(names, key=lambda arm: float(mean_of(sets, arm).mean())) for column, sets in columns.items()}


def _set_facts(pieces: Sequence[Piece], numbers: Sequence[int]) -> dict[str, Any]:
    chosen = [pieces[at] for at in numbers]
    return {
        "task": chosen[0].kind != TEXT,
        "units": len({piece.key for piece in chosen}),
        "bytes": sum(len(piece.text.encode()) for piece in chosen),
    }


def _rare(pieces: Sequence[Piece]) -> dict[str, dict[str, int]]:
    """Set -> language -> how many of its held-out documents are no part of the outcome."""
    found: dict[str, dict[str, int]] = {}
    for piece in pieces:
        if piece.kind == RARE:
            counts, language = found.setdefault(piece.set, {}), piece.language or "unknown"
            counts[language] = counts.get(language, 0) + 1
    return found


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _read(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise InputError("a run is not whole", where=str(path), hint="the same command makes what is missing") from error
    return told
