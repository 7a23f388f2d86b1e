"""Who sees whom: masks of documents and windows, and causal attention under them by PyTorch's own kernels.

Shapes are in the names: B windows, T positions, H heads, K key and value heads, E width of a head.

    mask = sight(length, device, window=128, documents_BT=documents)     # None: all that came before
    y_BHTE = attend(q_BHTE, k_BKTE, v_BKTE, mask)
    cache = Cache(config.layers, rows=8, room=256)                       # what generation need not compute again
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, final

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

Mask = Tensor | BlockMask | None
_FLEX_TOLERANCE = 0.02  # of bf16 sums over a few hundred values of size 1


@final
class Cache:
    """Keys and values of what rows of text have seen, one pair of (B, K, room, E) a layer; row b holds ``lengths_B[b]`` positions.

    Rows begin at position 0, whatever their lengths: shorter ones are padded on the right, and the next token of a row overwrites its
    padding. So no position is shifted, and what a row gets does not depend on the rows beside it.
    """

    def __init__(self, layers: int, *, rows: int, room: int, device: torch.device | str = "cpu"):
        self.lengths_B = torch.zeros(rows, dtype=torch.int64, device=device)
        self._room, self._longest = room, 0
        self._layers: list[tuple[Tensor, Tensor] | None] = [None] * layers

    def positions(self, length: int) -> Tensor:
        """Where the next ``length`` tokens of each row stand: (B, T)."""
        return self.lengths_B[:, None] + torch.arange(length, device=self.lengths_B.device)

    def sight(self, length: int, *, window: int = 0) -> Mask:
        """As ``sight``, of the next ``length`` tokens on all that lies in the cache once they do: bool (B, 1, T, keys)."""
        if not self._longest:
            return sight(length, self.lengths_B.device, window=window, flex=False)
        keys = torch.arange(self._longest + length, device=self.lengths_B.device)
        ago = self.positions(length)[:, :, None] - keys
        return ((ago >= 0) & (ago < window) if window else ago >= 0)[:, None]

    def extend(self, layer: int, k_BKTE: Tensor, v_BKTE: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the keys and values of a layer's next tokens -> all of that layer's, (B, K, keys, E)."""
        B, K, T, E = k_BKTE.shape
        held = self._layers[layer]
        if held is None:
            held = self._layers[layer] = (k_BKTE.new_zeros(B, K, self._room, E), v_BKTE.new_zeros(B, K, self._room, E))
        rows, at = torch.arange(B, device=k_BKTE.device)[:, None], self.positions(T)
        for whole, new in zip(held, (k_BKTE, v_BKTE), strict=True):
            whole[rows, :, at] = new.transpose(1, 2)
        return held[0][:, :, : self._longest + T], held[1][:, :, : self._longest + T]

    def advance(self, lengths_B: Tensor) -> None:
        """That many of the tokens just kept are text, the rest padding."""
        self.lengths_B = self.lengths_B + lengths_B
        self._longest = int(self.lengths_B.max())

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows alone."""
        self.lengths_B = self.lengths_B[rows]
        self._longest = int(self.lengths_B.max())
        self._layers = [held and (held[0][rows], held[1][rows]) for held in self._layers]


def sight(length: int, device: torch.device, *, window: int = 0, documents_BT: Tensor | None = None, flex: bool | None = None) -> Mask:
    """The keys that each query sees: those before it and its own, of its own document, the last ``window`` (0: all).

    None where causality is all there is to say, which every kernel knows by itself. Bool (B or 1, 1, T, T); a BlockMask where ``flex``,
    by default on GPUs whose FlexAttention was found right (``flex_kernel``): it skips what nobody sees.
    """
    if documents_BT is None and not 0 < window < length:
        return None
    if flex_kernel(device.type) is not None if flex is None else flex:
        batch = None if documents_BT is None else documents_BT.shape[0]
        return create_block_mask(_seen_by_index(window, documents_BT), batch, None, length, length, device=device)
    at = torch.arange(length, device=device)
    ago = at[:, None] - at[None, :]
    seen = (ago >= 0) & (ago < window) if window else ago >= 0
    if documents_BT is None:
        return seen[None, None]
    return (seen & (documents_BT[:, :, None] == documents_BT[:, None, :]))[:, None]


def attend(q_BHTE: Tensor, k_BKTE: Tensor, v_BKTE: Tensor, mask: Mask) -> Tensor:
    """Attention of each query over the keys that it sees; H / K query heads share a key and value head (Ainslie et al. 2023)."""
    grouped = k_BKTE.shape[1] < q_BHTE.shape[1]
    if isinstance(mask, BlockMask):
        kernel = flex_kernel(q_BHTE.device.type) or flex_attention
        made: Tensor = kernel(q_BHTE, k_BKTE, v_BKTE, block_mask=mask, enable_gqa=grouped)
        return made
    if grouped and q_BHTE.device.type == "cpu":  # its flash kernel knows no groups: with them attention would take the slow road
        times = q_BHTE.shape[1] // k_BKTE.shape[1]
        k_BKTE, v_BKTE, grouped = k_BKTE.repeat_interleave(times, 1), v_BKTE.repeat_interleave(times, 1), False
    return F.scaled_dot_product_attention(q_BHTE, k_BKTE, v_BKTE, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)


@lru_cache(maxsize=4)
def flex_kernel(device_type: str) -> Callable[..., Any] | None:
    """FlexAttention, compiled, where a small run of it on this device gives what SDPA gives, forward and backward; else None.

    On CPUs it has no backward pass (PyTorch 2.13); on GPUs it needs Triton, and a C compiler.
    """
    if device_type != "cuda":
        return None
    try:
        kernel = torch.compile(flex_attention, dynamic=False)
        return kernel if _agrees(kernel, torch.device(device_type)) else None
    except Exception:  # whatever its compiler cannot do: SDPA with a mask is right everywhere
        return None


def _agrees(kernel: Callable[..., Any], device: torch.device) -> bool:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, heads, 256, 64, generator=generator).to(device, torch.bfloat16).requires_grad_() for heads in (4, 2, 2))
    documents = (torch.arange(256, device=device) // 100).expand(2, 256)
    told = []
    for flex in (True, False):
        mask = sight(256, device, window=64, documents_BT=documents, flex=flex)
        y = kernel(q, k, v, block_mask=mask, enable_gqa=True) if flex else attend(q, k, v, mask)
        told.append((y, *torch.autograd.grad(y.float().square().sum(), (q, k, v))))
    return all(torch.allclose(one, two, atol=_FLEX_TOLERANCE, rtol=_FLEX_TOLERANCE) for one, two in zip(*told, strict=True))


def _seen_by_index(window: int, documents_BT: Tensor | None) -> Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]:
    def seen(batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        told = query >= key
        if window:
            told = told & (query - key < window)
        return told if documents_BT is None else told & (documents_BT[batch, query] == documents_BT[batch, key])

    return seen


def rope(positions: Tensor, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Positions (T,) -> cosines and sines (T, E), or (B, T) -> (B, 1, T, E); the second half of E repeats the first (Su et al. 2021)."""
    frequencies = 1.0 / theta ** (torch.arange(0, head_width, 2, device=positions.device).float() / head_width)
    angles = (positions.float()[..., None] * frequencies).repeat(*[1] * positions.ndim, 2)
    if positions.ndim > 1:
        angles = angles[:, None]
    return angles.cos(), angles.sin()


def rotate(x_BHTE: Tensor, cos_TE: Tensor, sin_TE: Tensor) -> Tensor:
    """Turn the pairs (e, e + E/2), in the order of halves that `transformers` uses."""
    first, second = x_BHTE.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x_BHTE * cos_TE.to(x_BHTE.dtype) + turned * sin_TE.to(x_BHTE.dtype)
