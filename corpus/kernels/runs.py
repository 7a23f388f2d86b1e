"""Runs of pieces that stand more than once: their keys, a sample that no repeated run escapes, and which pieces lie in one.

A run is n pieces in turn. Its key is a polynomial of theirs (Rabin and Karp) in each of the two hashes, so that a run of 50 words costs
what one of two does. Winnowing (Schleimer, Wilkerson and Aiken, SIGMOD 2003) chooses of every n - k + 1 shorter runs in turn the one
with the least key: two texts that share n pieces have chosen the same place in them, whatever stands around.

    found = runs(word_pieces(text), np.full(len(text), 50))
"""

from typing import NamedTuple, final

import numpy as np

from corpus.kernels.compiled import kernel
from corpus.kernels.ngrams import mix
from corpus.kernels.pieces import Pieces

_FIRST, _SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD6E8FEB86659FD93)
NOWHERE, ELSEWHERE, HERE = range(3)  # what is known of a run: it is not repeated; it stays in another document; it stays in this one


@final
class Runs(NamedTuple):
    """All runs of the rows: those of row r are ``bounds[r]:bounds[r + 1]``, each one piece further than the last; pieces without size,
    or smaller than the limit, are passed over.
    """

    bounds: np.ndarray  # int64 (rows + 1,)
    begin: np.ndarray  # int64: the number of its first piece
    end: np.ndarray  # int64: and the number after its last
    first: np.ndarray  # uint64
    second: np.ndarray  # uint64
    earlier: np.ndarray  # int64: the number of the first run of the row with the same keys: its own, if there is none before


def runs(found: Pieces, lengths: np.ndarray, min_size: int = 1) -> Runs:
    """``lengths``: pieces of a run by row, int64 (rows,); a row of fewer pieces has no runs."""
    return Runs(*_runs(found.bounds, found.first, found.second, found.size >= min_size, lengths.astype(np.int64)))


def prints(found: Pieces, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Winnowed runs of half the length: (key uint64, first piece int64) of each, and where those of each row begin, int64 (rows + 1,).

    About 4 for 100 pieces at a length of 100, 8 at 50.
    """
    return _prints(found.bounds, found.first, lengths.astype(np.int64))


def near(found: Runs, lengths: np.ndarray, places: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Whether a run holds one of the shorter runs that begin with the pieces ``places[ends[r]:ends[r + 1]]``: bool (runs,).

    Places ascend in their row, and are counted from its first piece; only where all pieces have a size.
    """
    return _near(found.bounds, found.begin, lengths.astype(np.int64), places, ends)


def repeated(found: Runs, known: np.ndarray, pieces: int, lengths: np.ndarray, everywhere: bool, all_copies: bool) -> np.ndarray:
    """Whether a piece lies in a run that goes: bool (pieces,). ``known``: of each run, one of NOWHERE, ELSEWHERE, HERE.

    A run goes where it stays elsewhere, or where it stays here but stood in this row before, apart from this one (the aaa of aaaa does
    not stand twice); ``everywhere``: so do those of which nothing is known. ``all_copies``: all that are repeated go.
    """
    return _repeated(found.bounds, found.begin, found.end, found.earlier, known, pieces, lengths.astype(np.int64), everywhere, all_copies)


def look_up(found: Runs, first: np.ndarray, second: np.ndarray, states: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The state of each run's keys among those of its row, ``first[ends[r]:ends[r + 1]]``: uint8 (runs,), NOWHERE if it is not there."""
    return _look_up(found.bounds, found.first, found.second, first, second, states, ends)


@kernel
def _runs(bounds, first, second, solid, lengths):  # type: ignore[no-untyped-def]
    rows = len(bounds) - 1
    begin, end = np.empty(len(first), np.int64), np.empty(len(first), np.int64)
    one, two = np.empty(len(first), np.uint64), np.empty(len(first), np.uint64)
    run_bounds = np.zeros(rows + 1, np.int64)
    used = 0
    for row in range(rows):
        length = lengths[row]
        places = bounds[row] + np.flatnonzero(solid[bounds[row] : bounds[row + 1]])
        power, other_power = np.uint64(1), np.uint64(1)
        for _ in range(length):
            power, other_power = np.uint64(power * _FIRST), np.uint64(other_power * _SECOND)
        key, other = np.uint64(0), np.uint64(0)
        for at in range(len(places)):
            key = np.uint64(np.uint64(key * _FIRST) + first[places[at]])
            other = np.uint64(np.uint64(other * _SECOND) + second[places[at]])
            if at >= length:
                key = np.uint64(key - np.uint64(power * first[places[at - length]]))
                other = np.uint64(other - np.uint64(other_power * second[places[at - length]]))
            if at >= length - 1:
                begin[used], end[used] = places[at - length + 1], places[at] + 1
                one[used], two[used] = mix(np.uint64(key ^ np.uint64(length))), mix(np.uint64(other ^ np.uint64(length)))
                used += 1
        run_bounds[row + 1] = used
    return run_bounds, begin[:used], end[:used], one[:used], two[:used], _earlier(run_bounds, one, two)


@kernel
def _room(count):  # type: ignore[no-untyped-def]
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@kernel
def _slot(table, first, second, one, two):  # type: ignore[no-untyped-def]
    """Where the keys are in the table of numbers into ``first`` and ``second``, or the free place where they belong."""
    slot = np.int64(one & np.uint64(len(table) - 1))
    while table[slot] >= 0 and (first[table[slot]] != one or second[table[slot]] != two):
        slot = (slot + 1) & (len(table) - 1)
    return slot


@kernel
def _earlier(bounds, first, second):  # type: ignore[no-untyped-def]
    earlier = np.empty(bounds[-1], np.int64)
    for row in range(len(bounds) - 1):
        table = np.full(_room(bounds[row + 1] - bounds[row]), -1, np.int64)
        for run in range(bounds[row], bounds[row + 1]):
            slot = _slot(table, first, second, first[run], second[run])
            if table[slot] < 0:
                table[slot] = run
            earlier[run] = table[slot]
    return earlier


@kernel
def _look_up(bounds, first, second, listed, also, states, ends):  # type: ignore[no-untyped-def]
    known = np.zeros(bounds[-1], np.uint8)
    for row in range(len(bounds) - 1):
        table = np.full(_room(ends[row + 1] - ends[row]), -1, np.int64)
        for number in range(ends[row], ends[row + 1]):
            table[_slot(table, listed, also, listed[number], also[number])] = number
        for run in range(bounds[row], bounds[row + 1]):
            slot = _slot(table, listed, also, first[run], second[run])
            if table[slot] >= 0:
                known[run] = states[table[slot]]
    return known


@kernel
def _repeated(bounds, begin, end, earlier, known, pieces, lengths, everywhere, all_copies):  # type: ignore[no-untyped-def]
    cut = np.zeros(pieces, np.bool_)
    for row in range(len(bounds) - 1):
        reached = 0
        for run in range(bounds[row], bounds[row + 1]):
            goes = known[run] == ELSEWHERE or (all_copies and known[run] == HERE)
            if run - earlier[run] >= lengths[row] and (known[run] == HERE or everywhere):
                goes = True
            if goes:
                for piece in range(max(begin[run], reached), end[run]):
                    cut[piece] = True
                reached = end[run]
    return cut


@kernel
def _prints(bounds, first, lengths):  # type: ignore[no-untyped-def]
    rows = len(bounds) - 1
    keys, places = np.empty(len(first), np.uint64), np.empty(len(first), np.int64)
    ends = np.zeros(rows + 1, np.int64)
    used = 0
    for row in range(rows):
        count, length = bounds[row + 1] - bounds[row], lengths[row]
        part = max(1, length // 2)
        window = length - part + 1
        if count >= length:
            power = np.uint64(1)
            for _ in range(part):
                power = np.uint64(power * _FIRST)
            grams = count - part + 1
            values = np.empty(grams, np.uint64)
            key = np.uint64(0)
            for at in range(count):
                key = np.uint64(np.uint64(key * _FIRST) + first[bounds[row] + at])
                if at >= part:
                    key = np.uint64(key - np.uint64(power * first[bounds[row] + at - part]))
                if at >= part - 1:
                    values[at - part + 1] = mix(np.uint64(key ^ np.uint64(length)))
            least, chosen = -1, -1
            for at in range(window - 1, grams):  # the window is values[at - window + 1 : at + 1]; of equal ones the last
                if least < at - window + 1:
                    least = at - window + 1
                    for place in range(at - window + 2, at + 1):
                        if values[place] <= values[least]:
                            least = place
                elif values[at] <= values[least]:
                    least = at
                if least != chosen:
                    keys[used], places[used] = values[least], least
                    used += 1
                    chosen = least
        ends[row + 1] = used
    return keys[:used], places[:used], ends


@kernel
def _near(bounds, begin, lengths, places, ends):  # type: ignore[no-untyped-def]
    found = np.zeros(bounds[-1], np.bool_)
    for row in range(len(bounds) - 1):
        reach = lengths[row] - max(1, lengths[row] // 2)
        base = begin[bounds[row]] if bounds[row] < bounds[row + 1] else 0
        place = ends[row]
        for run in range(bounds[row], bounds[row + 1]):
            at = begin[run] - base
            while place < ends[row + 1] and places[place] < at:
                place += 1
            found[run] = place < ends[row + 1] and places[place] <= at + reach
    return found
