"""Settings that affect floating-point results: precision, CPU threads and deterministic kernels."""

import os

import torch

_TF32_CAPABILITY = (8, 0)  # Ampere, the first GPUs with TF32 (CUDA C++ Programming Guide, compute capabilities)


def resolve_precision(precision: str, device: torch.device) -> str:
    """`fp32`, `tf32` or `bf16`, as the device computes.

    `auto` is `bf16` where the device has native bf16 arithmetic, else `fp32`; `tf32` is `fp32` where TF32 is missing.
    """
    if precision == "tf32":
        native = device.type == "cuda" and torch.cuda.get_device_capability(device) >= _TF32_CAPABILITY
        return "tf32" if native else "fp32"
    if precision != "auto":
        return precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = device.type == "cpu" and torch.cpu.get_capabilities().get("avx512_bf16", False)
    return "bf16" if native else "fp32"


def set_up(threads: int, deterministic: bool, precision: str, device: torch.device) -> None:
    """Set the number of CPU threads and, on a GPU, the choice of kernels; TF32 is allowed for `tf32` only.

    All CPU kernels in use are deterministic; on a CPU, `use_deterministic_algorithms` would only import a compiler.
    """
    torch.set_num_threads(threads)
    if device.type == "cpu":
        return
    # Required for determinism (NVIDIA, cuBLAS documentation, Results Reproducibility).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    # No uninitialized memory is read, so it need not be filled.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not deterministic
    # By default, PyTorch allows TF32 in convolutions and not in matrix products. Not the newer `fp32_precision`:
    # torch.compile reads the settings below and raises an error if both are used (PyTorch 2.14).
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    torch.backends.cudnn.allow_tf32 = precision == "tf32"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Context of mixed precision for `bf16`, without effect for `fp32` and `tf32`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
