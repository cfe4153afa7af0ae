"""TensorBoard events, read back: recipe, augmented samples, predictions; the same after an interruption."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, SCALARS, EventAccumulator
from torch.utils.tensorboard import SummaryWriter
from trainings import bits, fit, varied

from seg.config.recipe import Augmentation, Recipe
from seg.data.pack_format import Pack
from seg.data.sheets import augmentation_sheet, prediction_sheet
from seg.results import HistoryRow
from seg.training.events import Events, shown_after
from seg.training.outputs import Outputs


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Recipe) -> Recipe:
    return varied(tiny_recipe, augmentation=Augmentation(flip=1.0))


@pytest.fixture(scope="module")
def out(recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Outputs:
    return fit(tmp_path_factory.mktemp("run"), recipe, packs)


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), {IMAGES: 0, SCALARS: 0})
    events.Reload()
    return events


def pictures(events: EventAccumulator, tag: str) -> dict[int, np.ndarray]:
    found = [(image.step, image.encoded_image_string) for image in events.Images(tag)]
    assert len({step for step, _ in found}) == len(found)
    return {step: np.asarray(Image.open(io.BytesIO(content))) for step, content in found}


def test_the_recipe_is_text(out: Outputs, recipe: Recipe) -> None:
    (event,) = read(out.events).Tensors("recipe/text_summary")
    lines = event.tensor_proto.string_val[0].decode().splitlines()
    assert all(line.startswith("    ") for line in lines)
    assert json.loads("\n".join(lines)) == recipe.model_dump(mode="json")


def test_samples_before_and_after_augmentation(out: Outputs, packs: Any) -> None:
    """All images are flipped, so every second row is the mirror image of the one above."""
    (sheet,) = pictures(read(out.events), "augmentation").values()
    count, height, width = 12, 48, 64
    assert sheet.shape == (4 * (height + 4) - 4, 8 * (width + 4) - 4, 3)
    for i in range(count):
        top, left = i // 8 * 2 * (height + 4), i % 8 * (width + 4)
        plain, flipped = (sheet[y : y + height, left : left + width] for y in (top, top + height + 4))
        assert np.array_equal(plain[:, ::-1], flipped)
    assert np.array_equal(sheet, augmentation_sheet(Pack(packs.train), Augmentation(flip=1.0), 0, width))


def test_predictions_are_those_of_the_validation(out: Outputs, packs: Any) -> None:
    found = pictures(read(out.events), "predictions")
    assert list(found) == [1, 2]
    data = Pack(packs.val)
    sheet = found[2]
    assert sheet.shape == (4 * 52 - 4, 3 * 68 - 4, 3)
    _, labels = data.read(np.array([0]))
    colours = np.zeros((256, 3), np.uint8)
    colours[:11] = data.about["palette"]
    assert np.array_equal(sheet[:48, 68 : 68 + 64], colours[labels[0]])
    drawn = sheet[:48, 136 : 136 + 64].reshape(-1, 3)
    assert {tuple(colour) for colour in drawn.tolist()} <= {tuple(colour) for colour in data.about["palette"]}


def test_files_are_small(out: Outputs) -> None:
    assert sum(file.stat().st_size for file in out.events.iterdir()) < 1_000_000


@pytest.mark.parametrize(("epochs", "every", "count"), [(1, 1, 1), (10, 1, 10), (500, 1, 10), (500, 5, 10), (7, 3, 2)])
def test_predictions_are_written_a_few_times(tiny_recipe: Recipe, epochs: int, every: int, count: int) -> None:
    recipe = varied(tiny_recipe, epochs=epochs, validate_every=every)
    validated = [epoch for epoch in range(1, epochs + 1) if epoch % every == 0]
    assert sum(shown_after(epoch, recipe) for epoch in validated) == count


def test_a_resumed_training_has_each_step_once(tmp_path: Path, recipe: Recipe, packs: Any) -> None:
    """Interrupted in epoch 3, whose state was not saved, with a last event that is cut off."""
    pack, rows = Pack(packs.val), [HistoryRow(epoch, 0.1, 1.0 / epoch, 2.0, 0.5, 0.25) for epoch in (1, 2, 3)]
    recipe = varied(recipe, epochs=10)
    drawn = {0: pack.read_labels(np.array([0]))[0]}
    with Events(tmp_path, recipe) as events:
        events.start(Pack(packs.train), [])
        for row in rows:
            events.epoch(row, pack, drawn)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() + b"\x18\x00\x00\x00cut")
    with Events(tmp_path, recipe) as events:
        events.start(Pack(packs.train), rows[:2])
        events.epoch(rows[2], pack, {})
        events.epoch(HistoryRow(4, 0.1, 0.2), pack, {})
    assert len(list(tmp_path.iterdir())) == 1
    found = read(tmp_path)
    assert [event.step for event in found.Scalars("train_loss")] == [1, 2, 3, 4]
    assert list(pictures(found, "augmentation")) == [0]
    kept = pictures(found, "predictions")
    assert list(kept) == [1, 2]
    assert np.array_equal(kept[1], prediction_sheet(pack, drawn, 64))


def test_events_change_no_bit(out: Outputs, recipe: Recipe, packs: Any, tmp_path: Path, monkeypatch: Any) -> None:
    """Neither the weights nor the random numbers of a training depend on what is written."""
    monkeypatch.setattr(Events, "start", lambda *_: None)
    monkeypatch.setattr("seg.training.train.PREDICTED", 0)
    assert bits(fit(tmp_path, recipe, packs)) == bits(out)


def test_drawing_takes_no_random_number(recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with Events(tmp_path, recipe) as events:
        events.start(Pack(packs.train), [])
    assert torch.equal(torch.rand(2), expected)


def test_a_directory_of_other_events_is_read(tmp_path: Path, recipe: Recipe, packs: Any) -> None:
    with SummaryWriter(str(tmp_path)) as writer:  # of an earlier version: scalars only
        writer.add_scalar("train_loss", 1.0, 1)
    with Events(tmp_path, recipe) as events:
        events.start(Pack(packs.train), [])
    assert read(tmp_path).Tags()["scalars"] == []
