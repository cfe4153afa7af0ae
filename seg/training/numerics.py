"""Settings that affect floating-point results: precision, CPU threads and deterministic kernels."""

import ctypes
import os
import sys

import torch

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # malloc.h, mallopt(3)


def resolve_precision(precision: str, device: torch.device) -> str:
    """`fp32` or `bf16`; `auto` is bf16 where the device computes in it rather than emulating it."""
    if precision != "auto":
        return precision
    native = {
        "cuda": lambda: torch.cuda.is_bf16_supported(including_emulation=False),
        "cpu": lambda: torch.cpu.get_capabilities().get("avx512_bf16", False),
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
