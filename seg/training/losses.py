"""Losses over logits (N, C, H, W) and labels (N, H, W) uint8, where 255 is ignored; finite also if all of it is.

All work on pixels as rows, (N*H*W, C): a view of channels-last logits, several times faster on a CPU than the softmax
over the second axis, and deterministic on a GPU.

`total` sums what is counted over the processes of a training, each of which has a share of the batch, so that every
loss is that of the whole batch; by default there is one.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from seg.datasets import IGNORE

Loss = Callable[[Tensor, Tensor], Tensor]
Total = Callable[[Tensor], Tensor]


def alone(values: Tensor) -> Tensor:
    """The sum over a single process."""
    return values


def cross_entropy(logits: Tensor, labels: Tensor, total: Total = alone) -> Tensor:
    """Mean over the labelled pixels of -log softmax of the true class; 0 where no pixel is labelled."""
    loss = F.cross_entropy(_pixels(logits), labels.flatten(), ignore_index=IGNORE, reduction="sum")
    return total(loss) / total((labels != IGNORE).sum()).clamp(min=1)


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor, total: Total = alone) -> Tensor:
    """Mean of -log softmax of the true class weighted by that class' weight (C,); 0 where no pixel is labelled.

    The mean is over the weights of the labelled pixels, as torch's.
    """
    classes = labels.flatten()
    loss = F.cross_entropy(_pixels(logits), classes, weights, ignore_index=IGNORE, reduction="sum")
    share = torch.cat([weights, weights.new_zeros(IGNORE + 1 - len(weights))])
    return total(loss) / total(share[classes.long()].sum()).clamp(min=torch.finfo(weights.dtype).tiny)


def dice(logits: Tensor, labels: Tensor, total: Total = alone) -> Tensor:
    """1 - 2TP / (2TP + FP + FN) with soft counts over the batch, mean over the classes that occur in the labels.

    Chen et al., equation 7; the soft counts (softmax in place of the decision) and the mean over present classes are
    ours. 2TP + FP + FN is the sum of the probabilities of a class and of its pixels. 0 where no pixel is labelled.
    """
    labelled = (labels != IGNORE).flatten().unsqueeze(1)
    probabilities = _pixels(logits).softmax(1) * labelled
    classes = labels.flatten().long().unsqueeze(1).where(labelled, 0)
    truth = torch.zeros_like(probabilities).scatter_(1, classes, labelled.to(probabilities.dtype))
    pixels = total(truth.sum(0))
    present = pixels > 0
    ratio = 2 * total((probabilities * truth).sum(0)) / (total(probabilities.sum(0)) + pixels).where(present, 1)
    return ((1 - ratio) * present).sum() / present.sum().clamp(min=1)


def _pixels(logits: Tensor) -> Tensor:
    """Logits (N*H*W, C) in float32 at least."""
    rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
    return rows.to(torch.promote_types(rows.dtype, torch.float32))


def make_loss(name: str, weights: Tensor, total: Total = alone) -> Loss:
    """The recipe's loss; `weights` (C,) float32 of the classes are used by the weighted one only."""
    losses: dict[str, Loss] = {
        "cross_entropy": partial(cross_entropy, total=total),
        "weighted_cross_entropy": partial(weighted_cross_entropy, weights=weights, total=total),
        "dice": partial(dice, total=total),
    }
    return losses[name]
