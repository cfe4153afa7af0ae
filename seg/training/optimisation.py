"""Optimisers and the learning rate as a function of the epoch and the step."""

import math

import torch
from torch import nn

from seg.recipe import Recipe, Schedule


def make_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser over the parameters that are trained, in torch's fused form."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    lr, decay = recipe.lr, recipe.weight_decay
    match recipe.optimizer:
        case "adam":
            return torch.optim.Adam(parameters, lr, weight_decay=decay, fused=True)
        case "adamw":
            return torch.optim.AdamW(parameters, lr, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(parameters, lr, recipe.momentum, weight_decay=decay, fused=True)


def learning_rate(schedule: Schedule, base: float, *, epoch: int, step: int, steps: int, epochs: int) -> float:
    """Learning rate of a step.

    Args:
        schedule: `constant`; `step`, times `factor` after every `every` epochs; `cosine`, half a wave down to 0
            (Loshchilov and Hutter, SGDR, equation 5, without restarts); `polynomial`, (1 - progress)^power (Chen et
            al., DeepLab, section 4.1). The last two fall with every step.
        base: learning rate at the start.
        epoch: from 0.
        step: within the epoch, from 0.
        steps: of an epoch.
        epochs: of the whole training.
    """
    progress = (epoch * steps + step) / (epochs * steps)
    match schedule:
        case Schedule(name="step", every=int(every), factor=float(factor)):
            return base * factor ** (epoch // every)
        case Schedule(name="cosine"):
            return base * (1 + math.cos(math.pi * progress)) / 2
        case Schedule(name="polynomial", power=float(power)):
            return base * (1 - progress) ** power
    return base
