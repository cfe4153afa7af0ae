"""The machine that a stage runs on: its devices, and what is recorded about it. Nothing here changes a result."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from seg import __version__
from seg.system.gpus import take


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


def versions() -> dict[str, str]:
    """Versions of what computes a result."""
    return {"python": platform.python_version(), "torch": torch.__version__, "seg": __version__}


def machine_info(device: torch.device) -> dict[str, Any]:
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
