"""Devices, and the description of the machine that is recorded with a result."""

import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seg import __version__
from seg.system.gpus import take


def kind_of(name: str) -> str:
    """Resolve the name of a device: `auto` is the first available one of cuda, mps and cpu.

    Raises:
        ValueError: the device is not available.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(kind for kind, usable in available.items() if usable)
    if not available.get(name.partition(":")[0], False):
        names = ", ".join(kind for kind, usable in available.items() if usable)
        raise ValueError(f"--device {name}: not available; available are auto, {names}")
    return name


def choose_device(name: str = "auto") -> torch.device:
    """Device with this name, see `kind_of`; `cuda` or `cuda:1` waits for a GPU, see `seg.system.gpus.take`.

    Raises:
        ValueError: the device is not available, or its name is not one of torch's.
    """
    kind, _, index = kind_of(name).partition(":")
    if index and not index.isdecimal():
        raise ValueError(f"--device {name}: got '{index}', expected a number, as in cuda:1")
    return gpu(take(index=int(index) if index else None)[0]) if kind == "cuda" else torch.device(kind)


def gpu(index: int) -> torch.device:
    """GPU with this index, made torch's current device."""
    torch.cuda.set_device(index)
    return torch.device("cuda", index)


def on_device(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Tensor with the values of an array; a copy to a GPU does not wait for the GPU's earlier work."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


def versions() -> dict[str, str]:
    """Versions of Python, torch and seg."""
    return {"python": platform.python_version(), "torch": torch.__version__, "seg": __version__}


def machine_info(device: torch.device) -> dict[str, Any]:
    """Processor, number of cores, GPU and operating system."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {"cpu": _processor(), "cores": os.cpu_count(), "gpu": gpu, "system": platform.platform()}


def peak_memory(device: torch.device) -> int:
    """Peak memory of this process so far, in bytes: allocated on the GPU, or resident for other devices."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:  # on Linux, ru_maxrss includes the memory of the parent process before execve(2)
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def commit() -> str | None:
    """Commit of the working directory, with `-dirty` if tracked files differ; `None` outside a repository."""
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
