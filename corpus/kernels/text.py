"""Arrow strings as kernels see them: UTF-8 bytes and offsets, no copy and no Python string.

data, offsets, valid = buffers(batch["text"])
"""

import numpy as np
import pyarrow as pa

from corpus.kernels.compiled import kernel


def buffers(text: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A string array -> (bytes uint8, offsets int64 of shape (rows + 1,), valid bool of shape (rows,)); slices are honoured."""
    if isinstance(text, pa.ChunkedArray):
        text = text.combine_chunks()
    width = np.int64 if pa.types.is_large_string(text.type) else np.int32
    _, offsets_buffer, data_buffer = text.buffers()
    offsets = (
        np.frombuffer(offsets_buffer, width, len(text) + 1, text.offset * np.dtype(width).itemsize) if len(text) else np.zeros(1, width)
    )
    data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None and data_buffer.size else np.zeros(0, np.uint8)
    valid = text.is_valid().to_numpy(zero_copy_only=False)
    return data, offsets.astype(np.int64), valid


def strings(data: np.ndarray, offsets: np.ndarray, valid: np.ndarray) -> pa.Array:
    """The way back: bytes uint8, offsets int32 (rows + 1,), valid bool (rows,) -> a string array; the bytes must be UTF-8."""
    mask = None if valid.all() else pa.array(valid).buffers()[1]
    return pa.Array.from_buffers(pa.string(), len(valid), [mask, pa.py_buffer(offsets), pa.py_buffer(data)])


@kernel
def decode(data, at, end):  # type: ignore[no-untyped-def]
    """The code point that begins at ``at``, and where the next one begins. Arrow guarantees valid UTF-8."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return ((first & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), at + 2
    if first < 0xF0:
        return ((first & 0x0F) << 12) | ((np.int64(data[at + 1]) & 0x3F) << 6) | (np.int64(data[at + 2]) & 0x3F), at + 3
    return (
        ((first & 0x07) << 18)
        | ((np.int64(data[at + 1]) & 0x3F) << 12)
        | ((np.int64(data[at + 2]) & 0x3F) << 6)
        | (np.int64(data[at + 3]) & 0x3F),
        at + 4,
    )
