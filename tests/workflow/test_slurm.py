"""The workflow on Slurm: resources of its jobs, and trainings that are cancelled or preempted."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from clones import Clone
from requirements import not_met
from safetensors import safe_open
from slurm import PROGRAMS, Slurm, running_slurm, until

pytestmark = pytest.mark.workflow

STUDY = "cityscapes_fcn"
TABLE = f"results/demo/{STUDY}/table.csv"
TRAININGS = {f"{STUDY}/baseline": 600, f"{STUDY}/dice": 700}  # memory of each, MB
PLUGIN = "snakemake_executor_plugin_slurm"
# Job states are polled every second; the plugin's defaults are longer.
QUICK = ("--slurm-init-seconds-before-status-checks=1", "--seconds-between-status-checks=1", "--latency-wait=20")


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Slurm]:
    """A cluster of one node. Without Slurm, the test fails in CI and is skipped elsewhere."""
    absent = [program for program in PROGRAMS if not shutil.which(program)]
    absent += [PLUGIN] if not find_spec(PLUGIN) else []
    if absent:
        fix = "apt-get install slurm-wlm munge; pip install '.[slurm]'"
        not_met(f"Slurm cannot run here: no {', '.join(absent)}; {fix}")
    with running_slurm(tmp_path / "slurm") as cluster:
        yield cluster


@pytest.fixture
def clone(new_clone: Clone) -> Clone:
    """The minimal demo with two variants and enough epochs to interrupt them."""
    rows = new_clone.params()["studies"][STUDY]["variants"]
    kept = [name.split("/")[1] for name in TRAININGS]
    new_clone.set(f"studies.{STUDY}.variants", {name: row | {"enabled": name in kept} for name, row in rows.items()})
    new_clone.set("budgets.demo.epochs", {name: rows[name.split("/")[1]]["epochs"] for name in TRAININGS})
    training = {"partition": "main", "gpu_model": "tiny", "memory": 600, "minutes": 7}
    of = {name: training | {"memory": memory} for name, memory in TRAININGS.items()}
    data = {"partition": None, "memory": 500, "minutes": 5}
    new_clone.set("cluster", {"training": training, "training_of": of, "data": data})
    return new_clone


@contextlib.contextmanager
def submitting(clone: Clone, slurm: Slurm) -> Iterator[subprocess.Popen[bytes]]:
    """`snakemake --profile profiles/slurm` with its output in the clone's file `printed`; killed on exit."""
    command = ["snakemake", "--profile", "profiles/slurm", *QUICK, "--", TABLE]
    with (clone.path / "printed").open("w") as printed:
        running = subprocess.Popen(command, cwd=clone.path, env=slurm.environment, stdout=printed, stderr=printed)
        try:
            yield running
        except TimeoutError as error:
            error.add_note((clone.path / "printed").read_text()[-4000:])
            raise
        finally:
            running.kill()
            running.wait()


def log(clone: Clone, training: str) -> str:
    """Log of a training."""
    path = clone.path / f"logs/demo/{training}.seed0.train.log"
    return path.read_text() if path.exists() else ""


def jobs(slurm: Slurm, rule: str, training: str = "") -> list[dict[str, str]]:
    """Slurm's records of the jobs of a rule, for one training or for all."""
    return [job for job in slurm.jobs(f"rule_{rule}") if training.rpartition("/")[2] in job["Comment"]]


def devices(clone: Clone) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each running training."""
    mine = [
        process
        for process in psutil.process_iter(["cmdline", "cwd"])
        if process.info["cwd"] == str(clone.path) and process.info["cmdline"][1:3] == ["-m", "seg.training.train"]
    ]
    return [process.environ()["CUDA_VISIBLE_DEVICES"] for process in mine]


def learning_rate(clone: Clone, training: str) -> float:
    """Learning rate in the checkpoint's recipe."""
    with safe_open(clone.path / f"results/demo/{training}/seed0/model.safetensors", framework="np") as file:
        rate: float = json.loads(file.metadata()["seg"])["about"]["recipe"]["lr"]
    return rate


def test_cancelled_and_preempted_trainings_resume_on_a_cluster(clone: Clone, slurm: Slurm) -> None:
    with submitting(clone, slurm) as running:
        # Two trainings and one GPU: the second one waits. Its number is edited, then the first one is cancelled.
        until(lambda: any("epoch 3/" in log(clone, name) for name in TRAININGS), 300, "a training runs")
        first, second = sorted(TRAININGS, key=lambda name: "epoch" not in log(clone, name))
        until(lambda: jobs(slurm, "train_variant", second), 60, "the other training is in the queue")
        assert [job["JobState"] for job in jobs(slurm, "train_variant", second)] == ["PENDING"]
        assert devices(clone) == ["0"]
        rate = clone.params()["studies"][STUDY]["variants"][second.split("/")[1]]["lr"]
        clone.set(f"studies.{second.replace('/', '.variants.')}.lr", rate / 2)
        slurm.run("scancel", jobs(slurm, "train_variant", first)[0]["JobId"])
        # A job of higher priority takes the GPU from the second one, which Slurm puts back into the queue.
        until(lambda: "epoch 3/" in log(clone, second), 300, "the second training runs")
        urgent = ("--partition=urgent", "--gpus=1", "--mem=100", "--output=/dev/null", "--wrap=true")
        slurm.run("sbatch", *urgent)
        assert running.wait(400) == 0, (clone.path / "printed").read_text()[-4000:]

    assert len((clone.path / TABLE).read_text().splitlines()) > len(TRAININGS)
    for training in TRAININGS:
        resumed = re.search(r"^resumed at epoch (\d+)", log(clone, training), re.MULTILINE)
        assert resumed
        assert int(resumed[1]) > 3

    def asked(rule: str, training: str = "") -> list[tuple[str, ...]]:
        keys = ("JobState", "Restarts", "Partition", "MinMemoryNode", "TimeLimit", "TresPerJob")
        return [tuple(job.get(key, "") for key in keys) for job in jobs(slurm, rule, training)]

    gpu, memory = "gres:gpu:tiny:1", TRAININGS
    assert asked("train_variant", first) == [
        ("CANCELLED", "0", "main", f"{memory[first]}M", "00:07:00", gpu),
        ("COMPLETED", "0", "main", f"{2 * memory[first]}M", "00:14:00", gpu),
    ]
    assert asked("train_variant", second) == [("COMPLETED", "1", "main", f"{memory[second]}M", "00:07:00", gpu)]
    assert {job[2:] for job in asked("evaluate_variant", first)} == {("main", f"{memory[first]}M", "00:07:00", gpu)}
    assert set(asked("synthesize_dataset")) == {("COMPLETED", "0", "other", "500M", "00:05:00", "")}
    assert set(asked("pack_split")) == {("COMPLETED", "0", "other", "500M", "00:05:00", "")}
    assert asked("tabulate_study") == []

    # It was submitted with the old number; the edit makes it stale, and after undoing the edit nothing is to be done.
    assert learning_rate(clone, second) == rate
    train, evaluate = (f"{verb} {second} with seed 0" for verb in ("Train", "Evaluate"))
    assert clone.scheduled("--", TABLE) == sorted([train, evaluate, f"Tabulate {STUDY}"])
    clone.set(f"studies.{second.replace('/', '.variants.')}.lr", rate)
    assert clone.scheduled("--", TABLE) == []
    with submitting(clone, slurm) as again:
        assert again.wait(60) == 0
    assert "Nothing to be done" in (clone.path / "printed").read_text()
