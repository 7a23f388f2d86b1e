"""Which parts of documents go, in plain Python over lists of words and sentences: what the steps are held equal to."""

import re
import unicodedata
from collections.abc import Sequence

Places = set[tuple[str, int]]  # (document, number of the piece)


def form(line: str) -> str:
    """cc_net's normal form as ``dedup.lines`` has it, of texts of one case mapping a character."""
    kept = "".join("0" if unicodedata.category(each)[0] == "N" else each for each in line.lower())
    kept = "".join(each for each in kept if unicodedata.category(each)[0] not in "PC" or each.isspace())
    return re.sub(r"\s+", " ", kept).strip()


def repeated(documents: dict[str, Sequence[str]], length: int, *, most: int = 0, all_copies: bool = False, within: bool = True) -> Places:
    """``documents``: by name, first that of the least rank, their pieces ("" takes no part) -> the pieces that go.

    Runs of ``length`` pieces that stand in more than ``most`` documents go, but for their first place unless ``all_copies``; ``within``:
    so do later ones of a single document that do not overlap its first.
    """
    places: dict[tuple[str, ...], list[tuple[str, list[int], int]]] = {}
    for name, told in documents.items():
        solid = [at for at, piece in enumerate(told) if piece]
        for number in range(len(solid) - length + 1):
            run = solid[number : number + length]
            places.setdefault(tuple(told[at] for at in run), []).append((name, run, number))
    gone: Places = set()
    for found in places.values():
        several = len({name for name, _, _ in found}) > max(1, most)
        owner = found[0][0]
        first: dict[str, int] = {}
        for name, run, number in found:
            again = number - first.setdefault(name, number) >= length
            goes = (several and (all_copies or name != owner)) or (again and (within or several))
            if goes:
                gone |= {(name, at) for at in range(run[0], run[-1] + 1)}
    return gone
