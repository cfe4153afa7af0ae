"""Device, precision and what is recorded of the machine."""

import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from seg import runtime

PEAK = """
import torch
from seg.runtime import peak_memory
cpu = torch.device("cpu")
print(peak_memory(cpu))
held = torch.ones(100 << 20, dtype=torch.uint8)
print(peak_memory(cpu))
del held
print(peak_memory(cpu))
"""

FAULTS = """
import resource
import torch
from seg.runtime import set_up
set_up(1, deterministic=True, device=torch.device("cpu"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for step in range(100):
    torch.ones(8 << 20, dtype=torch.uint8)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.fixture
def settings() -> Iterator[None]:
    """Put torch's global settings back."""
    threads, cudnn = torch.get_num_threads(), torch.backends.cudnn.benchmark
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = cudnn
    torch.utils.deterministic.fill_uninitialized_memory = fill


def test_the_best_device_there_is_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: seen["mps"])
    monkeypatch.setattr(runtime, "take", lambda: [2])
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert runtime.choose_device() == torch.device("cuda", 2)
    assert chosen == [2]
    assert runtime.choose_device("cuda:1") == torch.device("cuda", 1)
    assert runtime.choose_device("cpu").type == "cpu"
    seen["cuda"] = False
    assert runtime.choose_device().type == "mps"
    seen["mps"] = False
    assert runtime.choose_device().type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "tpu"])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"--device {name}: .*it sees cpu$"):
        runtime.choose_device(name)


@pytest.mark.parametrize("native", [True, False])
def test_precision_is_the_processors(monkeypatch: pytest.MonkeyPatch, native: bool) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    cpu = torch.device("cpu")
    assert runtime.resolve_precision("auto", cpu) == ("bf16" if native else "fp32")
    assert runtime.resolve_precision("auto", torch.device("mps")) == "fp32"
    assert [runtime.resolve_precision(precision, cpu) for precision in ("fp32", "bf16")] == ["fp32", "bf16"]


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_autocast_computes_in_the_precision(precision: str, dtype: torch.dtype) -> None:
    with runtime.autocast(torch.device("cpu"), precision):
        assert torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.mark.usefixtures("settings")
def test_set_up_fixes_threads_and_kernels() -> None:
    runtime.set_up(3, deterministic=True, device=torch.device("cuda"))
    assert torch.get_num_threads() == 3
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    runtime.set_up(1, deterministic=False, device=torch.device("cuda"))
    assert torch.get_num_threads() == 1
    assert not torch.are_deterministic_algorithms_enabled()


def test_peak_memory_is_of_this_process_not_of_its_parent() -> None:
    """On Linux a process inherits the peak that `getrusage` reports from the one that started it."""
    held = np.ones(800 << 20, np.uint8)
    child = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    before, during, after = map(int, child.stdout.split())
    assert 50 << 20 < before < held.nbytes
    assert during >= before + (90 << 20)
    assert after >= 0.99 * during  # the kernel counts pages in batches


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to keep freed memory")
def test_freed_memory_is_used_again() -> None:
    """A hundred times 8 MiB are 204,800 pages, each of which the system would clear and hand out anew."""
    child = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(child.stdout) < 40_000


def test_what_is_recorded_is_json() -> None:
    record = runtime.machine(torch.device("cpu"))
    assert json.loads(json.dumps(record)) == record
    assert record["cpu"]
    assert record["gpu"] is None
    assert record["cores"] >= 1
    assert runtime.versions()["torch"] == torch.__version__


def git(*arguments: str, folder: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_and_whether_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert runtime.commit() is None
    git("init", folder=tmp_path)
    assert runtime.commit() is None
    (tmp_path / "file").write_text("1")
    git("add", "file", folder=tmp_path)
    git("commit", "-m", "first", folder=tmp_path)
    git("tag", "v1", folder=tmp_path)
    commit = runtime.commit()
    assert commit
    assert len(commit) == 40
    (tmp_path / "file").write_text("2")
    assert runtime.commit() == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runtime.commit() is None
