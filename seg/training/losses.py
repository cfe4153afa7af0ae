"""Losses over logits (N, C, H, W) and labels (N, H, W) uint8, where 255 is ignored; finite also if all of it is.

All work on pixels as rows, (N*H*W, C): a view of channels-last logits, several times faster on a CPU than the softmax
over the second axis, and deterministic on a GPU.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from seg.data.layouts import IGNORE

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over the labelled pixels of -log softmax of the true class; 0 where no pixel is labelled."""
    total = F.cross_entropy(_pixels(logits), labels.flatten(), ignore_index=IGNORE, reduction="sum")
    return total / (labels != IGNORE).sum().clamp(min=1)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Mean of -log softmax of the true class weighted by that class' weight (C,); 0 where no pixel is labelled.

    The mean is over the weights of the labelled pixels, as torch's.
    """
    classes = labels.flatten()
    total = F.cross_entropy(_pixels(logits), classes, weights, ignore_index=IGNORE, reduction="sum")
    share = torch.cat([weights, weights.new_zeros(IGNORE + 1 - len(weights))])
    return total / share[classes.long()].sum().clamp(min=torch.finfo(weights.dtype).tiny)


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - 2TP / (2TP + FP + FN) with soft counts over the batch, mean over the classes that occur in the labels.

    Chen et al., equation 7; the soft counts (softmax in place of the decision) and the mean over present classes are
    ours. 2TP + FP + FN is the sum of the probabilities of a class and of its pixels. 0 where no pixel is labelled.
    """
    labelled = (labels != IGNORE).flatten().unsqueeze(1)
    probabilities = _pixels(logits).softmax(1) * labelled
    classes = labels.flatten().long().unsqueeze(1).where(labelled, 0)
    truth = torch.zeros_like(probabilities).scatter_(1, classes, labelled.to(probabilities.dtype))
    pixels = truth.sum(0)
    present = pixels > 0
    ratio = 2 * (probabilities * truth).sum(0) / (probabilities.sum(0) + pixels).where(present, 1)
    return ((1 - ratio) * present).sum() / present.sum().clamp(min=1)


def _pixels(logits: Tensor) -> Tensor:
    """Logits (N*H*W, C) float32."""
    return logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1]).float()


def make_loss(name: str, weights: Tensor) -> Loss:
    """The recipe's loss; `weights` (C,) float32 of the classes are used by the weighted one only."""
    losses: dict[str, Loss] = {
        "cross_entropy": cross_entropy,
        "weighted_cross_entropy": partial(weighted_cross_entropy, weights=weights),
        "dice": dice,
    }
    return losses[name]
