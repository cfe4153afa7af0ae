"""Locks give each training its own GPU: real processes, four simulated GPUs."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from requirements import not_met
from trainings import TrainingForkServer, arguments, varied

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.system import gpus
from seg.system.machine import choose_device

# Simulates four GPUs with the CPU.
_SIMULATED = """
import torch
from seg.system import gpus, machine
from seg.system.console import say

def gpu(index):
    say(f"on GPU {index}")
    torch.cuda.is_available = lambda: False
    return torch.device("cpu")

gpus.visible = lambda: [f"simulated-{index}" for index in range(4)]
torch.cuda.is_available = lambda: True
machine.gpu = gpu
"""


class Machine:
    """A machine with four GPUs on which trainings are started."""

    def __init__(self, forks: TrainingForkServer, folder: Path, recipe: Recipe, packs: Any) -> None:
        self.forks, self.folder, self.recipe, self.packs = forks, folder, recipe, packs
        self.processes: list[int] = []

    def start(self) -> int:
        """Start a training; returns its number."""
        number = len(self.processes)
        given = [*arguments(self.folder / str(number), self.recipe, self.packs), "--device", "auto"]
        self.processes.append(self.forks.start(given, self.folder / f"{number}.log"))
        return number

    def wait_for(self, number: int, pattern: str) -> str:
        """First group of the pattern, once the log of a training matches it."""
        log = self.folder / f"{number}.log"
        for _ in range(1200):
            if log.exists() and (found := re.search(pattern, log.read_text())):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"{pattern!r} never appeared: {log.read_text()}")


@pytest.fixture
def machine(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> Iterator[Machine]:
    recipe = varied(tiny_recipe, model=make_model("u_lite"), epochs=10_000)
    with TrainingForkServer(_SIMULATED, {"TMPDIR": str(tmp_path)}) as forks:
        machine = Machine(forks, tmp_path, recipe, packs)
        yield machine
        for process in machine.processes:
            os.kill(process, signal.SIGKILL)


@pytest.mark.slow
def test_four_trainings_hold_four_gpus_and_a_killed_one_frees_its_gpu(machine: Machine) -> None:
    four = [machine.start() for _ in range(4)]
    held = [machine.wait_for(number, r"on GPU (\d)") for number in four]
    assert sorted(held) == ["0", "1", "2", "3"]
    for number in four:
        machine.wait_for(number, r"(epoch 1/10000) loss")
    fifth = machine.start()
    machine.wait_for(fifth, r"(waiting for 1 of 4 GPUs: other processes use them)")
    os.kill(machine.processes[2], signal.SIGKILL)
    assert machine.wait_for(fifth, r"on GPU (\d)") == held[2]


def simulate(monkeypatch: pytest.MonkeyPatch, directory: Path, *names: str) -> None:
    """Make this process see these GPUs and hold none."""
    monkeypatch.setattr(gpus, "visible", lambda: list(names))
    monkeypatch.setattr(gpus, "_HELD", {})
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(directory))


def test_a_gpu_is_known_by_its_name_however_it_is_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """CUDA_VISIBLE_DEVICES renumbers GPUs."""
    simulate(monkeypatch, tmp_path, "a", "b", "c")
    assert gpus.take(2) == [0, 1]
    first = gpus._HELD
    simulate(monkeypatch, tmp_path, "b", "c")
    assert gpus.take() == [1]
    for lock in [*first.values(), *gpus._HELD.values()]:
        lock.release()


def test_as_many_processes_as_allowed_share_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEG_TRAININGS_PER_GPU", "2")
    held = []
    for expected in ([0], [1], [0], [1]):  # free GPUs before shared ones
        simulate(monkeypatch, tmp_path, "a", "b")
        assert gpus.take() == expected
        held.append(gpus._HELD)
    simulate(monkeypatch, tmp_path, "a", "b")
    monkeypatch.setattr(gpus.time, "sleep", lambda seconds: held.pop(1)[1].release())
    assert gpus.take() == [1]
    for locks in [*held, gpus._HELD]:
        for lock in locks.values():
            lock.release()
    monkeypatch.setenv("SEG_TRAININGS_PER_GPU", "none")
    with pytest.raises(ValueError, match="SEG_TRAININGS_PER_GPU: got 'none', expected a number of at least 1"):
        gpus.take(2)


def test_a_gpu_is_chosen_by_its_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    simulate(monkeypatch, tmp_path, "a", "b")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)
    assert choose_device("cuda:1") == torch.device("cuda", 1)
    assert list(gpus._HELD) == [1]
    with pytest.raises(ValueError, match="--device cuda:2: this process may use cuda:0 to cuda:1"):
        choose_device("cuda:2")
    with pytest.raises(ValueError, match="--device cuda:x: got 'x', expected a number, as in cuda:1"):
        choose_device("cuda:x")
    gpus._HELD[1].release()


def test_a_slice_of_a_gpu_is_known_by_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of one GPU may have its UUID in torch's properties."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-5c89852c-d268-c3f3-1b07-005d5ae1dc3f,MIG-unused")
    assert gpus.visible() == ["MIG-5c89852c-d268-c3f3-1b07-005d5ae1dc3f"]


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_other_users_may_lock_whatever_the_umask(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, umask: int) -> None:
    simulate(monkeypatch, tmp_path, "a")
    before = os.umask(umask)
    try:
        gpus.take()
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    directory = tmp_path / "seg-gpu-locks"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o777  # without the sticky bit
    assert stat.S_IMODE((directory / "a.lock").stat().st_mode) == 0o666
    gpus._HELD[0].release()


def test_a_group_that_the_temporary_directory_passes_on_is_no_obstacle(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tmp_path.chmod(0o2777)
    simulate(monkeypatch, tmp_path, "a")
    assert gpus.take() == [0]
    assert stat.S_IMODE((tmp_path / "seg-gpu-locks").stat().st_mode) == 0o2777
    gpus._HELD[0].release()


# Takes one GPU as another user, prints its name, and holds it until it is killed.
_AS_USER = """
import os, sys, time
import torch, filelock
from seg.system import gpus

user, *names = sys.argv[1:]
os.setgroups([])
os.setgid(int(user))
os.setuid(int(user))
os.umask(0o077)
gpus.visible = lambda: names
print(names[gpus.take()[0]], flush=True)
time.sleep(600)
"""


@contextmanager
def user(number: int, directory: Path, *names: str) -> Iterator[subprocess.Popen[str]]:
    """A process of this user that takes a GPU, with `directory` as the temporary directory."""
    command = [sys.executable, "-c", _AS_USER, str(number), *names]
    environment = {**os.environ, "TMPDIR": str(directory)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        yield child
        child.kill()


@pytest.mark.slow
def test_two_users_share_the_gpus() -> None:
    """In a directory like /tmp: sticky and writable by all. Two users that are not root, with a strict umask."""
    if os.geteuid() != 0:
        not_met("requires root, to run processes as two users")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o1777)
        with user(1, directory, "a", "b") as first, user(65534, directory, "a", "b") as second:
            taken = {first.stdout.readline().strip(), second.stdout.readline().strip()}
            assert taken == {"a", "b"}
            with user(2, directory, "a", "b") as third:
                assert third.stderr.readline() == "waiting for 1 of 2 GPUs: other processes use them\n"
                first.kill()
                assert third.stdout.readline().strip() in taken
        assert {path.stat().st_uid for path in (directory / "seg-gpu-locks").iterdir()} <= {1, 65534}


@pytest.mark.parametrize("kind", ["link", "file", "private", "sticky"])
def test_a_lock_directory_that_is_not_shared_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    simulate(monkeypatch, tmp_path, "a")
    directory = tmp_path / "seg-gpu-locks"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "elsewhere").chmod(0o777)
        directory.symlink_to("elsewhere")
    elif kind == "file":
        directory.touch()
    else:
        directory.mkdir()
        directory.chmod({"private": 0o700, "sticky": 0o1777}[kind])
    with pytest.raises((ValueError, FileExistsError), match="seg-gpu-locks"):
        gpus.take()
    assert not list((tmp_path / "elsewhere").glob("*"))


def test_a_gpu_that_is_held_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    simulate(monkeypatch, tmp_path, "a", "b")
    assert gpus.take() == gpus.take() == [0]
    assert gpus.take(2) == [0, 1]
    for lock in gpus._HELD.values():
        lock.release()


def test_a_process_that_cannot_have_all_keeps_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise two processes that need all GPUs would wait for each other forever."""

    class Waited(BaseException):
        pass

    def wait(_: float) -> None:
        raise Waited

    simulate(monkeypatch, tmp_path, "b")
    gpus.take()
    other = gpus._HELD
    simulate(monkeypatch, tmp_path, "a", "b")
    monkeypatch.setattr(gpus.time, "sleep", wait)
    with pytest.raises(Waited):
        gpus.take(2)
    assert gpus._HELD == {}
    assert gpus.take() == [0]
    for lock in [*other.values(), *gpus._HELD.values()]:
        lock.release()


def test_more_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    simulate(monkeypatch, tmp_path, "a")
    message = "2 GPUs requested, this process may use 1; lower `gpus` or run elsewhere"
    with pytest.raises(ValueError, match=message):
        gpus.take(2)
