"""Killed runs resume; damaged and read-only results are reported."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from clones import Clone, environment
from requirements import mounted

pytestmark = pytest.mark.workflow

RUN = "results/demo/cityscapes_fcn/baseline/seed0"
OUTPUTS = ("model.safetensors", "history.csv", "metrics.json", "confusion.npy")
LOG = "logs/demo/cityscapes_fcn/baseline.seed0.train.log"


def bits(clone: Clone) -> list[bytes]:
    """Contents of the outputs that exist."""
    files = (clone.path / RUN / name for name in OUTPUTS)
    return [file.read_bytes() for file in files if file.exists()]


def killed(clone: Clone, log: str, pattern: str) -> None:
    """Start Snakemake, which saves states after every step, and kill its process group once the log matches."""
    command = ["snakemake", "--cores", "4", "--resources", "gpu=1", "--", f"{RUN}/metrics.json"]
    file, saving = clone.path / log, environment() | {"SEG_SAVE_SECONDS": "0"}
    file.unlink(missing_ok=True)
    with subprocess.Popen(command, cwd=clone.path, env=saving, start_new_session=True) as run:
        for _ in range(4000):
            if file.exists() and re.search(pattern, file.read_text()):
                break
            assert run.poll() is None, "it ended before it was killed"
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)


def test_a_run_killed_with_its_processes_resumes_to_the_same_bits(clone: Clone) -> None:
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 8})
    killed(clone, LOG, r"epoch 2/8 loss")
    killed(clone, LOG, r"epoch [45]/8 loss")
    printed = (clone.path / LOG).read_text()
    # Epoch 2 is printed before its state is saved: a kill in between repeats its validation.
    assert re.search(r"resumed at epoch (2, after step 2|[3-5], after step [0-2]) of 2", printed), printed
    clone.snakemake()
    assert "resumed at epoch " in (clone.path / LOG).read_text()
    assert "epoch 1/8" not in (clone.path / LOG).read_text()
    disturbed = bits(clone)
    assert not list((clone.path / RUN).glob("resume-*"))
    clone.snakemake("--forcerun", "train_variant", "--", f"{RUN}/metrics.json")
    assert bits(clone) == disturbed


def test_a_damaged_checkpoint_is_reported_and_trained_again(clone: Clone) -> None:
    before = bits(clone)
    model = clone.path / RUN / "model.safetensors"
    model.write_bytes(before[0][:-1000])
    output = clone.snakemake(code=1)
    assert f"error: {RUN}/model.safetensors: checkpoint is " in output
    assert "damaged" in output
    assert "use another one, or delete it and train again" in output
    assert bits(clone)[:2] == [model.read_bytes(), before[1]]
    shutil.rmtree(model.parent)
    clone.snakemake()
    assert bits(clone) == before


@pytest.fixture
def read_only(clone: Clone) -> Iterator[Path]:
    """The baseline's directory mounted read-only, which requires root; otherwise the test fails in CI or is skipped."""
    folder = clone.path / RUN
    for options in (["--bind", str(folder)], ["-o", "remount,ro,bind"]):
        mounted(*options, str(folder), what="a read-only directory")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def test_a_read_only_results_directory_is_reported_and_nothing_is_lost(clone: Clone, read_only: Path) -> None:
    before = bits(clone)
    clone.set("studies.cityscapes_fcn.variants.baseline.lr", 0.006)
    output = clone.snakemake(code=1)
    assert "Write-protected output files for rule " in output
    assert f"        {RUN}/" in output
    assert bits(clone) == before
    subprocess.run(["umount", str(read_only)], check=True)
    clone.snakemake()
    assert bits(clone) != before
