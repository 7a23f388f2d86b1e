"""How a model lies on several devices: what one of them holds, clipping across kinds of tensors, and what cannot be split.

Whole runs beside one process are in test_train.py.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from modeling.config import ModelConfig, SettingError
from modeling.parallel import check_split, clip_by_norm, parallelize
from modeling.plan import share_of
from modeling.transformer import Transformer
from tests.modeling.test_train import arguments, assert_same, pretrain, refused

SMALL = ModelConfig(vocabulary=96, context_length=32, layers=3, width=32, heads=4, kv_heads=2, hidden=64)


@pytest.fixture
def mesh() -> Iterator[DeviceMesh]:
    """Of four processes, of which only this one is there: sums are what this one has."""
    dist.init_process_group("fake", rank=0, world_size=4, store=FakeStore())
    yield init_device_mesh("cpu", (2, 2), mesh_dim_names=("data_parallel", "tensor_parallel"))
    dist.destroy_process_group()


def held(model: nn.Module) -> int:
    return sum((each.to_local() if isinstance(each, DTensor) else each).numel() for each in model.parameters())


@pytest.mark.parametrize(
    "more", [{}, {"tied": False, "mtp_heads": 1}, {"qk_norm": "head"}, {"qk_norm": "width", "norm_place": "after"}], ids=str
)
def test_a_device_holds_what_the_plan_says(mesh: DeviceMesh, more: dict[str, object]) -> None:
    config = replace(SMALL, **more)  # type: ignore[arg-type]
    with torch.device("meta"):
        model = Transformer(config)
    parallelize(model, mesh)
    assert sum(each.numel() for each in model.parameters()) == config.parameters
    assert held(model) == share_of(config, 2).parameters / 2
    assert held(model) < config.parameters / 2


def test_clipping_across_kinds_of_tensors() -> None:
    """Split and whole gradients are one vector: its norm and its direction are those of PyTorch's clipping in one process."""
    dist.init_process_group("fake", rank=0, world_size=1, store=FakeStore())
    try:
        line = init_device_mesh("cpu", (1,))
        shapes = [(8, 4), (4,), (3, 5)]
        generator = torch.Generator().manual_seed(0)
        plain = [nn.Parameter(torch.zeros(shape)) for shape in shapes]
        mixed = [
            nn.Parameter(distribute_tensor(torch.zeros(shapes[0]), line, [Shard(0)])),
            *(nn.Parameter(torch.zeros(s)) for s in shapes[1:]),
        ]
        for most in (0.5, 1e9):
            for one, other in zip(plain, mixed, strict=True):
                one.grad = torch.randn(one.shape, generator=generator)
                other.grad = distribute_tensor(one.grad.clone(), line, [Shard(0)]) if isinstance(other, DTensor) else one.grad.clone()
            assert clip_by_norm(mixed, most) == pytest.approx(float(nn.utils.clip_grad_norm_(plain, most)))
            for one, other in zip(plain, mixed, strict=True):
                assert one.grad is not None
                assert other.grad is not None
                whole = other.grad.full_tensor() if isinstance(other.grad, DTensor) else other.grad
                torch.testing.assert_close(whole, one.grad)
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize(
    ("devices", "processes", "told"), [(4, 4, "2 kv_heads cannot be shared by 4"), (2, 3, "3 processes are not a multiple of 2")]
)
def test_what_cannot_be_split(devices: int, processes: int, told: str) -> None:
    with pytest.raises(SettingError, match=told):
        check_split(SMALL, devices, processes)


def test_one_clear_line(small_tokens: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, arguments(small_tokens, tmp_path / "m", "--devices", "2", "--tensor-parallel", "2", train__optimizer="muon"))
    assert "muon has no sharded form here" in told


@pytest.mark.long
@pytest.mark.parametrize("more", [{}, {"model__qk_norm": "head", "model__mtp_heads": 1}, {"model__qk_norm": "width"}], ids=str)
def test_tensor_parallel_beside_fsdp(small_tokens: Path, tmp_path: Path, more: dict[str, object]) -> None:
    one = pretrain(small_tokens, tmp_path / "one", **more)
    four = pretrain(small_tokens, tmp_path / "four", "--devices", "4", "--tensor-parallel", "2", **more)
    assert_same(one, four, tolerance=1e-4)
