"""What data sheets say of GPUs, by which MFU is measured and a run is planned; and how much memory a process has taken.

peak_flops("NVIDIA H100 80GB HBM3")      # 9.89e14
"""

import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import final

import torch

_STATUS = Path("/proc/self/status")


@final
@dataclass(frozen=True)
class Gpu:
    """``model`` as it stands in the device's name; ``flops``: dense bf16 a second (V100: fp16); ``watts``: what its maker rates it at."""

    model: str
    memory_bytes: float
    flops: float
    watts: float


GPUS: dict[str, Gpu] = {
    "b200": Gpu("B200", 180e9, 2250e12, 1000),
    "h200": Gpu("H200", 141e9, 989e12, 700),
    "h100": Gpu("H100", 80e9, 989e12, 700),
    "a100-80": Gpu("A100", 80e9, 312e12, 400),
    "a100-40": Gpu("A100", 40e9, 312e12, 400),
    "l40s": Gpu("L40S", 48e9, 362e12, 350),
    "l4": Gpu("L4", 24e9, 121e12, 72),
    "a10g": Gpu("A10G", 24e9, 125e12, 300),
    "v100": Gpu("V100", 32e9, 125e12, 300),
}


def peak_flops(device_name: str) -> float | None:
    """FLOP/s of the device at its best; None where it is not known."""
    words = device_name.replace("-", " ").split()
    return next((gpu.flops for gpu in GPUS.values() if gpu.model in words), None)


def peak_memory_bytes(device: torch.device) -> int:
    """The most that this process has held so far: of the GPU what PyTorch allocated, on a CPU what was resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():  # Linux; its ru_maxrss begins with that of the process which started this one
        return next(1024 * int(line.split()[1]) for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
