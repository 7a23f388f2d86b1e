"""Runs of white space to one form, byte by byte, without a Python string.

collapse(pa.array([" a \\t b \\n \\n\\n c"])) -> ["a b\\n\\nc"]
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.characters import SPACE, tables
from corpus.kernels.compiled import kernel
from corpus.kernels.text import buffers, decode, strings

NEWLINE = 10


def collapse(text: pa.Array, keep_lines: bool = True) -> pa.Array:
    """Strings (rows,) -> the same without white space at either end, and each run of it within as one space.

    ``keep_lines``: a run that holds one newline becomes one newline, a run that holds more of them two.
    """
    data, offsets, valid = buffers(text)
    written, ends = _collapse(data, offsets, valid, tables()[0], keep_lines)
    return strings(written, ends, valid)


@kernel
def _collapse(data, offsets, valid, classes, keep_lines):  # type: ignore[no-untyped-def]
    rows = len(valid)
    written = np.empty(offsets[rows] - offsets[0], np.uint8)
    ends = np.zeros(rows + 1, np.int32)
    used = 0
    for row in range(rows):
        at, end = offsets[row], offsets[row + 1]
        begin = used
        spaces, newlines = 0, 0
        while valid[row] and at < end:
            code, after = decode(data, at, end)
            if classes[code] == SPACE:
                spaces += 1
                newlines += code == NEWLINE
                at = after
                continue
            if spaces and used > begin:
                lines = min(newlines, 2) if keep_lines else 0
                written[used] = NEWLINE if lines else 32
                used += 1
                if lines == 2:
                    written[used] = NEWLINE
                    used += 1
            spaces, newlines = 0, 0
            while at < after:
                written[used] = data[at]
                used += 1
                at += 1
        ends[row + 1] = used
    return written[:used], ends
