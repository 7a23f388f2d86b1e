"""The model: a decoder-only transformer in plain PyTorch, free of machinery. Parameters bear the names that Llama's (with norms after
each block: OLMo 2's) have in `transformers`, and mean the same, so that weights need no translation.

Shapes are in the names: B windows, T positions, D width, H heads, K key and value heads, E width of a head, V vocabulary.

    logits_BTV = Transformer(config)(ids_BT)
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modeling.attention import Cache, Mask, attend, rope, rotate, sight
from modeling.config import ModelConfig
from modeling.losses import linear_cross_entropy

Rotation = tuple[Tensor, Tensor] | None
Past = tuple[Cache, int] | None  # of a layer, by its number


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
        self.mtp = nn.ModuleList(Ahead(config) for _ in range(config.mtp_heads))

    @property
    def predicting(self) -> Tensor:
        """The matrix (V, D) whose rows the last states are compared with."""
        return self.embed_tokens.weight if self.config.tied else self.lm_head.weight

    def forward(self, ids_BT: Tensor, documents_BT: Tensor | None = None) -> Tensor:
        return F.linear(self.norm(self.states(ids_BT, documents_BT)), self.predicting)

    def next_logits(self, ids_BT: Tensor, cache: Cache, lengths_B: Tensor) -> Tensor:
        """The next tokens of each row, ``lengths_B`` of them and padding, behind those in ``cache``, which grows -> logits (B, V) of
        what follows the last one."""
        x_BTD = self.states(ids_BT, cache=cache)
        cache.advance(lengths_B)
        last_BD = x_BTD[torch.arange(len(lengths_B), device=ids_BT.device), lengths_B - 1]
        return F.linear(self.norm(last_BD), self.predicting)

    def states(self, ids_BT: Tensor, documents_BT: Tensor | None = None, *, cache: Cache | None = None) -> Tensor:
        """What the last block leaves, before the last norm: (B, T, D). With ``cache``, ids go on where its rows end."""
        config, length = self.config, ids_BT.shape[1]
        positions = cache.positions(length) if cache else torch.arange(length, device=ids_BT.device)
        x_BTD = self.embed_tokens(ids_BT)
        if config.position == "learned":
            x_BTD = x_BTD + self.embed_positions(positions)
        elif config.position == "sinusoidal":
            x_BTD = x_BTD + sinusoids(positions, config.width).to(x_BTD.dtype)
        elif config.position == "static":
            x_BTD = x_BTD + self.static_positions[positions].to(x_BTD.dtype)
        rotation = self.rotation(positions)
        windowed = [config.windowed(layer) for layer in range(config.layers)]
        masks: dict[bool, Mask] = {
            kind: cache.sight(length, window=config.sliding_window if kind else 0)
            if cache
            else sight(length, ids_BT.device, window=config.sliding_window if kind else 0, documents_BT=documents_BT)
            for kind in set(windowed)
        }
        for number, (layer, kind) in enumerate(zip(self.layers, windowed, strict=True)):
            x_BTD = layer(x_BTD, rotation, masks[kind], *([(cache, number)] if cache else []))
        return x_BTD

    def rotation(self, positions: Tensor) -> Rotation:
        if self.config.position != "rope":
            return None
        return rope(positions, self.config.head_width, self.config.rope_theta)

    def loss(
        self, ids_BT1: Tensor, share_BT: Tensor, documents_BT: Tensor | None = None, *, z_loss: float = 0.0, mtp_weight: float = 0.0
    ) -> tuple[Tensor, Tensor]:
        """Windows (B, T + 1) and the share of each target in the loss -> (what is to be made small, the cross-entropy alone, in nats).

        To it belong ``mtp_weight`` times the mean loss of the heads that look further ahead (DeepSeek-V3 2024, section 2.2).
        """
        inputs, targets = ids_BT1[:, :-1], ids_BT1[:, 1:]
        x_BTD = self.states(inputs, documents_BT)
        total, nats_BT = self._compared(x_BTD, targets, share_BT, z_loss)
        plain = (nats_BT * share_BT).sum()
        for depth, ahead in enumerate(self.mtp, 1):
            length = inputs.shape[1] - depth
            documents = share = None
            if documents_BT is not None:
                documents = documents_BT[:, :length]
                share = share_BT[:, depth:] * (documents == documents_BT[:, depth:])  # what follows a document is not foreseen
            mask = sight(length, inputs.device, documents_BT=documents)
            rotation = self.rotation(torch.arange(length, device=inputs.device))
            x_BTD = ahead(x_BTD[:, :length], self.embed_tokens(inputs[:, depth:]), rotation, mask)
            further, _ = self._compared(x_BTD, targets[:, depth:], share_BT[:, depth:] if share is None else share, 0.0)
            total = total + mtp_weight / len(self.mtp) * further
        return total, plain.detach()

    def _compared(self, x_BTD: Tensor, targets_BT: Tensor, share_BT: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
        x_ND = self.norm(x_BTD).flatten(0, 1)
        loss, nats_N = linear_cross_entropy(x_ND, self.predicting, targets_BT.flatten(), share_BT.flatten(), z_loss=z_loss)
        return loss, nats_N.view(targets_BT.shape)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); or, with norms after, x + norm(attention(x)), then x + norm(mlp(x))."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.after = config.norm_place == "after"
        if not self.after:
            self.input_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.width, config.norm_epsilon)
        self.mlp = SwiGLU(config)
        if self.after:
            self.post_feedforward_layernorm = RMSNorm(config.width, config.norm_epsilon)

    def forward(self, x_BTD: Tensor, rotation: Rotation, mask: Mask, past: Past = None) -> Tensor:
        if self.after:
            x_BTD = x_BTD + self.post_attention_layernorm(self.self_attn(x_BTD, rotation, mask, past=past))
            return x_BTD + self.post_feedforward_layernorm(self.mlp(x_BTD))
        x_BTD = x_BTD + self.self_attn(self.input_layernorm(x_BTD), rotation, mask, past=past)
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD))


class Ahead(nn.Module):
    """One depth of multi-token prediction: the states so far and the token that each position was to foresee, merged, and a block."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.state_norm = RMSNorm(config.width, config.norm_epsilon)
        self.token_norm = RMSNorm(config.width, config.norm_epsilon)
        self.merge = nn.Linear(2 * config.width, config.width, bias=False)
        self.block = Block(config)

    def forward(self, x_BTD: Tensor, token_BTD: Tensor, rotation: Rotation, mask: Mask) -> Tensor:
        both = torch.cat((self.state_norm(x_BTD), self.token_norm(token_BTD)), dim=-1)
        merged: Tensor = self.block(self.merge(both), rotation, mask)
        return merged


class Attention(nn.Module):
    """Causal attention with grouped queries; ``qk_norm`` norms queries and keys, of each head or of all heads together."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_width, self.qk_norm = config.heads, config.kv_heads, config.head_width, config.qk_norm
        self.q_proj = nn.Linear(config.width, self.heads * self.head_width, bias=False)
        self.k_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.v_proj = nn.Linear(config.width, self.kv_heads * self.head_width, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_width, config.width, bias=False)
        if self.qk_norm != "none":
            whole = self.qk_norm == "width"
            self.q_norm = RMSNorm(self.head_width * (self.heads if whole else 1), config.norm_epsilon)
            self.k_norm = RMSNorm(self.head_width * (self.kv_heads if whole else 1), config.norm_epsilon)

    def forward(self, x_BTD: Tensor, rotation: Rotation, mask: Mask, past: Past = None) -> Tensor:
        B, T, _ = x_BTD.shape
        q, k = self.q_proj(x_BTD), self.k_proj(x_BTD)
        if self.qk_norm == "width":
            q, k = self.q_norm(q), self.k_norm(k)
        q_BTHE, k_BTKE = q.view(B, T, self.heads, self.head_width), k.view(B, T, self.kv_heads, self.head_width)
        if self.qk_norm == "head":
            q_BTHE, k_BTKE = self.q_norm(q_BTHE), self.k_norm(k_BTKE)
        q_BHTE, k_BKTE = q_BTHE.transpose(1, 2), k_BTKE.transpose(1, 2)
        v_BKTE = self.v_proj(x_BTD).view(B, T, self.kv_heads, self.head_width).transpose(1, 2)
        if rotation is not None:
            q_BHTE, k_BKTE = rotate(q_BHTE, *rotation), rotate(k_BKTE, *rotation)
        if past is not None:
            cache, layer = past
            k_BKTE, v_BKTE = cache.extend(layer, k_BKTE, v_BKTE)
        return self.o_proj(attend(q_BHTE, k_BKTE, v_BKTE, mask).transpose(1, 2).reshape(B, T, -1))


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


def sinusoids(positions: Tensor, width: int) -> Tensor:
    """Positions (T,) or (B, T) -> (T, D) or (B, T, D): sines, then cosines, of wave lengths from 2π to 20,000π; in the
    scale of the embeddings (0.02)."""
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(0, width, 2, device=positions.device).float() / width)
    angles = positions.float()[..., None] * frequencies
    return 0.02 * torch.cat((angles.sin(), angles.cos()), dim=-1)[..., :width]


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
