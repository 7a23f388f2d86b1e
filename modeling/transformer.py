"""The model: a decoder-only transformer in plain PyTorch, free of machinery. Parameters bear the names that Llama's have in
`transformers`, and mean the same, so that weights need no translation.

Shapes are in the names: B windows, T positions, D width, H heads, K key and value heads, E width of a head, V vocabulary.

    logits_BTV = Transformer(config)(ids_BT)
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modeling.config import ModelConfig


class Transformer(nn.Module):
    """ids int64 (B, T) -> logits (B, T, V). ``documents`` (B, T) numbers each position's document, where they are not to mix."""

    static_positions: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocabulary, config.width)
        if config.position == "learned":
            self.embed_positions = nn.Embedding(config.context_length, config.width)
        elif config.position == "static":
            self.register_buffer("static_positions", torch.empty(config.context_length, config.width))
        self.layers = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_epsilon)
        if not config.tied:
            self.lm_head = nn.Linear(config.width, config.vocabulary, bias=False)

    def forward(self, ids_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        positions = torch.arange(ids_BT.shape[1], device=ids_BT.device)
        x_BTD = self.embed_tokens(ids_BT)
        rotation = None
        if self.config.position == "rope":
            rotation = rope(positions, self.config.head_width, self.config.rope_theta)
        elif self.config.position == "learned":
            x_BTD = x_BTD + self.embed_positions(positions)
        elif self.config.position == "sinusoidal":
            x_BTD = x_BTD + sinusoids(positions, self.config.width).to(x_BTD.dtype)
        elif self.config.position == "static":
            x_BTD = x_BTD + self.static_positions[: len(positions)].to(x_BTD.dtype)
        mask_B1TT = None
        if documents_BT is not None:
            same = documents_BT[:, :, None] == documents_BT[:, None, :]
            mask_B1TT = (same & (positions[:, None] >= positions[None, :]))[:, None]
        for layer in self.layers:
            x_BTD = layer(x_BTD, rotation, mask_B1TT)
        x_BTD = self.norm(x_BTD)
        return F.linear(x_BTD, self.embed_tokens.weight) if self.config.tied else self.lm_head(x_BTD)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.input_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.mlp = SwiGLU(config)

    def forward(self, x_BTD: Tensor, rotation: tuple[Tensor, Tensor] | None, mask_B1TT: Tensor | None) -> Tensor:
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), rotation, mask_B1TT)
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))


class Attention(nn.Module):
    """Causal attention; H / K query heads share a key and value head (Ainslie et al. 2023)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_width = config.heads, config.kv_heads, config.head_width
        self.q_proj = nn.Linear(config.width, self.heads * self.head_width, bias=False)
        self.k_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.v_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_width, config.width, bias=False)

    def forward(self, x_BTD: Tensor, rotation: tuple[Tensor, Tensor] | None, mask_B1TT: Tensor | None) -> Tensor:
        B, T, _ = x_BTD.shape
        q_BHTE = self.q_proj(x_BTD).view(B, T, self.heads, self.head_width).transpose(1, 2)
        k_BKTE = self.k_proj(x_BTD).view(B, T, self.kv_heads, self.head_width).transpose(1, 2)
        v_BKTE = self.v_proj(x_BTD).view(B, T, self.kv_heads, self.head_width).transpose(1, 2)
        if rotation is not None:
            q_BHTE, k_BKTE = rotate(q_BHTE, *rotation), rotate(k_BKTE, *rotation)
        y_BHTE = F.scaled_dot_product_attention(
            q_BHTE, k_BKTE, v_BKTE, attn_mask=mask_B1TT, is_causal=mask_B1TT is None, enable_gqa=self.kv_heads < self.heads
        )
        return self.o_proj(y_BHTE.transpose(1, 2).reshape(B, T, -1))


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer 2020)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.up_proj = nn.Linear(config.width, config.hidden, bias=False)
        self.down_proj = nn.Linear(config.hidden, config.width, bias=False)

    def forward(self, x_BTD: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x_BTD)) * self.up_proj(x_BTD))


class RMSNorm(nn.Module):
    """x / rms(x) * weight, in float32 (Zhang and Sennrich 2019)."""

    def __init__(self, width: int, epsilon: float):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(width))
        self.epsilon = epsilon

    def forward(self, x_BTD: Tensor) -> Tensor:
        x = x_BTD.float()
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.epsilon)).type_as(x_BTD)


def rope(positions: Tensor, head_width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Positions (T,) -> cosines and sines (T, E); the second half of E repeats the first."""
    frequencies = 1.0 / theta ** (torch.arange(0, head_width, 2, device=positions.device).float() / head_width)
    angles = torch.outer(positions.float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x_BHTE: Tensor, cos_TE: Tensor, sin_TE: Tensor) -> Tensor:
    """Turn the pairs (e, e + E/2), in the order of halves that `transformers` uses."""
    first, second = x_BHTE.chunk(2, dim=-1)
    turned = torch.cat((-second, first), dim=-1)
    return x_BHTE * cos_TE.to(x_BHTE.dtype) + turned * sin_TE.to(x_BHTE.dtype)


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Positions (T,) -> (T, D): sines, then cosines, of wave lengths from 2π to 20,000π; in the scale of the embeddings (0.02)."""
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2, device=positions.device).float() / width)
    angles = torch.outer(positions.float(), frequencies)
    return 0.02 * torch.cat((angles.sin(), angles.cos()), dim=-1)[:, :width]


def initial(name: str, shape: torch.Size, config: ModelConfig, seed: int) -> Tensor:
    """The initial value of one parameter or table: a function of its name and the seed alone, float32, on the CPU.

    Normal with deviation 0.02, that of the matrices which write into the residual stream divided by sqrt(2·layers) (GPT-2); norms 1.
    Drawn one by one, so that a sharded model begins as a whole one does, and none needs the memory of all.
    """
    if name.endswith("norm.weight"):
        return torch.ones(shape)
    generator = torch.Generator().manual_seed(_seed_of(name, seed))
    into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
    deviation = 0.02 / math.sqrt(2 * config.layers) if into_residual else 0.02
    return torch.empty(shape).normal_(0.0, deviation, generator=generator)


def _seed_of(name: str, seed: int) -> int:
    """FNV-1a of both, 63 bits."""
    value = 0xCBF29CE484222325
    for byte in f"{seed}\0{name}".encode():
        value = (value ^ byte) * 0x100000001B3 % (1 << 64)
    return value >> 1
