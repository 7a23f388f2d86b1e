"""What a run would take before it is begun: parameters, FLOPs, memory of a device by layout, hours, money, energy.

Parameters and FLOPs are exact. Activations are counted, not guessed: the model's own forward pass and loss are run on tensors that have
shapes and no memory, and what autograd keeps for the backward pass is added up. Time, money and energy follow from a utilisation (MFU)
that the user gives: they are estimates, and are called so wherever they are printed.

    made = plan(model, train, tokens=26e9, gpus=64, gpu=GPUS["h100"], utilisation=0.4)
    made.layout, made.hours
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from math import gcd
from typing import Any, final

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from modeling.config import ModelConfig, SettingError, TrainConfig
from modeling.data import plan_batches
from modeling.hardware import Gpu
from modeling.losses import CHUNK_VALUES
from modeling.transformer import Transformer

CHINCHILLA = 20.0  # tokens a parameter at which a FLOP buys most (Hoffmann et al. 2022)
RESERVE = 0.1  # of a device's memory, for CUDA's context, NCCL's buffers and fragmentation
_TENSOR_PARALLEL = (8, 4, 2)  # devices, within a node: beyond its links each matrix product would wait for the network


@final
@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a model lies on devices: ``shards`` hold it between them, ``tensor`` of them compute each matrix together."""

    name: str
    shards: int
    tensor: int = 1
    checkpointing: bool = False


@final
@dataclass(frozen=True)
class Kept:
    """What autograd keeps of one part of a model: bytes a window, and bytes whatever the batch (copies of weights in bf16)."""

    window: int
    weights: int


@final
@dataclass(frozen=True)
class Memory:
    """Bytes on one device with ``micro`` windows at once. ``gathered``: what FSDP2 brings together to compute with, DDP's buckets."""

    layout: Layout
    micro: int
    weights: float
    gradients: float
    optimizer: float
    gathered: float
    activations: float
    fits: bool

    @property
    def total(self) -> float:
        return self.weights + self.gradients + self.optimizer + self.gathered + self.activations


@final
@dataclass(frozen=True)
class Plan:
    """``layout``: the first of ``memory`` that fits, None if none does; ``fewest_gpus``: with which any would, up to 4,096.

    ``hours``, ``money`` (None without a price) and ``kilowatt_hours`` are of the whole run; without a layout that fits they are None.
    """

    parameters: int
    flops_per_token: int
    tokens: float
    tokens_per_parameter: float
    steps: int
    flops: float
    memory: Sequence[Memory]
    layout: str | None
    fewest_gpus: int | None
    tokens_per_second: float | None
    hours: float | None
    money: float | None
    kilowatt_hours: float | None


def plan(
    model: ModelConfig, train: TrainConfig, *, tokens: float, gpus: int, gpu: Gpu, utilisation: float = 0.4, price: float | None = None
) -> Plan:
    """``price``: of one GPU for an hour. Raises SettingError where the GPUs do not divide the global batch, or a number is none."""
    if not 0 < utilisation < 1 or gpus < 1 or not 1 <= tokens < 1e30:  # NaN is neither
        raise SettingError("utilisation lies in (0, 1); gpus and tokens are 1 or more", where="plan")
    if price is not None and not 0 <= price < 1e30:
        raise SettingError("a price is 0 or more", where="plan")
    memory = [_largest(model, train, layout, gpus, gpu) for layout in layouts(gpus, gcd(model.kv_heads, model.hidden))]
    chosen = next((each for each in memory if each.fits), None)
    flops = tokens * model.flops_per_token
    speed = hours = None
    if chosen:
        # one more forward pass, a third of what a step computes, is work that MFU does not count
        useful = utilisation * (3 / 4 if chosen.layout.checkpointing else 1)
        speed = gpus * gpu.flops * useful / model.flops_per_token
        hours = tokens / speed / 3600
    return Plan(
        parameters=model.parameters,
        flops_per_token=model.flops_per_token,
        tokens=tokens,
        tokens_per_parameter=tokens / model.parameters,
        steps=-(-int(tokens) // train.global_batch_tokens),
        flops=flops,
        memory=memory,
        layout=chosen.layout.name if chosen else None,
        fewest_gpus=next((n for n in (2**power for power in range(13)) if _any_fits(model, n, gpu)), None),
        tokens_per_second=speed,
        hours=hours,
        money=None if hours is None or price is None else hours * gpus * price,
        kilowatt_hours=None if hours is None else hours * gpus * gpu.watts / 1000,
    )


def layouts(gpus: int, heads: int) -> list[Layout]:
    """From the simplest on: what is first costs least communication. ``heads``: of keys and values (and what else tensor
    parallelism shares out)."""
    splits = [("ddp", 1, 1)]
    if gpus > 1:
        splits.append(("fsdp", gpus, 1))
    if tensor := next((number for number in _TENSOR_PARALLEL if gpus % number == 0 and heads % number == 0), None):
        splits.append((f"tp {tensor}" if gpus == tensor else f"fsdp, tp {tensor}", gpus, tensor))
    return [
        Layout(name=f"{name}, recompute" if again else name, shards=shards, tensor=tensor, checkpointing=again)
        for name, shards, tensor in splits
        for again in (False, True)
    ]


def memory(model: ModelConfig, layout: Layout, micro: int, gpu: Gpu) -> Memory:
    """AdamW in float32 under bf16 autocast, as `gristmill pretrain` runs on a GPU: 16 bytes a parameter, and what a step needs.

    Weights, gradients and moments are exact. With tensor parallelism a device holds and computes what a smaller model would
    (``share_of``); what flows between blocks is whole on each.
    """
    part = share_of(model, layout.tensor)
    layer, rest = kept(part)
    groups = layout.shards // layout.tensor
    held = part.parameters / groups
    of_layer = replace(part, layers=2).parameters - replace(part, layers=1).parameters
    of_rest = replace(part, layers=1).parameters - of_layer
    # FSDP2 holds the block at work and the next one whole, and what lies outside the blocks; DDP a bucket for each gradient;
    # tensor parallelism alone computes with what it holds
    gathered = 4.0 * (3 * of_layer + 2 * of_rest) if groups > 1 else 0.0 if layout.tensor > 1 else 4.0 * model.parameters
    if layout.checkpointing:  # of each block its input, float32; one block at a time as a whole
        stream = 4 * model.context_length * model.width
        windows = micro * (model.layers * stream + layer.window + rest.window)
        weights = layer.weights + rest.weights
    else:
        windows, weights = micro * (model.layers * layer.window + rest.window), model.layers * layer.weights + rest.weights
    # the logits of a chunk and their slope, in float32 and bf16 each, beside a bf16 copy of the matrix that they come from
    logits = 12 * min(CHUNK_VALUES, micro * model.context_length * model.vocabulary) + 2 * model.vocabulary * model.width
    activations = windows + weights + logits
    made = Memory(layout, micro, 4 * held, 4 * held, 8 * held, gathered, activations, fits=False)
    return replace(made, fits=made.total <= (1 - RESERVE) * gpu.memory_bytes)


def share_of(model: ModelConfig, devices: int) -> ModelConfig:
    """The model that one of ``devices`` holds with tensor parallelism: fewer heads and a narrower feed-forward (``modeling.parallel``)."""
    parts = {name: getattr(model, name) // devices for name in ("heads", "kv_heads", "hidden")}
    return replace(model, **parts, head_dim=model.head_width)


@lru_cache(maxsize=32)
def kept(model: ModelConfig) -> tuple[Kept, Kept]:
    """What autograd keeps of one layer, and of all outside the layers (embedding, last norm, logits, loss), under bf16 autocast."""
    # from two windows on: of a single one some copies are views
    counts = {(layers, windows): _kept_bytes(replace(model, layers=layers), windows) for layers in (1, 2) for windows in (2, 3)}
    window = {layers: counts[layers, 3] - counts[layers, 2] for layers in (1, 2)}
    weights = {layers: counts[layers, 2] - 2 * window[layers] for layers in (1, 2)}
    layer = Kept(window[2] - window[1], weights[2] - weights[1])
    return layer, Kept(window[1] - layer.window, weights[1] - layer.weights)


def _kept_bytes(model: ModelConfig, windows: int) -> int:
    """Of all storages that the forward pass and the loss leave to the backward pass, but for the parameters themselves."""
    with FakeTensorMode():
        ids = torch.zeros(windows, model.context_length + 1).long()
        share = torch.ones(windows, model.context_length)
        documents = torch.zeros_like(ids[:, :-1]) if model.document_mask else None
        return count_kept(Transformer(model), lambda built: built.loss(ids, share, documents))


def count_kept(built: Transformer, forward: Callable[[Transformer], Any]) -> int:
    """Bytes that autograd keeps for the backward pass of ``forward``, parameters not counted, under bf16 autocast."""
    own = {parameter.untyped_storage()._cdata for parameter in built.parameters()}
    found: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            found[storage._cdata] = storage  # held, or another may come to lie at its address
        return tensor

    with torch.autocast("cpu", dtype=torch.bfloat16), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = forward(built)
    size = sum(storage.nbytes() for storage in found.values())
    del result
    return size


def _largest(model: ModelConfig, train: TrainConfig, layout: Layout, gpus: int, gpu: Gpu) -> Memory:
    """With the most windows at once, up to the setting's, that fit; with one, if none does."""
    bound = plan_batches(train, model.context_length, gpus // layout.tensor).micro
    tried = [memory(model, layout, micro, gpu) for micro in range(bound, 0, -1) if bound % micro == 0]
    return next((each for each in tried if each.fits), tried[-1])


def _any_fits(model: ModelConfig, gpus: int, gpu: Gpu) -> bool:
    return any(memory(model, layout, 1, gpu).fits for layout in layouts(gpus, gcd(model.kv_heads, model.hidden)))
