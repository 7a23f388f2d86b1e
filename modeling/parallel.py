"""How a model lies on several devices: matrices split between the devices of a node, all of it sharded between the groups of devices.

Tensor parallelism (Shoeybi et al. 2019): attention by heads, the feed-forward by its hidden width, one sum over the devices behind each.
Embeddings and the norms of blocks are whole on every device of such a group, and so are their gradients, because what flows between
blocks is. FSDP2 shards over the other dimension of the mesh.

    parallelize(model, mesh)                 # dimensions data_parallel and tensor_parallel, as Lightning's ModelParallelStrategy makes it
    norm = clip_by_norm(model.parameters(), 1.0)
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_module, distribute_tensor
from torch.distributed.tensor.parallel import ColwiseParallel, PrepareModuleInput, RowwiseParallel, parallelize_module

from modeling.config import ModelConfig, SettingError
from modeling.transformer import Attention, Block, Transformer


def check_split(config: ModelConfig, devices: int, processes: int) -> None:
    """Raises SettingError where ``devices`` cannot share a matrix of this model, or do not divide the run's processes."""
    if processes % devices:
        raise SettingError(f"{processes:,} processes are not a multiple of {devices:,}", where="--tensor-parallel")
    for name in ("kv_heads", "hidden"):
        if getattr(config, name) % devices:
            raise SettingError(
                f"{getattr(config, name):,} {name} cannot be shared by {devices:,} devices",
                where="--tensor-parallel",
                hint="it must divide kv_heads and hidden",
            )


def parallelize(model: Transformer, mesh: DeviceMesh) -> None:
    """Split the blocks over ``tensor_parallel``, then shard each block, and the rest, over ``data_parallel`` (FSDP2)."""
    tensor, data = mesh["tensor_parallel"], mesh["data_parallel"]
    blocks = (*model.layers, *(ahead.block for ahead in model.mtp))
    if tensor.size() > 1:
        for block in blocks:
            assert isinstance(block, Block)
            _split(block, tensor)
    if data.size() > 1 or tensor.size() == 1:
        for layer in (*model.layers, *model.mtp):
            fully_shard(layer, mesh=data)
        fully_shard(model, mesh=data)
        register_fsdp_forward_method(model, "loss")  # it is called in place of forward, and needs what forward needs


def clip_by_norm(parameters: Iterable[nn.Parameter], most: float) -> float:
    """The norm of all gradients together, which are scaled down to ``most`` where it is more; the same on every process.

    PyTorch's own takes gradients of one mesh only: the split matrices lie on another than what is whole.
    """
    held = [parameter for parameter in parameters if parameter.grad is not None]
    for parameter in held:
        if isinstance(parameter, DTensor) and isinstance(parameter.grad, DTensor) and parameter.grad.placements != parameter.placements:
            parameter.grad = parameter.grad.redistribute(placements=parameter.placements)  # a sum that was not made yet
    groups = by_mesh(held).values()
    if len(groups) <= 1:
        return float(_whole(nn.utils.clip_grad_norm_(held, most)))
    gradients = [[parameter.grad for parameter in group if parameter.grad is not None] for group in groups]
    norm = torch.linalg.vector_norm(torch.stack([_whole(nn.utils.get_total_norm(group)) for group in gradients]))
    factor = (most / (norm + 1e-6)).clamp(max=1.0)  # as PyTorch's
    for group in gradients:
        torch._foreach_mul_([each.to_local() if isinstance(each, DTensor) else each for each in group], factor)
    return float(norm)


def by_mesh(parameters: Iterable[nn.Parameter]) -> Mapping[DeviceMesh | None, list[nn.Parameter]]:
    """Those that lie alike; None: not distributed. Operations on lists take one kind at a time."""
    found: dict[DeviceMesh | None, list[nn.Parameter]] = {}
    for parameter in parameters:
        found.setdefault(parameter.device_mesh if isinstance(parameter, DTensor) else None, []).append(parameter)
    return found


def _split(block: Block, mesh: DeviceMesh) -> None:
    # each takes its input as one replicated tensor, so that its slope is summed over the devices once, not once a matrix
    whole = (Replicate(),)
    parallelize_module(
        block,
        mesh,
        {
            "self_attn": PrepareModuleInput(input_layouts=(*whole, None, None), desired_input_layouts=(*whole, None, None)),
            "self_attn.q_proj": ColwiseParallel(),
            "self_attn.k_proj": ColwiseParallel(),
            "self_attn.v_proj": ColwiseParallel(),
            "self_attn.o_proj": RowwiseParallel(),
            "mlp": PrepareModuleInput(input_layouts=whole, desired_input_layouts=whole),
            "mlp.gate_proj": ColwiseParallel(),
            "mlp.up_proj": ColwiseParallel(),
            "mlp.down_proj": RowwiseParallel(),
        },
    )
    attention = block.self_attn
    if attention.qk_norm != "none":
        _split_norms(attention, mesh)
    attention.heads //= mesh.size()
    attention.kv_heads //= mesh.size()


def _split_norms(attention: Attention, mesh: DeviceMesh) -> None:
    """Queries and keys are normed where they lie. Over the whole width the mean is of all devices; of a head it is its own, but the
    weight, which all heads share, has a gradient from all devices."""

    def place(name: str, module: nn.Module, mesh: DeviceMesh) -> None:
        weight = distribute_tensor(module.get_parameter("weight"), mesh, [Shard(0) if attention.qk_norm == "width" else Replicate()])
        module.register_parameter("weight", nn.Parameter(weight))

    def enter(module: nn.Module, inputs: Any, mesh: DeviceMesh) -> Any:
        return DTensor.from_local(inputs[0], mesh, [Shard(2)], run_check=False)

    def leave(module: nn.Module, outputs: Any, mesh: DeviceMesh) -> Any:
        return outputs.to_local()

    for norm in (attention.q_norm, attention.k_norm):
        distribute_module(norm, mesh, place, enter, leave)


def _whole(tensor: Tensor) -> Tensor:
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
