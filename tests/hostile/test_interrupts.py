"""Signals that end a process, at every stage: one line, the signal's exit code, nothing half-written, nothing lost."""

import importlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from clones import Clone, environment
from trials import Trial, run_trial

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.system.console import run_stage

pytestmark = pytest.mark.usefixtures("default_signals")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
OUTPUTS = "--model run/model.safetensors --history run/history.csv --run-info run/run.json --events run/events"
TRAIN = f"seg.training.train --train-pack train.json --val-pack val.json --device cpu {OUTPUTS}"
EVERY_STEP = "--save-every 0"  # four states per epoch: one after each step and one at its end
SPLIT = "--manifest raw/manifest.json --dataset camvid --split val --height 48 --width 64 --out out/val"
MANIFEST = "seg.datasets.register --name mine --root raw --out manifest.json"
RENDER = (
    "seg.synthetic.synthesize --layout cityscapes --height 64 --width 64 --split train=3 --seed 0 --jobs 1"
    " --out scenes/manifest.json"
)
PRETRAIN = (
    "seg.training.pretrain --backbone resnet34 --images 4 --size 16 --epochs 1 --batch 2 --lr 0.01 --seed 0 --threads 1"
    " --out weights.safetensors"
)
EVALUATE = (
    "seg.evaluation.evaluate --model trained.safetensors --pack val.json --device cpu"
    " --metrics metrics.json --confusion confusion.npy --predictions predictions.zip --samples samples.png"
    " --run-info evaluation.json"
)
PREDICT = "seg.cli predict trained.safetensors raw/val/scene_0000.png --out predictions --device cpu"
WEIGHTS = "seg.models.fetch_weights --weights resnet34_imagenet --archives archives --out weights/resnet34.safetensors"
DATASET = "seg.datasets.download --dataset camvid --archives archives --out camvid/manifest.json"
STATES = ("run", "run/events*", "run/resume-*.safetensors")


class Moment(NamedTuple):
    """A call that is interrupted.

    Attributes:
        trial: what the interrupted stage prints and leaves.
        place: function of a module, or method of its class, that the signal interrupts.
        number: of the signal.
        calls: that succeed before.
    """

    trial: Trial
    place: str
    number: signal.Signals
    calls: int

    def __str__(self) -> str:
        return f"{self.trial.name}, {self.number.name}"


def moment(
    name: str,
    command: str,
    place: str,
    number: signal.Signals,
    calls: int = 0,
    then: str = "",
    writes: Sequence[str] = (),
) -> Moment:
    line = re.escape(f"interrupted; run again{then}")
    trial = Trial(name, command.split(), lambda _: None, line, code=128 + number, errors=0, writes=writes)
    return Moment(trial, place, number, calls)


def training(name: str, place: str, number: signal.Signals, epoch: int, calls: int = 0, options: str = "") -> Moment:
    """Of two epochs with three steps each."""
    command = f"{TRAIN} {options}"
    return moment(f"training: {name}", command, place, number, calls, f" to continue from epoch {epoch}", STATES)


INT, TERM, HUP = ENDING
MOMENTS = [
    moment("training: reading its inputs", TRAIN, "seg.training.train:open_inputs", INT),
    training("first step", "seg.training.step:TrainStep.__call__", HUP, 1),
    training("step of the second epoch", "seg.training.step:TrainStep.__call__", INT, 2, calls=4),
    training("first validation", "seg.training.train:validate", TERM, 1),
    training("last validation", "seg.training.train:validate", HUP, 2, calls=1),
    training("saving the first state", "seg.training.resume:write_tensors", TERM, 1, options=EVERY_STEP),
    training("saving the fourth state", "seg.training.resume:write_tensors", HUP, 2, calls=3, options=EVERY_STEP),
    training("saving the last state", "seg.training.resume:write_tensors", HUP, 2),
    training("numbering the second state", "seg.training.resume:_number", INT, 1, options=EVERY_STEP),
    training("before the outputs are written", "seg.training.train:write_outputs", HUP, 2),
    training("writing the checkpoint", "seg.training.outputs:save_checkpoint", INT, 2),
    training("writing the history", "seg.training.outputs:history_text", TERM, 2),
    moment("pack: decoding", f"seg.data.pack {SPLIT}", "seg.data.pack:_pack_one", TERM, 2, writes=["out"]),
    moment("pack: digests", f"seg.data.pack {SPLIT}", "seg.data.pack:sha256", HUP, 1, writes=["out"]),
    moment("native labels", f"seg.data.native_labels {SPLIT}", "seg.data.native_labels:sha256", INT, writes=["out"]),
    moment(
        "statistics",
        "seg.data.statistics --pack train.json --out statistics.json",
        "seg.data.statistics:inverse_weights",
        TERM,
    ),
    moment("rendering", RENDER, "seg.synthetic.synthesize:Scenes.write", TERM, 1),
    moment("rendering: manifest", RENDER, "seg.synthetic.synthesize:write_manifest", HUP),
    moment("files of a folder", MANIFEST, "seg.datasets.register:files_read", INT),
    moment("pretraining: step", PRETRAIN, "seg.training.pretrain:Optimizer.step", INT),
    moment("pretraining: accuracy", PRETRAIN, "seg.training.pretrain:_accuracy", HUP),
    moment("pretraining: drawing", PRETRAIN, "seg.training.pretrain:draw_shapes", TERM),
    moment("evaluation", EVALUATE, "seg.evaluation.evaluate:average_logits", TERM),
    moment("evaluation: writing", EVALUATE, "seg.evaluation.evaluate:draw_samples", INT),
    moment("prediction", PREDICT, "seg.evaluation.predict_regions:average_logits", HUP),
    moment("doctor", "seg.cli doctor raw --layout camvid", "seg.doctor.inspection:inspect_pair", INT),
    moment("download of weights", WEIGHTS, "seg.models.fetch_weights:fetch_archive", TERM),
    moment("download of a dataset", DATASET, "seg.datasets.download:fetch_archive", INT, writes=["archives"]),
]


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return tiny_recipe.model_copy(update={"model": make_model("u_lite")})


def arguments(recipe: Recipe) -> list[str]:
    return ["--recipe", recipe.json_line(), "--code", "0123"]


@pytest.fixture(scope="module")
def inputs(recipe: Recipe, packs: Any, camvid_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset, its packs and a trained model."""
    folder = tmp_path_factory.mktemp("interrupts") / "inputs"
    shutil.copytree(packs.train.parent, folder)
    shutil.copytree(camvid_root, folder / "raw")
    run_trial(Trial("training", (*TRAIN.split(), *arguments(recipe)), lambda _: None, ".*", 0, 0, ("run*",)), folder)
    (folder / "run/model.safetensors").rename(folder / "trained.safetensors")
    shutil.rmtree(folder / "run")
    return folder


def interrupted(place: str, number: signal.Signals, calls: int) -> tuple[Any, str, Callable[..., Any]]:
    """Owner and name of a function, and a function in its place that raises the signal after some calls."""
    module, _, path = place.partition(":")
    above, _, name = path.rpartition(".")
    owner = getattr(importlib.import_module(module), above) if above else importlib.import_module(module)
    original, left = getattr(owner, name), iter(range(calls))

    def call(*given: Any, **named: Any) -> Any:
        if next(left, None) is None:
            signal.raise_signal(number)
        return original(*given, **named)

    return owner, name, call


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_signal_ends_a_stage(
    moment: Moment, inputs: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    trial = moment.trial
    if "seg.training.train" in trial.command:
        trial = replace(trial, command=[*trial.command, *arguments(recipe)])
    monkeypatch.setattr(*interrupted(moment.place, moment.number, moment.calls))
    run_trial(trial, tmp_path)


def test_signals_that_are_ignored_stay_so() -> None:
    """As under `nohup`, and for Ctrl-C in a job in the background of a script."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    run_stage(lambda: signal.raise_signal(signal.SIGHUP))


@pytest.mark.parametrize("second", ENDING)
def test_a_second_signal_does_not_change_how_a_stage_ends(
    second: signal.Signals, capfd: pytest.CaptureFixture[str]
) -> None:
    def main() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(second)
            print("temporary files are deleted")

    with pytest.raises(SystemExit) as ending:
        run_stage(main)
    signal.raise_signal(second)  # while Python ends
    assert ending.value.code == 128 + signal.SIGTERM
    assert capfd.readouterr() == ("temporary files are deleted\n", "interrupted; run again\n")


RUN = "results/demo/cityscapes_fcn/baseline/seed0"
LOG = "logs/demo/cityscapes_fcn/baseline.seed0.train.log"
SNAKEMAKE = ("snakemake", "--cores", "4", "--resources", "gpu=1", "--")
FORWARD = """
import os, signal, subprocess, sys, types
from workflow.state import forward_signals
signal.signal(signal.SIGTERM, lambda *_: None)  # in place of Snakemake's handler
forward_signals(types.SimpleNamespace(local_exec=True))
command = ["bash", "-c", "trap : TERM; echo ready; read -t 1 line; exec sleep 60"]
shell = subprocess.Popen(command, stdin=subprocess.PIPE)
sys.exit(-shell.wait())
"""


def test_a_signal_reaches_the_program_that_a_shell_becomes() -> None:
    """A shell that handles the signal becomes the stage only later."""
    with subprocess.Popen([sys.executable, "-c", FORWARD], stdout=subprocess.PIPE, env=environment()) as run:
        assert run.stdout
        assert run.stdout.readline() == b"ready\n"
        run.send_signal(signal.SIGTERM)
        assert run.wait(20) == signal.SIGTERM


TARGETS = ("group", "Snakemake", "training")


def started(clone: Clone, command: Sequence[str], log: str, pattern: str) -> tuple[subprocess.Popen[str], Path]:
    """Start a program in a process group of its own and wait until a log matches; the process and its output."""
    (clone.path / log).unlink(missing_ok=True)
    output = clone.path / "printed"
    with output.open("w") as printed:
        run = subprocess.Popen(
            command,
            cwd=clone.path,
            env=environment(),
            stdout=printed,
            stderr=printed,
            text=True,
            start_new_session=True,
        )
    for _ in range(6000):
        if (clone.path / log).exists() and re.search(pattern, (clone.path / log).read_text()):
            return run, output
        assert run.poll() is None, output.read_text()[-4000:]
        time.sleep(0.02)
    raise TimeoutError(output.read_text()[-4000:])


def send(run: subprocess.Popen[str], target: str, number: signal.Signals) -> None:
    if target == "group":
        os.killpg(run.pid, number)
    elif target == "Snakemake":
        run.send_signal(number)
    else:
        (training,) = (
            process
            for process in psutil.Process(run.pid).children(recursive=True)
            if process.cmdline()[1:3] == ["-m", "seg.training.train"]
        )
        training.send_signal(number)


def leftovers(clone: Clone) -> list[str]:
    """Files of an interrupted run that would disturb the next one."""
    patterns = (f"{RUN}/.*", ".snakemake/locks/*", ".snakemake/incomplete/*")
    return [str(path) for pattern in patterns for path in clone.path.glob(pattern)]


def bits(clone: Clone) -> list[bytes]:
    return [(clone.path / RUN / name).read_bytes() for name in ("model.safetensors", "history.csv", "metrics.json")]


@pytest.mark.workflow
@pytest.mark.timeout(1200)
def test_an_interrupted_run_continues_to_the_same_bits(clone: Clone) -> None:
    """Each signal to the process group, to Snakemake alone and to the training alone, in one training."""
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 40})
    command = [*SNAKEMAKE, f"{RUN}/metrics.json"]
    for count, (target, number) in enumerate(product(TARGETS, ENDING)):
        epoch = 3 + 3 * count
        run, output = started(clone, command, LOG, rf"epoch {epoch}/40")
        send(run, target, number)
        assert run.wait(60) == 1
        printed = output.read_text()
        lines = re.findall(r"^interrupted; run again to continue from epoch (\d+)$", printed, re.MULTILINE)
        assert len(lines) == 1, printed[-4000:]
        assert epoch <= int(lines[0]) <= epoch + 3
        assert "Traceback" not in printed
        assert printed.count("interrupted; run again") == (clone.path / LOG).read_text().count("interrupted; run again")
        assert not leftovers(clone)
        assert len(list((clone.path / RUN).glob("resume-*"))) == min(count + 1, 2)
    clone.snakemake("--", f"{RUN}/metrics.json")
    assert "epoch 3/40" not in (clone.path / LOG).read_text()
    assert not list((clone.path / RUN).glob("resume-*"))
    disturbed = bits(clone)
    clone.snakemake("--forcerun", "train_variant", "--", f"{RUN}/metrics.json")
    assert "epoch 3/40" in (clone.path / LOG).read_text()
    assert bits(clone) == disturbed


@pytest.mark.workflow
def test_a_training_that_ends_without_snakemake_counts(clone: Clone) -> None:
    """Snakemake alone is killed; its training ends, and the next run only writes the outputs again and evaluates."""
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 12})
    command = [*SNAKEMAKE, f"{RUN}/metrics.json"]
    run, _ = started(clone, command, LOG, r"epoch 6/12")
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    psutil.wait_procs(children, timeout=120)
    before = (clone.path / RUN / "model.safetensors").read_bytes()
    clone.snakemake("--", f"{RUN}/metrics.json")
    printed = (clone.path / LOG).read_text()
    assert "resumed after the last epoch\n" in printed
    assert "epoch 1" not in printed
    assert bits(clone)[0] == before


@pytest.mark.workflow
def test_several_interrupts_and_dvc(clone: Clone) -> None:
    """Ctrl-C several times, as impatient users press it, while DVC runs Snakemake."""
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 40})
    run, output = started(clone, ["dvc", "repro"], LOG, r"epoch 3/40")
    for _ in range(4):
        send(run, "group", signal.SIGINT)
        time.sleep(0.3)
        if run.poll() is not None:
            break
    assert run.wait(60) != 0
    printed = output.read_text()
    assert len(re.findall(r"^interrupted; run again to continue from epoch \d+$", printed, re.MULTILINE)) >= 1
    assert "Traceback" not in printed
    assert not leftovers(clone)
    clone.run("dvc", "repro")
    assert "resumed at epoch" in (clone.path / LOG).read_text()
    assert clone.run("dvc", "status").strip().endswith("Data and pipelines are up to date.")


@pytest.mark.workflow
def test_nohup_survives_the_terminal(clone: Clone) -> None:
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 12})
    run, output = started(clone, ["nohup", *SNAKEMAKE, f"{RUN}/metrics.json"], LOG, r"epoch 3/12")
    send(run, "group", signal.SIGHUP)
    assert run.wait(200) == 0, output.read_text()[-4000:]
