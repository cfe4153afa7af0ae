"""An interrupted training continues where it stopped and ends with the bits of an uninterrupted one."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainings import bits, command, fit, killed_at_random, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Augmentation, EarlyStopping, Recipe, Rotation, Schedule
from seg.system.files import lock_directory
from seg.training import train as training
from seg.training.outputs import Outputs
from seg.training.step import TrainStep
from seg.training.train import train

VARIED = {
    "adam": {"augmentation": Augmentation(flip=0.5, rotation=Rotation(p=0.5, degrees=10.0))},
    "momentum": {"optimizer": "sgd", "lr": 0.05, "schedule": Schedule(name="cosine"), "weight_decay": 1e-4},
    "accumulated": {"batch": 2, "accumulate": 2, "optimizer": "adamw", "clip_norm": 1.0},
    "subset": {"train_images": 9, "loss": "weighted_cross_entropy"},
    "dropout": {"model": make_model("fcn", dropout=True), "lr": 0.02},
    "stopping": {"early_stopping": EarlyStopping(patience=1), "lr": 0.05, "epochs": 6},
    "plain": {"optimizer": "sgd", "lr": 0.05, "momentum": 0.0},
    "dice": {"loss": "dice", "validate_every": 2, "precision": "bf16"},
}


@pytest.fixture(scope="module")
def small(tiny_recipe: Recipe) -> Recipe:
    """Recipe with the smallest network."""
    return varied(tiny_recipe, model=make_model("u_lite"))


class Killed(BaseException):
    """Simulates SIGKILL within this process: nothing catches it."""


def stopped(folder: Path, recipe: Recipe, packs: Any, steps: int, monkeypatch: pytest.MonkeyPatch) -> Outputs:
    """Train into a directory and stop after `steps` steps; a state is saved after every step."""
    left = iter(range(steps))
    original = TrainStep.__call__

    def counted(self: TrainStep, batches: Any, lr: float) -> torch.Tensor:
        if next(left, None) is None:
            raise Killed
        return original(self, batches, lr)

    with monkeypatch.context() as patch:
        patch.setattr(TrainStep, "__call__", counted)
        with pytest.raises(Killed):
            run(folder, recipe, packs)
    return outputs(folder)


def run(folder: Path, recipe: Recipe, packs: Any) -> Outputs:
    train(recipe, packs[0], packs[1], None, outputs(folder), torch.device("cpu"), 0, "0123", save_every=0.0)
    return outputs(folder)


def states(folder: Path) -> list[Path]:
    return sorted(folder.glob("resume-*.safetensors"))


@pytest.mark.parametrize("changes", VARIED.values(), ids=VARIED)
@pytest.mark.parametrize("steps", [1, 3, 5])
def test_the_bits_are_those_of_the_undisturbed_run(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, steps: int
) -> None:
    recipe = varied(small, **changes)
    stopped(tmp_path / "killed", recipe, packs, steps, monkeypatch)
    torch.rand(7)  # random numbers drawn in between do not matter
    assert bits(run(tmp_path / "killed", recipe, packs)) == bits(fit(tmp_path / "whole", recipe, packs))


def test_it_resumes_at_the_step_where_it_stopped(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stopped(tmp_path, small, packs, 4, monkeypatch)  # of 3 per epoch
    capfd.readouterr()
    run(tmp_path, small, packs)
    printed = capfd.readouterr().err
    assert "resumed at epoch 2, after step 1 of 3\n" in printed
    assert re.findall(r"epoch (\d)/2 loss", printed) == ["2"]


def test_a_kill_in_the_validation_trains_nothing_twice(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(training, "validate", killed)
        with pytest.raises(Killed):
            run(tmp_path / "killed", small, packs)
    whole = fit(tmp_path / "whole", small, packs)
    capfd.readouterr()
    assert bits(run(tmp_path / "killed", small, packs)) == bits(whole)
    assert "resumed at epoch 1, after step 3 of 3\nepoch 1/2 loss" in capfd.readouterr().err


@pytest.mark.parametrize("changes", [{}, VARIED["stopping"]], ids=["whole", "stopped early"])
@pytest.mark.parametrize("error", [Killed, OSError("no space left on device")])
def test_a_stop_before_the_outputs_are_written_trains_nothing_twice(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: Any, error: Any
) -> None:
    def fails(*_: Any) -> None:
        raise error

    recipe = varied(small, **changes)
    with monkeypatch.context() as patch:
        patch.setattr(training, "write_outputs", fails)
        with pytest.raises((Killed, OSError)):
            run(tmp_path / "killed", recipe, packs)
    whole = fit(tmp_path / "whole", recipe, packs)
    monkeypatch.setattr(TrainStep, "__call__", fails)
    assert bits(run(tmp_path / "killed", recipe, packs)) == bits(whole)


def test_best_weights_from_before_the_kill_are_restored(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = varied(small, **VARIED["stopping"])
    whole = fit(tmp_path / "whole", recipe, packs)
    last = len(whole.history.read_text().splitlines()) - 1
    stopped(tmp_path / "killed", recipe, packs, 3 * last - 1, monkeypatch)
    assert any(name.startswith("best.") for name in load_file(states(tmp_path / "killed")[-1]))
    assert bits(run(tmp_path / "killed", recipe, packs)) == bits(whole)


def test_two_states_are_kept_and_one_at_the_end(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(tmp_path, small, packs, 5, monkeypatch)
    assert len(states(tmp_path)) == 2
    stopped(tmp_path, varied(small, seed=1), packs, 2, monkeypatch)
    assert len(states(tmp_path)) == 4
    out = run(tmp_path, small, packs)
    (last,) = states(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {last.name, *(path.name for path in out)}


def test_outputs_that_were_deleted_after_the_end_are_written_again(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = bits(run(tmp_path, small, packs))
    for path in outputs(tmp_path)[:3]:  # as Snakemake does with those that it has not recorded
        path.unlink()
    monkeypatch.setattr(TrainStep, "__call__", None)
    assert bits(run(tmp_path, small, packs)) == whole
    assert "resumed after the last epoch\n" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"lr": 0.004, "epochs": 3}, "epochs was 2, is 3; lr was 0.005, is 0.004"),
        ({"precision": "bf16"}, "precision was fp32, is bf16; the resolved precision was fp32, is bf16"),
    ],
)
def test_another_recipe_does_not_resume_from_it(
    small: Recipe,
    packs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    other: Any,
    why: str,
) -> None:
    stopped(tmp_path / "killed", small, packs, 4, monkeypatch)
    last = states(tmp_path / "killed")[-1].name
    recipe = varied(small, **other)
    assert bits(run(tmp_path / "killed", recipe, packs)) == bits(fit(tmp_path / "whole", recipe, packs))
    assert f"starts at epoch 1, not from {last}: saved in epoch 2, {why}\n" in capfd.readouterr().err


def test_a_state_of_another_format_is_not_read(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stopped(tmp_path / "killed", small, packs, 4, monkeypatch)
    monkeypatch.setattr("seg.training.run_identity.STATE_VERSION", 3)
    assert bits(run(tmp_path / "killed", small, packs)) == bits(fit(tmp_path / "whole", small, packs))
    printed = capfd.readouterr().err
    assert "resumed" not in printed
    assert "saved in epoch 2, the format of saved states was 2, is 3\n" in printed


def test_other_data_does_not_resume_from_it(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    stopped(tmp_path / "killed", small, packs, 4, monkeypatch)
    swapped = (packs.val, packs.train)
    assert bits(run(tmp_path / "killed", small, swapped)) == bits(fit(tmp_path / "whole", small, swapped))
    assert "saved in epoch 2, the training pack differs; the validation pack differs\n" in capfd.readouterr().err


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_a_damaged_state_is_renamed_and_the_one_before_it_used(
    small: Recipe,
    packs: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    damage: str,
) -> None:
    stopped(tmp_path / "killed", small, packs, 4, monkeypatch)
    last = states(tmp_path / "killed")[-1]
    content = bytearray(last.read_bytes())
    content[-100] ^= 1  # one bit of a tensor
    last.write_bytes({"empty": b"", "cut": bytes(content[:-7]), "flipped": bytes(content)}[damage])
    capfd.readouterr()
    out = run(tmp_path / "killed", small, packs)
    printed = capfd.readouterr().err
    assert re.search(rf"{last.name}: .*damaged.*; renamed to {last.name}\.damaged\n", printed)
    assert "resumed at epoch 2, after step 0 of 3\n" in printed
    assert bits(out) == bits(fit(tmp_path / "whole", small, packs))


def test_without_an_undamaged_state_it_starts_over(
    small: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(tmp_path / "killed", small, packs, 4, monkeypatch)
    for state in states(tmp_path / "killed"):
        state.write_bytes(b"")
    assert bits(run(tmp_path / "killed", small, packs)) == bits(fit(tmp_path / "whole", small, packs))


@pytest.mark.parametrize("small_disk", ["24m"], indirect=True)  # enough for two states, not for three
def test_a_full_disk_during_a_save_keeps_the_states_before(
    small: Recipe, packs: Any, tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped(tmp_path / "killed", small, packs, 2, monkeypatch)
    shutil.copytree(tmp_path / "killed", small_disk / "run")
    kept = [state.read_bytes() for state in states(small_disk / "run")]
    done = command(small_disk / "run", small, packs, "--events", str(tmp_path / "events"), "--save-every", "0")
    assert done.returncode == 2, done.stderr
    assert "No space left on device; free some space" in done.stderr.splitlines()[-1]
    assert [state.read_bytes() for state in states(small_disk / "run")] == kept
    whole = fit(tmp_path / "whole", small, packs)
    shutil.copytree(small_disk / "run", tmp_path / "roomy")
    assert bits(run(tmp_path / "roomy", small, packs)) == bits(whole)


def test_two_trainings_do_not_write_into_one_directory(small: Recipe, packs: Any, tmp_path: Path) -> None:
    with lock_directory(tmp_path / "run"):
        done = command(tmp_path / "run", small, packs)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: {tmp_path / 'run'}: another process writes here; wait for it or stop it, then run again"
    )
    assert command(tmp_path / "run", small, packs).returncode == 0


def test_a_directory_that_cannot_be_written_is_reported_in_one_line(small: Recipe, packs: Any, tmp_path: Path) -> None:
    (tmp_path / "results").touch()  # root may write anywhere, but not into a file
    done = command(tmp_path / "results" / "run", small, packs)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_twenty_trainings_killed_at_random_moments(small: Recipe, packs: Any, tmp_path: Path) -> None:
    """Real processes and SIGKILL; a third of them are killed while a state is being written."""
    recipe = varied(small, epochs=3)
    whole = bits(fit(tmp_path / "whole", recipe, packs))
    kills = killed_at_random(tmp_path / "killed", recipe, packs, trainings=20)
    assert len(kills) == 20
    assert all(kill.bits == whole for kill in kills)
    assert sum(kill.while_saving for kill in kills) >= 5
    assert sum(kill.before_the_end for kill in kills) >= 15
    for kill in kills:  # over both processes
        # An epoch is printed before its state is saved: a kill in between repeats its validation, never its steps.
        validated_again = r"epoch (\d)/3 loss.*\n(?=resumed at epoch \1, after step 3 of 3\n)"
        epochs = re.findall(r"epoch (\d)/3 loss", re.sub(validated_again, "", kill.output))
        assert epochs == sorted(set(epochs)), kill.output
