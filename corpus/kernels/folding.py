"""One spelling for characters that look alike: full-width and other scripts' digits, typographic hyphens and spaces, what is invisible.

Personal data is searched in the folded text, so that ``anna＠example.com`` and a number with a zero-width space in it are found, and
the finds are mapped back. A character is folded to one ASCII character or to none, so that the map is a list of the places of
those that went.

    texts = fold(batch["text"])
    texts.text(0), texts.place(0, 5)
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import final

import numpy as np
import pyarrow as pa

from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode

# By code point, not from ``unicodedata``, which differs from one Python to the next.
_ZEROS = (
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66, 0x0E50, 0x0ED0, 0x0F20, 0x1040,
    0x17E0, 0x1810, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6,
)  # fmt: skip
_SPACES = (0x00A0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
_HYPHENS = (*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63)
_INVISIBLE = (0x00AD, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065), 0xFEFF)
# The letters are those that re.IGNORECASE would equate with ASCII.
_LETTERS = {0x0130: "i", 0x0131: "i", 0x017F: "s", 0x212A: "k", 0x2024: ".", 0xFE52: ".", 0xFE6B: "@"}
_SIZE = 0x20000
_GONE = 1


@lru_cache(maxsize=1)
def table() -> np.ndarray:
    """What each code point becomes: uint8 of shape (0x20000,); 0 stays as it is, 1 goes, otherwise an ASCII character."""
    folded = np.zeros(_SIZE, np.uint8)
    for zero in _ZEROS:
        folded[zero : zero + 10] = range(ord("0"), ord("9") + 1)
    folded[0xFF01:0xFF5F] = range(0x21, 0x7F)
    folded[list(_SPACES)] = ord(" ")
    folded[list(_HYPHENS)] = ord("-")
    folded[list(_INVISIBLE)] = _GONE
    for code, letter in _LETTERS.items():
        folded[code] = ord(letter)
    return folded


@final
@dataclass(frozen=True)
class Folded:
    """Folded texts as UTF-8 ``data`` (bytes,) and ``offsets`` (rows + 1,). ``gone``: places, in characters of its folded text, before
    which an original character is missing; those of row r are ``gone[gone_offsets[r]:gone_offsets[r + 1]]``.
    """

    data: np.ndarray
    offsets: np.ndarray
    gone: np.ndarray
    gone_offsets: np.ndarray

    def text(self, row: int) -> str:
        return self.data[self.offsets[row] : self.offsets[row + 1]].tobytes().decode()

    def place(self, row: int, at: int) -> int:
        """The place in the original of the character at ``at`` in the folded text."""
        first, last = self.gone_offsets[row], self.gone_offsets[row + 1]
        return at if first == last else at + int(np.searchsorted(self.gone[first:last], at, side="right"))


def fold(text: pa.Array) -> Folded:
    """A string array -> its folded texts; those of nulls are empty."""
    data, offsets, _ = buffers(text)
    to = table()
    changed, gone = _count(data, offsets, to)
    if not changed:
        return Folded(data, offsets, np.zeros(0, np.int64), np.zeros(len(offsets), np.int64))
    out, out_offsets = np.zeros(offsets[-1] - offsets[0], np.uint8), np.zeros(len(offsets), np.int64)
    places, place_offsets = np.zeros(gone, np.int64), np.zeros(len(offsets), np.int64)
    _fold(data, offsets, to, out, out_offsets, places, place_offsets)
    return Folded(out, out_offsets, places, place_offsets)


@kernel
def _count(data, offsets, to):  # type: ignore[no-untyped-def]
    """How many characters change, and how many of those go."""
    changed = gone = 0
    at, end = offsets[0], offsets[-1]
    while at < end:
        if data[at] < 0x80:
            at += 1
            continue
        code, at = decode(data, at, end)
        if code < _SIZE and to[code]:
            changed += 1
            gone += to[code] == _GONE
    return changed, gone


@kernel
def _fold(data, offsets, to, out, out_offsets, places, place_offsets):  # type: ignore[no-untyped-def]
    filled = found = 0
    for row in range(len(offsets) - 1):
        at, end, characters = offsets[row], offsets[row + 1], 0
        while at < end:
            if data[at] < 0x80:
                out[filled] = data[at]
                filled, at, characters = filled + 1, at + 1, characters + 1
                continue
            code, following = decode(data, at, end)
            becomes = to[code] if code < _SIZE else 0
            if becomes == _GONE:
                places[found] = characters
                found += 1
            else:
                characters += 1
                if becomes:
                    out[filled] = becomes
                    filled += 1
                else:
                    for byte in range(at, following):
                        out[filled] = data[byte]
                        filled += 1
            at = following
        out_offsets[row + 1], place_offsets[row + 1] = filled, found
