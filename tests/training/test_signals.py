"""Signals to a running training: it ends at once with the signal's exit code, and the next run has the same bits."""

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from trainings import TrainingForkServer, arguments, bits, fit, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Recipe

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# A test may run where some signals are ignored.
DEFAULT = "import signal\n" + "".join(f"signal.signal({number}, signal.default_int_handler)\n" for number in ENDING)


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return varied(tiny_recipe, model=make_model("u_lite"), epochs=4)


@pytest.fixture(scope="module")
def whole(recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """Outputs of an undisturbed training."""
    return bits(fit(tmp_path_factory.mktemp("signals") / "whole", recipe, packs))


@pytest.fixture(scope="module")
def server() -> Iterator[TrainingForkServer]:
    with TrainingForkServer(DEFAULT) as running:
        yield running


def stop(server: TrainingForkServer, given: list[str], log: Path, states: int, signals: list[int]) -> int:
    """Start a training, send signals once some states are saved, and return its exit code."""
    process, run = server.start(given, log), Path(given[given.index("--model") + 1]).parent
    while not any(run.glob(f"resume-*-{states:06}.safetensors")):
        time.sleep(0.001)
    for number in signals:
        os.kill(process, number)  # not reused yet: the process has not been waited for
        time.sleep(0.02)
    return os.waitstatus_to_exitcode(server.wait(process))


@pytest.mark.parametrize(("number", "states"), [(signal.SIGINT, 1), (signal.SIGTERM, 4), (signal.SIGHUP, 7)])
def test_the_next_run_has_the_same_bits(
    number: signal.Signals,
    states: int,
    server: TrainingForkServer,
    recipe: Recipe,
    packs: Any,
    whole: tuple[bytes, bytes],
    tmp_path: Path,
) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    given = [*arguments(run, recipe, packs), "--save-every", "0"]
    assert stop(server, given, log, states, [number]) == 128 + number
    found = re.fullmatch(r"interrupted; run again to continue from epoch (\d)", log.read_text().splitlines()[-1])
    assert found
    assert int(found[1]) in (1 + (states - 1) // 4, 1 + (states + 1) // 4)  # 4 states are saved in an epoch
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
    assert not outputs(run).model.exists()
    assert os.waitstatus_to_exitcode(server.wait(server.start(given, log))) == 0
    assert "resumed at epoch " in log.read_text()
    assert bits(outputs(run)) == whole


def test_signals_in_quick_succession_count_as_one(
    server: TrainingForkServer, recipe: Recipe, packs: Any, tmp_path: Path
) -> None:
    run, log = tmp_path / "run", tmp_path / "log"
    assert stop(server, arguments(run, recipe, packs), log, 1, [signal.SIGTERM, *ENDING, *ENDING]) == 143
    assert log.read_text().count("interrupted") == 1
    assert not [path for path in run.iterdir() if path.name.startswith(".")]
