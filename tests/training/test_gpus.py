"""A GPU of its own for every training, by locks of real processes; that there are four GPUs is feigned."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainings import TrainingForkServer, arguments, varied

from seg.config.recipe import Model, Recipe
from seg.system import gpus

# Four GPUs that compute as the CPU does.
_FEIGNED = """
import torch
from seg.system import gpus, machine
from seg.system.console import say

def gpu(index):
    say(f"on GPU {index}")
    torch.cuda.is_available = lambda: False
    return torch.device("cpu")

gpus.visible = lambda: [f"feigned-{index}" for index in range(4)]
torch.cuda.is_available = lambda: True
machine.gpu = gpu
"""


class Machine:
    """A machine with four GPUs on which trainings are started."""

    def __init__(self, forks: TrainingForkServer, folder: Path, recipe: Recipe, packs: Any) -> None:
        self.forks, self.folder, self.recipe, self.packs = forks, folder, recipe, packs
        self.processes: list[int] = []

    def start(self) -> int:
        """The number of a new training."""
        number = len(self.processes)
        given = [*arguments(self.folder / str(number), self.recipe, self.packs), "--device", "auto"]
        self.processes.append(self.forks.start(given, self.folder / f"{number}.log"))
        return number

    def said(self, number: int, pattern: str) -> str:
        """What a training says by this pattern, once it does."""
        log = self.folder / f"{number}.log"
        for _ in range(1200):
            if log.exists() and (found := re.search(pattern, log.read_text())):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} was never said: {log.read_text()}")


@pytest.fixture
def machine(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> Iterator[Machine]:
    recipe = varied(tiny_recipe, model=Model(name="u_lite"), epochs=10_000)
    with TrainingForkServer(_FEIGNED, {"TMPDIR": str(tmp_path)}) as forks:
        machine = Machine(forks, tmp_path, recipe, packs)
        yield machine
        for process in machine.processes:
            os.kill(process, signal.SIGKILL)


@pytest.mark.slow
def test_four_trainings_hold_four_gpus_and_a_killed_ones_is_free_again(machine: Machine) -> None:
    four = [machine.start() for _ in range(4)]
    held = [machine.said(number, r"on GPU (\d)") for number in four]
    assert sorted(held) == ["0", "1", "2", "3"]
    for number in four:
        machine.said(number, r"(epoch 1/10000) loss")
    fifth = machine.start()
    machine.said(fifth, r"(waiting for 1 of 4 GPUs: other trainings have them)")
    os.kill(machine.processes[2], signal.SIGKILL)
    assert machine.said(fifth, r"on GPU (\d)") == held[2]


def feign(monkeypatch: pytest.MonkeyPatch, folder: Path, *names: str) -> None:
    """This process sees these GPUs and holds none."""
    monkeypatch.setattr(gpus, "visible", lambda: list(names))
    monkeypatch.setattr(gpus, "_HELD", {})
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(folder))


def test_a_gpu_is_known_by_its_name_however_it_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As under CUDA_VISIBLE_DEVICES, which renumbers them."""
    feign(monkeypatch, tmp_path, "a", "b", "c")
    assert gpus.take(2) == [0, 1]
    first = gpus._HELD
    feign(monkeypatch, tmp_path, "b", "c")
    assert gpus.take() == [1]
    for handle in [*first.values(), *gpus._HELD.values()]:
        os.close(handle)


def test_another_user_can_lock_it_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whatever the umask of the one who had it first, who alone could read the file else."""
    feign(monkeypatch, tmp_path, "a")
    before = os.umask(0o077)
    try:
        gpus.take()
    finally:
        os.umask(before)
    assert (tmp_path / "seg-gpu-a.lock").stat().st_mode & 0o777 == 0o644
    os.close(gpus._HELD[0])


def test_who_has_one_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    feign(monkeypatch, tmp_path, "a", "b")
    assert gpus.take() == gpus.take() == [0]
    assert gpus.take(2) == [0, 1]
    for handle in gpus._HELD.values():
        os.close(handle)


def test_one_that_cannot_have_all_keeps_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Else two that want all would wait for each other for ever."""

    class Waited(BaseException):
        pass

    def wait(_: float) -> None:
        raise Waited

    feign(monkeypatch, tmp_path, "b")
    gpus.take()
    other = gpus._HELD
    feign(monkeypatch, tmp_path, "a", "b")
    monkeypatch.setattr(gpus.time, "sleep", wait)
    with pytest.raises(Waited):
        gpus.take(2)
    assert gpus._HELD == {}
    assert gpus.take() == [0]
    for handle in [*other.values(), *gpus._HELD.values()]:
        os.close(handle)


def test_more_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    feign(monkeypatch, tmp_path, "a")
    with pytest.raises(ValueError, match="2 GPUs are wanted, this process may use 1; lower `gpus` or run elsewhere"):
        gpus.take(2)
