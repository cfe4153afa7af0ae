"""When states of a training are saved: after some time, when a signal ends it, and at the end."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import bits, command, fit, history, varied

from seg.config.architectures import make_model
from seg.config.recipe import EarlyStopping, Recipe
from seg.system.signals import Interrupted
from seg.training import resume
from seg.training import train as training
from seg.training.resume import ResumeStore, TrainState
from seg.training.step import TrainStep

pytestmark = pytest.mark.usefixtures("default_signals")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
VARIED = {
    "adam": {},
    "dropout": {"model": make_model("fcn", dropout=True), "lr": 0.02},
    "stopping": {"early_stopping": EarlyStopping(patience=1), "lr": 0.05, "epochs": 6},
}


@pytest.fixture(scope="module")
def small(tiny_recipe: Recipe) -> Recipe:
    """Two epochs of three steps with the smallest network."""
    return varied(tiny_recipe, model=make_model("u_lite"))


class Clock:
    """Seconds that pass only where a test says so, in place of the module `time`."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class Watched:
    """What trainings do from now on; steps and saving take the given seconds on the clock of the states.

    Attributes:
        saved: finished epochs and steps of each state.
        steps, validations: their numbers.
        signalled: "step" or "validation", in place of whose call of this number, from 0, a signal arrives first.
    """

    def __init__(self, patch: pytest.MonkeyPatch, step_seconds: float = 0, save_seconds: float = 0) -> None:
        self.saved: list[tuple[int, int]] = []
        self.steps = self.validations = 0
        self.signalled: tuple[str, int] | None = None
        clock, call, validate = Clock(), TrainStep.__call__, training.validate
        save, write = ResumeStore.save, resume.write_tensors

        def stepped(step: TrainStep, batches: Any, lr: float) -> torch.Tensor:
            self._signal("step", self.steps)
            self.steps += 1
            clock.now += step_seconds
            return call(step, batches, lr)

        def validated(*given: Any) -> tuple[float, float, float]:
            self._signal("validation", self.validations)
            self.validations += 1
            return validate(*given)

        def saving(store: ResumeStore, state: TrainState, step: TrainStep) -> None:
            self.saved.append((state.epoch, state.step))
            save(store, state, step)

        def written(*given: Any) -> None:
            clock.now += save_seconds
            write(*given)

        patch.setattr(resume, "time", clock)
        patch.setattr(resume, "write_tensors", written)
        patch.setattr(TrainStep, "__call__", stepped)
        patch.setattr(training, "validate", validated)
        patch.setattr(ResumeStore, "save", saving)

    def _signal(self, what: str, number: int) -> None:
        if (what, number) == self.signalled:
            self.signalled = None
            signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize(
    ("step_seconds", "save_seconds", "saved"),
    [
        (1, 0, [(4, 0)]),
        (90, 0, [(0, 2), (1, 1), (1, 3), (2, 2), (3, 1), (3, 3), (4, 0)]),  # every 180 seconds
        (90, 12, [(0, 2), (2, 1), (3, 3), (4, 0)]),  # every 400 seconds, of which 12 are 3%
        (360, 0, [(epoch, step) for epoch in range(4) for step in (1, 2, 3)] + [(4, 0)]),
    ],
)
def test_a_state_is_saved_when_due_and_at_the_end(
    small: Recipe,
    packs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    step_seconds: float,
    save_seconds: float,
    saved: list[tuple[int, int]],
) -> None:
    watched = Watched(monkeypatch, step_seconds, save_seconds)
    fit(tmp_path, varied(small, epochs=4), packs)
    assert watched.saved == saved


def test_a_training_that_stops_early_saves_its_last_state(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched(monkeypatch)
    out = fit(tmp_path, varied(small, **VARIED["stopping"]), packs)
    assert watched.saved == [(len(history(out)), 0)]


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
@pytest.mark.parametrize(
    ("moment", "saved"),
    [(("step", 0), (0, 1)), (("step", 4), (1, 2)), (("validation", 0), (0, 3)), (("validation", 1), (1, 3))],
    ids=str,
)
def test_a_signal_saves_what_is_finished(
    small: Recipe,
    packs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: Any,
    moment: tuple[str, int],
    saved: tuple[int, int],
) -> None:
    """No step and no validation is computed twice, and the bits are those of the undisturbed training."""
    recipe = varied(small, **changes)
    watched = Watched(monkeypatch)
    whole = fit(tmp_path / "whole", recipe, packs)
    once = watched.steps, watched.validations
    watched = Watched(monkeypatch)
    watched.signalled = moment
    with pytest.raises(Interrupted, match=f"^interrupted; run again to continue from epoch {saved[0] + 1}$"):
        fit(tmp_path / "stopped", recipe, packs)
    assert watched.saved == [saved]
    assert bits(fit(tmp_path / "stopped", recipe, packs)) == bits(whole)
    assert (watched.steps, watched.validations) == once


@pytest.mark.parametrize(("seconds", "number"), [(9.0, signal.SIGINT), (11.0, signal.SIGTERM)])
def test_a_signal_while_another_one_waits(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, number: signal.Signals
) -> None:
    """After ten seconds it ends the training at once: a step that reads from a hung disk never ends."""
    watched, clock, call = Watched(monkeypatch), Clock(), TrainStep.__call__
    monkeypatch.setattr("seg.system.signals.time", clock)

    def hanging(*given: Any) -> torch.Tensor:
        signal.raise_signal(signal.SIGINT)
        clock.now += seconds
        signal.raise_signal(signal.SIGTERM)
        return call(*given)

    monkeypatch.setattr(TrainStep, "__call__", hanging)
    with pytest.raises(Interrupted) as ending:
        fit(tmp_path, small, packs)
    assert ending.value.number == number
    assert watched.saved == ([(0, 1)] if number == signal.SIGINT else [])


@pytest.mark.parametrize("text", ["often", "-1", "nan", "inf"])
def test_other_intervals_are_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEG_SAVE_SECONDS", text)
    expected = f"got '{text}', expected a number of seconds of at least 0"
    for option, name in {None: "SEG_SAVE_SECONDS", text: "--save-every"}.items():
        with pytest.raises(ValueError, match=re.escape(f"{name}: {expected}")):
            resume.save_seconds(option)


def test_the_environment_sets_the_interval(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resume.save_seconds(None) == 180
    monkeypatch.setenv("SEG_SAVE_SECONDS", "0.5")
    assert resume.save_seconds(None) == 0.5
    assert resume.save_seconds("0") == 0
    monkeypatch.setenv("SEG_SAVE_SECONDS", "often")
    done = command(tmp_path / "run", small, packs)
    assert done.returncode == 2
    assert done.stderr == "error: SEG_SAVE_SECONDS: got 'often', expected a number of seconds of at least 0\n"
    assert not (tmp_path / "run").exists()
