"""The training loop: learning rates, accumulated and clipped gradients, early stopping, precision."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from trainings import bits, fit, history, parameters, varied, write_colours

from seg.config.description import describe
from seg.config.recipe import EarlyStopping, Recipe, Schedule
from seg.data.pack import pack_split
from seg.data.pack_format import Pack
from seg.data.subset import choose_subset, class_pixels
from seg.models import build_model
from seg.models.checkpoint import load_checkpoint
from seg.training.train import Outputs

CALM = {"batch": 12, "lr": 0.002}  # every batch has all colours


def test_it_learns(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    easy = write_colours(tmp_path, Pack(packs.train).about, wrong=0)
    rows = history(fit(tmp_path, varied(tiny_recipe, **CALM, epochs=25), easy))
    assert float(rows[-1]["train_loss"]) < 0.2 * float(rows[0]["train_loss"])
    assert float(rows[-1]["val_pixel_accuracy"]) > 0.9
    assert float(rows[-1]["val_miou"]) > 0.8


def test_the_last_batch_may_be_one_image_at_a_lowest_resolution_of_1x1(
    tiny_recipe: Recipe, camvid_root: Path, tmp_path: Path
) -> None:
    for split in ("train", "val"):
        pack_split(camvid_root / "manifest.json", describe("camvid"), split, 32, 32, tmp_path / split)
    packs = (tmp_path / "train.json", tmp_path / "val.json")
    assert len(history(fit(tmp_path, varied(tiny_recipe, batch=11), packs))) == tiny_recipe.epochs  # 12 images


def test_the_learning_rate_falls_with_every_step(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    recipe = varied(tiny_recipe, schedule=Schedule(name="polynomial", power=1.0), lr=0.006)
    # Three steps per epoch; the history has the rates of the third and the sixth step.
    rates = [float(row["lr"]) for row in history(fit(tmp_path, recipe, packs))]
    assert rates == pytest.approx([0.006 * 4 / 6, 0.006 * 1 / 6])


@pytest.mark.parametrize("split", [(2, 2), (2, 4)], ids=str)
def test_accumulated_batches_equal_one_large_batch(
    tiny_recipe: Recipe, packs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, split: tuple[int, int]
) -> None:
    """Up to rounding, in a network without batch norm, whose statistics depend on the batch size.

    Images have unequal numbers of labelled pixels; there are 12, so the last step of 2 x 4 has four.
    """
    batch, accumulate = split
    monkeypatch.setattr(nn, "BatchNorm2d", lambda _: nn.Identity())
    plain = varied(tiny_recipe, optimizer="sgd", lr=0.05, momentum=0.9)
    parts = fit(tmp_path / "parts", varied(plain, batch=batch, accumulate=accumulate), packs)
    whole = fit(tmp_path / "whole", varied(plain, batch=batch * accumulate), packs)
    small = fit(tmp_path / "small", varied(plain, batch=batch), packs)
    distance = (parameters(parts) - parameters(whole)).abs().max()
    assert distance < 1e-5
    assert (parameters(parts) - parameters(small)).abs().max() > 100 * distance
    losses = [[float(row["train_loss"]) for row in history(out)] for out in (parts, whole)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)  # mean over pixels, mean over batches


def test_a_clipped_gradient_has_the_given_norm(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    recipe = varied(tiny_recipe, optimizer="sgd", momentum=0.0, lr=1.0, batch=12, epochs=1, clip_norm=0.01)
    torch.manual_seed(recipe.seed)
    start = torch.cat([p.detach().flatten() for p in build_model("fcn", 11, {}).parameters()])
    clipped, free = (
        (parameters(fit(tmp_path / name, run, packs)) - start).double()
        for name, run in {"clipped": recipe, "free": varied(recipe, clip_norm=None)}.items()
    )
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    assert free.norm() > 0.05
    assert (clipped @ free / (clipped.norm() * free.norm())).item() == pytest.approx(1, abs=1e-4)


@pytest.fixture
def misleading(packs: Any, tmp_path: Path) -> tuple[Path, Path]:
    """Packs with some wrong labels in val: the validation loss falls, then rises with the confidence of the network."""
    return write_colours(tmp_path, Pack(packs.train).about, wrong=3)


def same_state(one: Outputs, other: Outputs) -> bool:
    """Whether weights and batch-norm statistics have the same bits."""
    states = [load_checkpoint(out.model).model.state_dict() for out in (one, other)]
    return all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_early_stopping_restores_the_best_weights(
    tiny_recipe: Recipe, misleading: tuple[Path, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe = varied(tiny_recipe, **CALM, epochs=60, early_stopping=EarlyStopping(patience=3))
    out = fit(tmp_path / "stopped", recipe, misleading)
    losses = [float(row["val_loss"]) for row in history(out)]
    best = int(np.argmin(losses)) + 1
    assert 1 < best < len(losses) == best + 3 < 60
    assert json.loads(out.run.read_text())["scored_epoch"] == best
    assert f"stopped early: no lower validation loss than in epoch {best}\n" in capfd.readouterr().err
    to_the_best = fit(tmp_path / "best", varied(recipe, epochs=best, early_stopping=None), misleading)
    assert same_state(out, to_the_best)
    # Also if the patience is not exhausted; without early stopping the last weights are kept.
    longer = {"epochs": best + 2}
    patient = fit(tmp_path / "patient", varied(recipe, **longer), misleading)
    assert len(history(patient)) == best + 2
    assert same_state(patient, to_the_best)
    assert not same_state(
        fit(tmp_path / "last", varied(recipe, **longer, early_stopping=None), misleading), to_the_best
    )


def test_patience_counts_validations_not_epochs(
    tiny_recipe: Recipe, misleading: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe = varied(tiny_recipe, **CALM, epochs=60, validate_every=3, early_stopping=EarlyStopping(patience=2))
    rows = history(fit(tmp_path, recipe, misleading))
    losses = {int(row["epoch"]): float(row["val_loss"]) for row in rows if row["val_loss"]}
    assert len(rows) == min(losses, key=losses.__getitem__) + 6


def test_a_subset_of_the_images_is_trained_with_its_own_class_weights(
    tiny_recipe: Recipe, packs: Any, tmp_path: Path
) -> None:
    """As on a pack of these images alone, for every seed; a split with fewer images is used whole."""
    recipe = varied(tiny_recipe, loss="weighted_cross_entropy", epochs=1)
    limited = varied(recipe, train_images=5)
    about = Pack(packs.train).about
    chosen = choose_subset(about["names"], about["groups"], 5)
    part = Pack(packs.train, chosen)
    images, labels = part.read(np.arange(5))
    np.save(tmp_path / "part.images.npy", images)
    np.save(tmp_path / "part.labels.npy", labels)
    ids = np.zeros(len(about["ids"]), np.int64)
    ids[about["scored"]] = class_pixels(part)
    alone = about | {"images": 5, "names": part.names, "groups": [""] * 5, "id_pixels": ids.tolist()}
    (tmp_path / "part.json").write_text(json.dumps(alone))
    for seed in (0, 1):
        out = fit(tmp_path / f"limited{seed}", varied(limited, seed=seed), packs)
        other = fit(tmp_path / f"part{seed}", varied(recipe, seed=seed), (tmp_path / "part.json", packs.val))
        assert same_state(out, other)
    run = json.loads(out.run.read_text())
    assert (run["train_images"], run["steps"]) == (5, 2)
    whole = fit(tmp_path / "whole", varied(recipe, train_images=50), packs)
    assert json.loads(whole.run.read_text())["train_images"] == 12
    assert same_state(whole, fit(tmp_path / "all", recipe, packs))


def test_tf32_is_fp32_on_a_cpu_and_recorded_as_such(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    out = fit(tmp_path / "tf32", varied(tiny_recipe, precision="tf32", epochs=1), packs)
    plain = fit(tmp_path / "fp32", varied(tiny_recipe, epochs=1), packs)
    assert json.loads(out.run.read_text())["precision"] == load_checkpoint(out.model).about["precision"] == "fp32"
    assert torch.equal(parameters(out), parameters(plain))


def test_bf16_trains_and_is_recorded(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    out = fit(tmp_path / "bf16", varied(tiny_recipe, precision="bf16"), packs)
    plain = fit(tmp_path / "fp32", tiny_recipe, packs)
    assert json.loads(out.run.read_text())["precision"] == load_checkpoint(out.model).about["precision"] == "bf16"
    assert parameters(out).dtype == torch.float32
    assert bits(out)[1] != bits(plain)[1]
    first, other = (float(history(run)[0]["train_loss"]) for run in (out, plain))
    assert first == pytest.approx(other, rel=0.05)
