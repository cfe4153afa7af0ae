"""Train in this process or like the workflow, and read the outputs."""

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from seg.config.recipe import Recipe
from seg.models.checkpoint import load_checkpoint
from seg.training.train import Outputs, train


def outputs(folder: Path) -> Outputs:
    return Outputs(folder / "model.safetensors", folder / "history.csv", folder / "run.json", folder / "events")


def fit(folder: Path, recipe: Recipe, packs: Any, workers: int = 0) -> Outputs:
    """Train in this process."""
    train(recipe, packs[0], packs[1], None, outputs(folder), torch.device("cpu"), workers, "0123")
    return outputs(folder)


def arguments(folder: Path, recipe: Recipe, packs: Any) -> list[str]:
    """Arguments of a training, as given by the workflow."""
    flags = {
        "recipe": recipe.json_line(),
        "train-pack": packs[0],
        "val-pack": packs[1],
        "device": "cpu",
        "code": "0123",
    }
    flags |= dict(zip(("model", "history", "run-info", "events"), outputs(folder), strict=True))
    return [str(part) for name, value in flags.items() for part in (f"--{name}", value)]


def command(folder: Path, recipe: Recipe, packs: Any, *more: str) -> subprocess.CompletedProcess[str]:
    """Train in a separate process, like the workflow."""
    line = [sys.executable, "-m", "seg.training.train", *arguments(folder, recipe, packs), *more]
    return subprocess.run(line, capture_output=True, text=True, check=False)


class Kill(NamedTuple):
    """A training that was killed and run again: its bits, the output of both processes, and when it was killed."""

    bits: tuple[bytes, bytes]
    output: str
    before_the_end: bool
    while_saving: bool


# Reads lines of JSON: for [arguments, log] it forks a training and prints the process ID, for a process ID it waits for
# the process and prints its status.
_SERVER = """
for line in sys.stdin:
    request = json.loads(line)
    if isinstance(request, int):
        print(os.waitpid(request, 0)[1], flush=True)
        continue
    arguments, log = request
    child = os.fork()
    if not child:
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        sys.argv = ["train", *arguments]
        try:
            run_stage(main)
            os._exit(0)
        except SystemExit as end:
            os._exit(end.code)
        finally:
            os._exit(1)
    print(child, flush=True)
"""
_IMPORTS = """
import json, os, sys
from seg.system.console import run_stage
from seg.training.train import main
"""


class TrainingForkServer:
    """Runs trainings in separate processes, forked from a process that has imported PyTorch.

    Args:
        before: Python code to run before the first training.
        environment: variables added to those of this process.
    """

    def __init__(self, before: str = "", environment: Mapping[str, str] | None = None) -> None:
        self._server = subprocess.Popen(
            [sys.executable, "-c", _IMPORTS + before + _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environment or {}),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.kill()
        self._server.communicate()

    def start(self, arguments: list[str], log: Path) -> int:
        """Start a training that prints to a log; its process ID."""
        return self._ask([arguments, str(log)])

    def wait(self, process: int) -> int:
        """Wait for a training; its status as from `os.waitpid`."""
        return self._ask(process)

    def _ask(self, line: Any) -> int:
        assert self._server.stdin
        assert self._server.stdout
        self._server.stdin.write(json.dumps(line) + "\n")
        self._server.stdin.flush()
        return int(self._server.stdout.readline())


def killed_at_random(folder: Path, recipe: Recipe, packs: Any, trainings: int) -> list[Kill]:
    """Train into separate directories; kill each run at a random moment, every third while it saves; run again."""
    draw = random.Random(5)
    folder.mkdir()
    kills = []
    with TrainingForkServer() as server:
        for number in range(trainings):
            run, log = folder / str(number), folder / f"{number}.log"
            given = [*arguments(run, recipe, packs), "--save-every", "0"]
            process = server.start(given, log)
            _wait_for(run, draw.randrange(3 * recipe.epochs), saving=number % 3 == 0)
            time.sleep(0 if number % 3 == 0 else draw.uniform(0, 0.2))
            os.kill(process, signal.SIGKILL)  # not reused yet: the process has not been waited for
            status = server.wait(process)
            saving = any(run.glob(".resume-*.part"))
            assert server.wait(server.start(given, log)) == 0, log.read_text()
            kills.append(Kill(bits(outputs(run)), log.read_text(), status == signal.SIGKILL, saving))
    return kills


def _wait_for(run: Path, states: int, saving: bool) -> None:
    """Wait until `states` states are saved, or until the next is being written, or until the training ends."""
    model = outputs(run).model
    pattern = f".resume-*-{states + 1:06}.safetensors.*.part" if saving else f"resume-*-{states:06}.safetensors"
    while not (states == 0 and not saving) and not any(run.glob(pattern)) and not model.exists():
        time.sleep(0.0005)


def varied(recipe: Recipe, **update: Any) -> Recipe:
    return Recipe.model_validate(recipe.model_copy(update=update).model_dump())


def history(out: Outputs) -> list[dict[str, str]]:
    with out.history.open(newline="") as file:
        return list(csv.DictReader(file))


def bits(out: Outputs) -> tuple[bytes, bytes]:
    return out.model.read_bytes(), out.history.read_bytes()


def parameters(out: Outputs) -> Tensor:
    """All parameters of a checkpoint as one vector."""
    return torch.cat([p.detach().flatten() for p in load_checkpoint(out.model).model.parameters()])


def write_pack(folder: Path, name: str, about: dict[str, Any], images: np.ndarray, labels: np.ndarray) -> Path:
    """Write a pack with these pixels and the class table of another pack's `about`."""
    count, height, width = labels.shape
    np.save(folder / f"{name}.images.npy", images)
    np.save(folder / f"{name}.labels.npy", labels)
    sizes = {"images": count, "height": height, "width": width, "names": [f"{name}_{i}" for i in range(count)]}
    (folder / f"{name}.json").write_text(json.dumps(about | sizes))
    return folder / f"{name}.json"


def write_colours(folder: Path, about: dict[str, Any], wrong: int) -> tuple[Path, Path]:
    """Packs (train, val) of 12 images 32x32 of one class and colour each; in val, `wrong` labels are wrong."""
    generator = np.random.default_rng(0)
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])
    truth = np.arange(12) % 3
    images = colours[truth][:, None, None] + generator.integers(-30, 30, (12, 32, 32, 3))
    labels = np.where(np.arange(12) < wrong, (truth + 1) % 3, truth)
    packs = (
        write_pack(
            folder,
            name,
            about,
            images.astype(np.uint8),
            ids.astype(np.uint8)[:, None, None].repeat(32, 1).repeat(32, 2),
        )
        for name, ids in {"train": truth, "val": labels}.items()
    )
    return tuple(packs)
