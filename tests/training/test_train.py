"""Training as a stage: reproducibility, output files, refused input, memory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from trainings import bits, command, fit, history, outputs, varied, write_pack

from seg.config.description import describe
from seg.config.recipe import Augmentation, Recipe, Rotation, Schedule
from seg.data.loader import epoch_order, scaled
from seg.data.pack import pack_split
from seg.data.pack_format import Pack
from seg.metrics.confusion import confusion_matrix
from seg.metrics.scores import mean_iou, pixel_accuracy
from seg.models.checkpoint import load_checkpoint
from seg.results import HistoryRow, TrainingRun, read_history, read_result
from seg.training.losses import cross_entropy
from seg.training.outputs import Outputs
from seg.training.validation import accuracy_and_miou


@pytest.fixture(scope="module")
def augmented(tiny_recipe: Recipe) -> Recipe:
    return varied(tiny_recipe, augmentation=Augmentation(flip=0.5, rotation=Rotation(p=0.5, degrees=10.0)))


@pytest.fixture(scope="module")
def first(augmented: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    return fit(tmp_path_factory.mktemp("first"), augmented, packs)


def test_the_same_seed_gives_the_same_bits_in_another_process(
    first: Outputs, augmented: Recipe, packs: Any, tmp_path: Path
) -> None:
    done = command(tmp_path / "second", augmented, packs)
    assert done.returncode == 0, done.stderr
    assert bits(outputs(tmp_path / "second")) == bits(first)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_same_seed_gives_the_same_bits_with_workers(
    first: Outputs, augmented: Recipe, packs: Any, tmp_path: Path, workers: int
) -> None:
    torch.rand(99)  # random numbers drawn before do not matter
    assert bits(fit(tmp_path / "second", augmented, packs, workers)) == bits(first)


def test_another_seed_and_another_augmentation_differ(
    first: Outputs, augmented: Recipe, packs: Any, tmp_path: Path
) -> None:
    others = {"seed": varied(augmented, seed=1), "plain": varied(augmented, augmentation=Augmentation())}
    runs = [first, *(fit(tmp_path / name, other, packs) for name, other in others.items())]
    assert len({bits(run)[1] for run in runs}) == 3


def test_scores_of_a_confusion_matrix_equal_those_of_the_evaluation() -> None:
    """The fourth class is absent; a class that is only predicted counts."""
    generator = np.random.default_rng(0)
    for size in (1, 2, 11, 34):
        matrix = generator.integers(0, 1000, (size, size))
        matrix[2:3] = 0
        matrix[3:4] = matrix[:, 3:4] = 0
        assert accuracy_and_miou(matrix) == (pixel_accuracy(matrix), mean_iou(matrix))
    assert np.isnan(accuracy_and_miou(np.zeros((2, 2), np.int64))).all()


@pytest.fixture(scope="module")
def stepwise(tiny_recipe: Recipe) -> Recipe:
    schedule = Schedule(name="step", every=2, factor=0.5)
    return varied(tiny_recipe, epochs=5, validate_every=2, schedule=schedule, lr=0.004)


@pytest.fixture(scope="module")
def out(stepwise: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    return fit(tmp_path_factory.mktemp("written"), stepwise, packs)


def test_history_has_one_row_per_epoch(out: Outputs) -> None:
    rows = history(out)
    assert tuple(rows[0]) == (*HistoryRow._fields, "schema_version")
    assert [row.epoch for row in read_history(out.history)] == [1, 2, 3, 4, 5]
    assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5]
    assert [float(row["lr"]) for row in rows] == [0.004, 0.004, 0.002, 0.002, 0.001]
    assert all(float(row["train_loss"]) > 0 for row in rows)


def test_validated_are_every_second_epoch_and_the_last(out: Outputs) -> None:
    for name in ("val_loss", "val_pixel_accuracy", "val_miou"):
        assert [row["epoch"] for row in history(out) if row[name]] == ["2", "4", "5"]


def test_the_last_row_holds_the_scores_of_the_checkpoint(out: Outputs, packs: Any) -> None:
    data = Pack(packs.val)
    images, labels = data.read(np.arange(len(data)))
    with torch.inference_mode():
        logits = load_checkpoint(out.model).model(scaled(torch.from_numpy(images).permute(0, 3, 1, 2), "imagenet"))
    matrix = confusion_matrix(labels, logits.argmax(1).byte().numpy(), 11)
    row = history(out)[-1]
    assert float(row["val_loss"]) == pytest.approx(float(cross_entropy(logits, torch.from_numpy(labels))), rel=1e-5)
    assert float(row["val_pixel_accuracy"]) == pytest.approx(float(pixel_accuracy(matrix)), abs=1e-3)
    assert float(row["val_miou"]) == pytest.approx(float(mean_iou(matrix)), abs=1e-3)


def test_events_match_the_history(out: Outputs) -> None:
    events = EventAccumulator(str(out.events))
    events.Reload()
    assert set(events.Tags()["scalars"]) == set(HistoryRow._fields[1:])
    for name in HistoryRow._fields[1:]:
        written = {int(row["epoch"]): float(row[name]) for row in history(out) if row[name]}
        seen = {event.step: event.value for event in events.Scalars(name)}
        assert seen == pytest.approx(written, rel=1e-6)


def test_run_information_and_checkpoint_record_what_was_run(out: Outputs, stepwise: Recipe, packs: Any) -> None:
    run, checkpoint = json.loads(out.run.read_text()), load_checkpoint(out.model)
    assert read_result(TrainingRun, out.run, "train again").text() == out.run.read_text()
    assert checkpoint.recipe == stepwise
    assert run["recipe"] == stepwise.model_dump(mode="json")
    for about in (run, checkpoint.about):
        assert about["classes"] == Pack(packs.train).classes
        assert about["palette"] == Pack(packs.train).about["palette"]
        assert about["weights"] is None
        assert about["precision"] == "fp32"
        assert about["code"] == "0123"
        assert about["versions"]["torch"] == torch.__version__
    assert checkpoint.about["label_values"] == Pack(packs.train).about["label_values"] == list(range(11))
    assert checkpoint.about["eval_size"] == [48, 64]
    count = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    assert run["parameters"] == run["trainable_parameters"] == count
    assert (run["epochs"], run["device"]) == (5, "cpu")
    assert (run["scored_epoch"], run["train_images"], run["steps"]) == (5, 12, 15)
    assert 0 < run["seconds"] < 600
    assert run["images_per_second"] > 0
    assert run["peak_memory_bytes"] > 2**27


def test_only_the_last_state_is_left_beside_the_outputs(out: Outputs) -> None:
    (state,) = out.model.parent.glob("resume-*.safetensors")
    assert {path.name for path in out.model.parent.iterdir()} == {state.name, *(path.name for path in out)}


def test_a_second_run_replaces_the_first(stepwise: Recipe, packs: Any, tmp_path: Path) -> None:
    short = varied(stepwise, epochs=1, validate_every=1)
    out = fit(tmp_path, varied(short, seed=1), packs)
    again = bits(fit(tmp_path, short, packs))
    assert again == bits(fit(tmp_path / "fresh", short, packs))
    assert len(list(out.events.iterdir())) == 1


def test_a_loss_that_diverges_stops_the_job(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    done = command(tmp_path / "run", varied(tiny_recipe, lr=1e30), packs)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    names, order = Pack(packs.train).about["names"], epoch_order(12, 0, 0)
    step = next(k for k in range(3) if f"epoch 1, step {k + 1}, " in lines[0])
    assert "loss is " in lines[0]
    assert "at learning rate 1e+30, " in lines[0]
    assert f"images {', '.join(names[i] for i in order[4 * step : 4 * step + 4])}; lower lr" in lines[0]
    assert not [path for path in (tmp_path / "run").glob("*") if path.is_file()]


def test_a_failed_run_leaves_what_was_there(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    before = bits(fit(tmp_path, varied(tiny_recipe, epochs=1), packs))
    with pytest.raises(ValueError, match="loss is "):
        fit(tmp_path, varied(tiny_recipe, lr=1e30), packs)
    assert bits(outputs(tmp_path)) == before


def test_packs_of_two_datasets_are_refused(
    tiny_recipe: Recipe, packs: Any, cityscapes_root: Path, tmp_path: Path
) -> None:
    pack_split(cityscapes_root / "manifest.json", describe("cityscapes"), "val", 48, 64, tmp_path / "val")
    with pytest.raises(ValueError, match="have different classes; use packs of the same dataset"):
        fit(tmp_path / "run", tiny_recipe, (packs.train, tmp_path / "val.json"))
    assert not (tmp_path / "run").exists()


def test_an_invalid_recipe_is_refused_in_one_line(packs: Any, tmp_path: Path, tiny_recipe: Recipe) -> None:
    done = command(tmp_path / "run", tiny_recipe, packs, "--recipe", "{")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: --recipe: not JSON (")
    assert not (tmp_path / "run").exists()


def test_a_full_disk_leaves_no_half_file(tiny_recipe: Recipe, packs: Any, small_disk: Path, tmp_path: Path) -> None:
    done = command(small_disk / "run", varied(tiny_recipe, epochs=1), packs, "--events", str(tmp_path / "events"))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr.splitlines()[-1]
    assert not list((small_disk / "run").iterdir())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    """2,000 images of 64x64 have 30 MiB more pixels than 100; both runs take 100 steps, as early steps fill caches."""
    generator = np.random.default_rng(0)
    about = Pack(packs.train).about
    peaks = {}
    for count, epochs in ((100, 20), (2000, 1)):
        recipe = varied(tiny_recipe, epochs=epochs, validate_every=epochs, batch=20)
        images = generator.integers(0, 256, (count, 64, 64, 3), np.uint8)
        labels = generator.integers(0, 11, (count, 64, 64), np.uint8)
        path = write_pack(tmp_path, f"of{count}", about, images, labels)
        done = command(tmp_path / f"run{count}", recipe, (path, packs.val), "--workers", "1")
        assert done.returncode == 0, done.stderr
        peaks[count] = json.loads(outputs(tmp_path / f"run{count}").run.read_text())["peak_memory_bytes"]
    assert peaks[2000] - peaks[100] < 15 * 2**20
