"""Validation during training: loss, pixel accuracy and mean IoU, from the loss and one confusion matrix.

The two scores are computed here, not by `seg.metrics.scores`, so that a new metric does not make trainings stale.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seg.config.recipe import Recipe
from seg.data.loader import Loader, scaled
from seg.metrics.confusion import confusion_matrix
from seg.metrics.labels import predict_labels
from seg.training.distributed import all_reduce_sum, rank, world_size
from seg.training.losses import make_loss
from seg.training.numerics import autocast


class Validation(NamedTuple):
    """Loss (mean over batches, weighted by labelled pixels), scores, and predictions (H, W) uint8 by position.

    Pixel accuracy and mean IoU are in [0, 1], or NaN without a labelled pixel.
    """

    loss: float
    pixel_accuracy: float
    miou: float
    predictions: dict[int, np.ndarray]


@torch.inference_mode()
def validate(
    model: nn.Module, loader: Loader, recipe: Recipe, class_weights: Tensor, precision: str, shown: int = 0
) -> Validation:
    """Evaluate the model on the validation pack; every process evaluates its share of the batches.

    Args:
        model: set to evaluation mode.
        loader: of the validation pack.
        recipe: loss, `eval_batch`, scaling.
        class_weights: (C,) float32 on the loader's device, for the weighted loss.
        precision: `fp32`, `tf32` or `bf16`.
        shown: number of images, spread evenly over those of this process, whose predictions are returned.
    """
    model.eval()
    pack, classes = loader.pack, len(loader.pack.classes)
    compute_loss = make_loss(recipe.loss, class_weights)
    matrix = np.zeros((classes, classes), np.int64)
    total = torch.zeros((), dtype=torch.float64)  # of loss times labelled pixels
    own = _own_batches(len(pack), recipe.eval_batch)
    chosen = set(own[np.linspace(0, len(own) - 1, min(shown, len(own))).astype(int)].tolist())
    predictions: dict[int, np.ndarray] = {}
    for batch in loader.batches(own, recipe.eval_batch):
        with autocast(loader.device, precision):
            logits = model(scaled(batch.images, recipe.scaling))
        loss = compute_loss(logits, batch.labels)
        predicted = predict_labels(logits, (pack.height, pack.width)).cpu().numpy()
        counts = confusion_matrix(batch.labels.cpu().numpy(), predicted, classes)
        matrix += counts
        total += float(loss) * int(counts.sum())
        drawn = zip(batch.samples.tolist(), predicted, strict=True)
        predictions |= {sample: prediction.copy() for sample, prediction in drawn if sample in chosen}
    matrix = all_reduce_sum(torch.from_numpy(matrix)).numpy()
    mean_loss = float(all_reduce_sum(total)) / max(int(matrix.sum()), 1)
    return Validation(mean_loss, *accuracy_and_miou(matrix), predictions)


def _own_batches(images: int, batch: int) -> np.ndarray:
    """Positions of this process: every `world_size`-th batch, whole, so that all losses are those of one process."""
    positions = np.arange(images)
    return positions[positions // batch % world_size() == rank()]


def accuracy_and_miou(matrix: np.ndarray) -> tuple[float, float]:
    """Pixel accuracy and mean IoU of a confusion matrix (C, C), without classes in neither truth nor prediction."""
    correct = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - correct
    present = union > 0
    if not present.any():
        return math.nan, math.nan
    iou = np.divide(correct, union, out=np.zeros(len(matrix)), where=present)
    return float(correct.sum() / matrix.sum()), float(iou.sum() / present.sum())
