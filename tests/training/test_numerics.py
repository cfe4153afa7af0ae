"""Precision, threads and deterministic kernels."""

import os
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
from requirements import not_met

from seg.training import numerics

# glibc manual, Memory Allocation Tunables, and mallopt(3): freed memory stays in the process and is used again. If it
# were returned to the system, every page would be cleared again.
KEEP_FREED_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}
PAGE_FAULTS = """
import resource
import torch
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    torch.ones(40 << 20, dtype=torch.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def settings() -> Iterator[None]:
    """Restore torch's global settings."""
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    matmul, tf32 = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matmul)
    torch.backends.cudnn.allow_tf32 = tf32
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = cudnn
    torch.utils.deterministic.fill_uninitialized_memory = fill


@pytest.mark.parametrize("native", [True, False])
def test_auto_precision_is_what_the_processor_supports(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    cpu = torch.device("cpu")
    assert numerics.resolve_precision("auto", cpu) == ("bf16" if native else "fp32")
    assert numerics.resolve_precision("auto", torch.device("mps")) == "fp32"
    assert [numerics.resolve_precision(precision, cpu) for precision in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_computes_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    with numerics.autocast(torch.device("cpu"), precision):
        assert torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.mark.usefixtures("settings")
def test_set_up_fixes_threads_and_kernels() -> None:
    numerics.set_up(3, deterministic=True, precision="fp32", device=torch.device("cuda"))
    assert torch.get_num_threads() == 3
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    numerics.set_up(1, deterministic=False, precision="fp32", device=torch.device("cuda"))
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_only_tf32_computes_in_tf32(precision: str) -> None:
    numerics.set_up(1, deterministic=True, precision=precision, device=torch.device("cuda"))
    expected = precision == "tf32"
    assert torch.backends.cuda.matmul.allow_tf32 is expected
    assert torch.backends.cudnn.allow_tf32 is expected
    assert (torch.backends.cuda.matmul.fp32_precision == "tf32") is expected
    assert (torch.backends.cudnn.conv.fp32_precision == "tf32") is expected


@pytest.mark.parametrize(("capability", "resolved"), [((7, 5), "fp32"), ((8, 0), "tf32"), ((9, 0), "tf32")])
def test_tf32_is_fp32_where_the_device_lacks_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], resolved: str
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert numerics.resolve_precision("tf32", torch.device("cuda", 0)) == resolved
    assert numerics.resolve_precision("tf32", torch.device("cpu")) == "fp32"


@pytest.mark.gpu
@pytest.mark.usefixtures("settings")
def test_tf32_rounds_and_fp32_does_not() -> None:
    """TF32 keeps 10 of the 23 bits of a mantissa, so 1 + 2^-12 becomes 1."""
    device = torch.device("cuda", torch.cuda.current_device())
    if torch.cuda.get_device_capability(device) < (8, 0):
        not_met("the GPU has no TF32")
    value = 1 + 2**-12
    images = torch.full((8, 64, 32, 32), value, device=device)
    convolution = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to(device).requires_grad_(False)
    convolution.weight.fill_(1.0)
    centre = {}
    for precision in ("fp32", "tf32"):
        numerics.set_up(1, deterministic=True, precision=precision, device=device)
        centre[precision] = convolution(images)[0, 0, 16, 16].item() / (64 * 9)
    assert centre["fp32"] == pytest.approx(value, rel=1e-6)
    assert centre["tf32"] == pytest.approx(1, abs=1e-6)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are glibc's")
@pytest.mark.parametrize(("variables", "reused"), [(KEEP_FREED_MEMORY, True), ({}, False)], ids=["set", "unset"])
def test_freed_memory_is_used_again(variables: dict[str, str], reused: bool) -> None:
    """100 times 40 MiB, more than glibc keeps by default, are 1,024,000 pages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | variables
    child = subprocess.run(
        [sys.executable, "-c", PAGE_FAULTS], env=environment, capture_output=True, text=True, check=True
    )
    faults = int(child.stdout)
    assert faults < 200_000 if reused else faults >= 1_000_000
