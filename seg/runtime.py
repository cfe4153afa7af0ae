"""The machine a stage runs on: device, precision, threads, and what is recorded of them."""

import ctypes
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from seg import __version__
from seg.gpus import take

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h, mallopt(3)


def kind_of(name: str) -> str:
    """The device called `name`; for `auto` cuda, else mps, else cpu.

    Raises:
        ValueError: torch does not see such a device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(kind for kind, there in available.items() if there)
    if not available.get(name.partition(":")[0], False):
        seen = ", ".join(kind for kind, there in available.items() if there)
        raise ValueError(f"--device {name}: torch sees no such device here; it sees {seen}")
    return name


def choose_device(name: str = "auto") -> torch.device:
    """The device called `name`, see `kind_of`.

    `cuda` without a number is a GPU that no other process of ours has, for as long as this one runs.

    Raises:
        ValueError: torch does not see such a device.
    """
    kind = kind_of(name)
    return gpu(take()[0]) if kind == "cuda" else torch.device(kind)


def gpu(index: int) -> torch.device:
    """A GPU by its number, from now on the one that torch means where none is named."""
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def resolve_precision(precision: str, device: torch.device) -> str:
    """`fp32` or `bf16`; `auto` is bf16 where the device computes in it rather than emulating it."""
    if precision != "auto":
        return precision
    native = {
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        "cpu": torch.cpu._is_avx512_bf16_supported,
    }
    return "bf16" if native.get(device.type, lambda: False)() else "fp32"


def set_up(threads: int, deterministic: bool, device: torch.device) -> None:
    """Fix what decides the bits of a result: the number of CPU threads and, on a GPU, the choice of kernels.

    On a CPU all kernels that we use are deterministic, and the switch alone would import a compiler for 1.5 s.
    """
    torch.set_num_threads(threads)
    _keep_freed_memory()
    if device.type == "cpu":
        return
    # cuBLAS is deterministic with this workspace only (NVIDIA, cuBLAS documentation, Results Reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # Our code reads no uninitialised memory, so it need not be filled.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic


def _keep_freed_memory() -> None:
    """Have glibc use freed memory again instead of giving it back to the system, which clears it page by page.

    What a step frees, the next one asks for again: a step of the FCN at 256x384 takes a quarter less time so.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Mixed precision in bf16, or none."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


def versions() -> dict[str, str]:
    """Versions of what computes a result."""
    return {"python": platform.python_version(), "torch": torch.__version__, "seg": __version__}


def machine(device: torch.device) -> dict[str, Any]:
    """The machine: processor, cores, GPU, system."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"cpu": _processor(), "cores": os.cpu_count(), "gpu": gpu, "system": platform.platform()}


def peak_memory(device: torch.device) -> int:
    """Most bytes held at once so far: of the GPU's memory on one, else resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:  # on Linux ru_maxrss starts from what the process that started this one held: getrusage(2), execve(2)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def commit() -> str | None:
    """The commit that the working folder stands at, `-dirty` where files differ; None outside a repository."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() or None  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
