"""Strengths of systems from pairs (Bradley & Terry 1952): i wins against j with probability γ_i / (γ_i + γ_j). A tie is half a win of each.

Ties as half wins, not Davidson's (1970) third outcome: strengths then are finite where a system tied, and never lost, which is common
among a few hundred votes. Fitted by the MM algorithm of Hunter (2004), which climbs to the one maximum.

    problem(wins_SS, ["a", "b"])      # None, or why nothing can be ranked
    fit(wins_SS)                      # natural logarithms of γ, their mean 0
"""

from collections.abc import Sequence

import numpy as np

_ROUNDS = 100_000
_PRIOR = 0.5  # votes


def problem(wins_SS: np.ndarray, names: Sequence[str]) -> str | None:
    """Why there is no finite maximum (Ford 1957): systems that were never compared, or some that never lost to the others."""
    compared = _reach(wins_SS + wins_SS.T)
    if not compared.all():
        apart = [name for name, linked in zip(names, compared[0], strict=True) if not linked]
        return f"no chain of votes links {', '.join(apart)} with {names[0]}: nothing can be ranked across"
    reach = _reach(wins_SS)
    above = reach[:, reach.sum(0).argmin()]  # those that beat one system, through others: nobody else beat any of them
    if above.all():
        return None
    best, rest = (", ".join(name for name, inside in zip(names, above, strict=True) if inside == side) for side in (True, False))
    return f"{best} never lost or tied against {rest}: strengths have no finite maximum"


def fit(wins_SS: np.ndarray, *, tolerance: float = 1e-10) -> np.ndarray:
    """Log strengths (…, S) of wins (…, S, S), ``wins[i, j]`` of i over j; each matrix must have a finite maximum.

    Rounds end when none moves a logarithm by ``tolerance``.
    """
    votes = wins_SS + np.swapaxes(wins_SS, -1, -2)
    won = wins_SS.sum(-1)
    logs = np.zeros(won.shape)
    for _ in range(_ROUNDS):
        gamma = np.exp(logs)
        new = np.log(won / (votes / (gamma[..., :, None] + gamma[..., None, :])).sum(-1))
        new -= new.mean(-1, keepdims=True)
        moved = np.abs(new - logs).max(initial=0.0)
        logs = new
        if moved < tolerance:
            break
    return logs


def fit_replicates(wins_RSS: np.ndarray, fitted_S: np.ndarray) -> np.ndarray:
    """Log strengths (R, S) of bootstrap replicates, each with half a vote more for each pair, shared as ``fitted_S`` foretells.

    In a replicate that drew no defeat of a system its strength would have no finite maximum; this pulls to where the votes are anyway.
    """
    gamma = np.exp(fitted_S)
    compared = (wins_RSS + np.swapaxes(wins_RSS, -1, -2)).sum(0) > 0
    return fit(wins_RSS + _PRIOR * compared * (gamma[:, None] / (gamma[:, None] + gamma[None, :])), tolerance=1e-6)


def _reach(edges_SS: np.ndarray) -> np.ndarray:
    """bool (S, S): which can be reached from which along positive edges, in any number of steps, none included."""
    reach = (edges_SS > 0) | np.eye(len(edges_SS), dtype=bool)
    for _ in range(len(edges_SS)):
        reach = (reach.astype(int) @ reach.astype(int)) > 0
    return reach
