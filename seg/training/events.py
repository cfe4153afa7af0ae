"""TensorBoard events of a training: scalars of every epoch, the recipe, augmented samples, a few predictions.

They never affect a result: predictions are those of the validation, samples are drawn by a loader of their own.
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import IMAGES, EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from seg.config.recipe import Recipe
from seg.data.pack_format import Pack
from seg.data.sheets import augmentation_sheet, prediction_sheet
from seg.results import HistoryRow
from seg.training.distributed import is_main

PREDICTED = 4  # validation images whose predictions are shown
_SHEETS = 10  # at most, of predictions
_WIDTH = 128  # of a picture in a sheet, pixels
_PREDICTIONS = "predictions"


class Events:
    """Writer of the events of a training; writes nothing outside the main process.

    Args:
        directory: of the event files. Those of an earlier, interrupted training are replaced, because TensorBoard shows
            all of a directory; their predictions are kept.
        recipe: of the training.
    """

    def __init__(self, directory: Path, recipe: Recipe) -> None:
        self._recipe = recipe
        self._writer = None
        self._predictions: list[tuple[int, np.ndarray]] = []  # epoch and sheet
        self._replaced: list[Path] = []
        if is_main():
            self._predictions = _earlier_predictions(directory)
            self._replaced = list(directory.glob("events.out.tfevents.*"))
            self._writer = SummaryWriter(str(directory))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        if self._writer:
            self._writer.close()

    def start(self, train_pack: Pack, history: Sequence[HistoryRow]) -> None:
        """Write the recipe, samples of the training, and the epochs before it was interrupted."""
        if not self._writer:
            return
        text = json.dumps(self._recipe.model_dump(mode="json"), indent=2)
        self._writer.add_text("recipe", "\n".join(f"    {line}" for line in text.splitlines()))  # a block of code
        width = min(_WIDTH, train_pack.width)
        sheet = augmentation_sheet(train_pack, self._recipe.augmentation, self._recipe.seed, width)
        self._writer.add_image("augmentation", sheet, 0, dataformats="HWC")
        for row in history:
            self._add_scalars(row)
        for epoch, earlier in self._predictions:
            if epoch <= len(history):
                self._writer.add_image(_PREDICTIONS, earlier, epoch, dataformats="HWC")
        self._writer.flush()
        for file in self._replaced:
            file.unlink()

    def epoch(self, row: HistoryRow, val_pack: Pack, predictions: dict[int, np.ndarray]) -> None:
        """Write the values of an epoch, and the predictions (H, W) by position of the image after some epochs."""
        if not self._writer:
            return
        self._add_scalars(row)
        if predictions and (shown_after(row.epoch, self._recipe) or row.epoch == self._recipe.epochs):
            sheet = prediction_sheet(val_pack, predictions, min(_WIDTH, val_pack.width))
            self._writer.add_image(_PREDICTIONS, sheet, row.epoch, dataformats="HWC")
        self._writer.flush()  # a killed training resumes with its pictures

    def _add_scalars(self, row: HistoryRow) -> None:
        if self._writer:
            for name, value in row._asdict().items():
                if name != "epoch" and value is not None:
                    self._writer.add_scalar(name, value, row.epoch)


def shown_after(epoch: int, recipe: Recipe) -> bool:
    """Whether the predictions of the validation after this epoch, counted from 1, are written: at most ten times."""
    validations, number = recipe.epochs // recipe.validate_every, epoch // recipe.validate_every
    return number * _SHEETS // max(validations, 1) > (number - 1) * _SHEETS // max(validations, 1)


def _earlier_predictions(directory: Path) -> list[tuple[int, np.ndarray]]:
    """Epochs and sheets in the files of an interrupted training, which may end anywhere."""
    if not any(directory.glob("events.out.tfevents.*")):
        return []
    events = EventAccumulator(str(directory), {IMAGES: 0})  # all of them
    events.Reload()
    if _PREDICTIONS not in events.Tags()[IMAGES]:
        return []
    found = [(image.step, Image.open(io.BytesIO(image.encoded_image_string))) for image in events.Images(_PREDICTIONS)]
    return [(epoch, np.asarray(picture.convert("RGB"))) for epoch, picture in found]
