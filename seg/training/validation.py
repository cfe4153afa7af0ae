"""Validation during training: loss, pixel accuracy and mean IoU, from the loss and one confusion matrix.

The two scores are computed here, not by `seg.metrics.scores`, so that a new metric does not make trainings stale.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from seg.config.recipe import Recipe
from seg.data.loader import Loader, scaled
from seg.datasets import IGNORE
from seg.metrics.confusion import confusion_matrix
from seg.metrics.labels import predict_labels
from seg.training.distributed import all_reduce_sum, rank, world_size
from seg.training.losses import make_loss
from seg.training.numerics import autocast


@torch.inference_mode()
def validate(
    model: nn.Module, loader: Loader, recipe: Recipe, class_weights: Tensor, precision: str
) -> tuple[float, float, float]:
    """Evaluate the model on the validation pack; every process evaluates its share of the images.

    Args:
        model: set to evaluation mode.
        loader: of the validation pack.
        recipe: loss, batch size, scaling.
        class_weights: (C,) float32 on the loader's device, for the weighted loss.
        precision: `fp32`, `tf32` or `bf16`.

    Returns:
        Loss (mean over batches, weighted by labelled pixels), pixel accuracy and mean IoU; the latter two in [0, 1], or
        NaN without a labelled pixel.
    """
    model.eval()
    pack, classes = loader.pack, len(loader.pack.classes)
    compute_loss = make_loss(recipe.loss, class_weights)
    matrix = np.zeros((classes, classes), np.int64)
    sums = torch.zeros(2, dtype=torch.float64)  # of loss times labelled pixels, and of labelled pixels
    for batch in loader.batches(np.arange(rank(), len(pack), world_size()), recipe.batch):
        with autocast(loader.device, precision):
            logits = model(scaled(batch.images, recipe.scaling))
        labelled = int((batch.labels != IGNORE).sum())
        loss = float(compute_loss(logits, batch.labels)) * labelled
        sums += torch.tensor([loss, labelled], dtype=torch.float64)
        predicted = predict_labels(logits, (pack.height, pack.width)).cpu().numpy()
        matrix += confusion_matrix(batch.labels.cpu().numpy(), predicted, classes)
    total, pixels = all_reduce_sum(sums).tolist()
    return total / max(pixels, 1), *accuracy_and_miou(all_reduce_sum(torch.from_numpy(matrix)).numpy())


def accuracy_and_miou(matrix: np.ndarray) -> tuple[float, float]:
    """Pixel accuracy and mean IoU of a confusion matrix (C, C), without classes in neither truth nor prediction."""
    correct = matrix.diagonal()
    union = matrix.sum(0) + matrix.sum(1) - correct
    present = union > 0
    if not present.any():
        return math.nan, math.nan
    iou = np.divide(correct, union, out=np.zeros(len(matrix)), where=present)
    return float(correct.sum() / matrix.sum()), float(iou.sum() / present.sum())
