"""Devices, and what is recorded about the machine."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from seg.system import machine

PEAK = """
import torch
from seg.system.machine import peak_memory
cpu = torch.device("cpu")
print(peak_memory(cpu))
held = torch.ones(100 << 20, dtype=torch.uint8)
print(peak_memory(cpu))
del held
print(peak_memory(cpu))
"""


def test_auto_takes_the_best_available_device(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: seen["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: seen["mps"])
    monkeypatch.setattr(machine, "take", lambda index: [2 if index is None else index])
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert machine.choose_device() == torch.device("cuda", 2)
    assert chosen == [2]
    assert machine.choose_device("cuda:1") == torch.device("cuda", 1)
    assert machine.choose_device("cpu").type == "cpu"
    seen["cuda"] = False
    assert machine.choose_device().type == "mps"
    seen["mps"] = False
    assert machine.choose_device().type == "cpu"


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "tpu"])
def test_a_missing_device_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"--device {name}: not available; available are auto, cpu$"):
        machine.choose_device(name)


def test_peak_memory_is_of_this_process_not_of_its_parent() -> None:
    """On Linux, the peak that `getrusage` reports starts from the parent process' memory."""
    held = np.ones(800 << 20, np.uint8)
    child = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    before, during, after = map(int, child.stdout.split())
    assert 50 << 20 < before < held.nbytes
    assert during >= before + (90 << 20)
    assert after >= 0.99 * during  # the kernel counts pages in batches


def test_recorded_information_is_json() -> None:
    record = machine.machine_info(torch.device("cpu"))
    assert json.loads(json.dumps(record)) == record
    assert record["cpu"]
    assert record["gpu"] is None
    assert record["cores"] >= 1
    assert machine.versions()["torch"] == torch.__version__


def git(*arguments: str, folder: Path) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_commit_and_whether_files_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert machine.commit() is None
    git("init", folder=tmp_path)
    assert machine.commit() is None
    (tmp_path / "file").write_text("1")
    git("add", "file", folder=tmp_path)
    git("commit", "-m", "first", folder=tmp_path)
    git("tag", "v1", folder=tmp_path)
    commit = machine.commit()
    assert commit
    assert len(commit) == 40
    (tmp_path / "file").write_text("2")
    assert machine.commit() == f"{commit}-dirty"
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.commit() is None
