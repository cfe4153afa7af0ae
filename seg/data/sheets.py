"""Sheets of small pictures: training samples before and after augmentation, predictions beside the truth."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from seg.config.recipe import Augmentation
from seg.data.loader import Loader, epoch_order
from seg.data.pack_format import Pack
from seg.datasets.decoding import viewable
from seg.datasets.overlay import colour_table, overlaid

SAMPLES_SHOWN = 16  # of a training
_COLUMNS = 8
_GAP = 4  # pixels


def augmentation_sheet(pack: Pack, augmentation: Augmentation, seed: int, width: int) -> np.ndarray:
    """The first samples of the first epoch, (H, W, 3) uint8: each sample unchanged, and below it after augmentation.

    Labels are over the images, see `seg.datasets.overlay`.

    Args:
        pack: training pack, or the part of it that is trained on.
        augmentation, seed: of the recipe.
        width: of a picture, in pixels.
    """
    order = epoch_order(len(pack), seed, 0)[:SAMPLES_SHOWN]
    loader = Loader(pack, torch.device("cpu"))
    (plain,) = loader.batches(order, len(order))
    (augmented,) = loader.batches(order, len(order), augmentation=augmentation, seed=seed, epoch=0)
    colours = colour_table(pack.about["palette"])
    pictures = [
        [
            overlaid(viewable(image), labels, colours)
            for image, labels in zip(batch.images.permute(0, 2, 3, 1).numpy(), batch.labels.numpy(), strict=True)
        ]
        for batch in (plain, augmented)
    ]
    starts = range(0, len(order), _COLUMNS)
    return _grid([row[start : start + _COLUMNS] for start in starts for row in pictures], width)


def prediction_sheet(pack: Pack, predictions: dict[int, np.ndarray], width: int) -> np.ndarray:
    """A row per image, (H, W, 3) uint8: image, truth, prediction; pixels that are not scored are black in the truth.

    Args:
        pack: pack of the images.
        predictions: train ids (H, W) uint8 by position of the image.
        width: of a picture, in pixels.
    """
    colours = colour_table(pack.about["palette"])
    images, labels = pack.read(np.array(list(predictions)))
    return _grid(
        [
            [viewable(image), colours[truth], colours[prediction]]
            for image, truth, prediction in zip(images, labels, predictions.values(), strict=True)
        ],
        width,
    )


def _grid(rows: Sequence[Sequence[np.ndarray]], width: int) -> np.ndarray:
    """Pictures of one size, resized to a width, on white."""
    height = max(1, round(width * rows[0][0].shape[0] / rows[0][0].shape[1]))
    resampling = Image.Resampling.NEAREST if width >= rows[0][0].shape[1] else Image.Resampling.BILINEAR
    columns = max(map(len, rows))
    sheet = np.full((len(rows) * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for k, picture in enumerate(row):
            top, left = i * (height + _GAP), k * (width + _GAP)
            resized = Image.fromarray(np.ascontiguousarray(picture)).resize((width, height), resampling)
            sheet[top : top + height, left : left + width] = np.asarray(resized)
    return sheet
