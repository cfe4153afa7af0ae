"""Losses over logits (N, C, H, W) and labels (N, H, W) uint8; pixels with label 255 are ignored.

If all pixels are ignored, loss and gradient are 0. Pixels are handled as rows (N*H*W, C), a view of channels-last
logits: several times faster on a CPU than a softmax over the second axis, and deterministic on a GPU.

`reduce` sums a tensor over the processes of a training, each with a share of the batch, so that the loss is that of the
whole batch. The default is for a single process.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from seg.datasets import IGNORE

Loss = Callable[[Tensor, Tensor], Tensor]
Reduce = Callable[[Tensor], Tensor]


def identity(values: Tensor) -> Tensor:
    """Sum over a single process: the values themselves."""
    return values


def cross_entropy(logits: Tensor, labels: Tensor, reduce: Reduce = identity) -> Tensor:
    """Mean over the labelled pixels of -log softmax of the true class."""
    # Not reduction="sum", which on a GPU runs in a single block.
    losses = F.cross_entropy(_pixels(logits), labels.flatten(), ignore_index=IGNORE, reduction="none")
    return reduce(losses.sum()) / reduce((labels != IGNORE).sum()).clamp(min=1)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor, reduce: Reduce = identity) -> Tensor:
    """Weighted mean over the labelled pixels of -log softmax of the true class.

    A pixel has the weight of its true class; `weights` is (C,). As in PyTorch, the sum is divided by the sum of the
    weights of the labelled pixels.
    """
    classes = labels.flatten()
    losses = F.cross_entropy(_pixels(logits), classes, weights, ignore_index=IGNORE, reduction="none")
    by_label = torch.cat([weights, weights.new_zeros(IGNORE + 1 - len(weights))])
    return reduce(losses.sum()) / reduce(by_label[classes.long()].sum()).clamp(min=torch.finfo(weights.dtype).tiny)


def dice(logits: Tensor, labels: Tensor, reduce: Reduce = identity) -> Tensor:
    """1 - 2TP / (2TP + FP + FN) with soft counts over the batch, mean over the classes present in the labels.

    Chen et al., equation 7, as read in `seg.config.code_readings`. 2TP + FP + FN is the sum of the predicted
    probabilities of a class and the number of its pixels.
    """
    classes = labels.flatten().unsqueeze(1)
    probabilities = _pixels(logits).softmax(1) * (classes != IGNORE)
    truth = (classes == torch.arange(logits.shape[1], device=logits.device)).to(probabilities.dtype)
    pixels = reduce(truth.sum(0))
    present = pixels > 0
    ratio = 2 * reduce((probabilities * truth).sum(0)) / (reduce(probabilities.sum(0)) + pixels).where(present, 1)
    return ((1 - ratio) * present).sum() / present.sum().clamp(min=1)


def _pixels(logits: Tensor) -> Tensor:
    """Logits as rows (N*H*W, C), at least in float32."""
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def make_loss(name: str, weights: Tensor, reduce: Reduce = identity) -> Loss:
    """Loss by its name in the recipe; only `weighted_cross_entropy` uses the class weights (C,) float32."""
    losses: dict[str, Loss] = {
        "cross_entropy": partial(cross_entropy, reduce=reduce),
        "weighted_cross_entropy": partial(weighted_cross_entropy, weights=weights, reduce=reduce),
        "dice": partial(dice, reduce=reduce),
    }
    return losses[name]
