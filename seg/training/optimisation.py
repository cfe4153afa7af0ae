"""Optimisers and the learning rate as a function of the epoch and the step."""

import math
from collections.abc import Callable

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from seg.recipe import Recipe, Schedule


def make_optimizer(model: nn.Module, recipe: Recipe) -> Optimizer:
    """The recipe's optimiser over the parameters that are trained, as `fused` gives it."""
    match recipe.optimizer:
        case "adam":
            return fused(Adam, model, lr=recipe.lr, weight_decay=recipe.weight_decay)
        case "adamw":
            return fused(AdamW, model, lr=recipe.lr, weight_decay=recipe.weight_decay)
        case "sgd":
            return fused(SGD, model, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=recipe.momentum)


def fused(kind: Callable[..., Optimizer], model: nn.Module, **settings: float) -> Optimizer:
    """An optimiser of torch's in its fused form, over views of the trained parameters as they lie in memory.

    The fused kernels walk through memory whatever the strides, and on a CPU they copy first what is not contiguous, to
    no end: a step over channels-last weights takes four times as long as over these views (torch 2.14). `zero_grad` is
    the model's, for the optimiser's views have gradients during a step only.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    orders = [sorted(range(parameter.dim()), key=parameter.stride, reverse=True) for parameter in parameters]
    views = [
        nn.Parameter(parameter.detach().permute(order)) for parameter, order in zip(parameters, orders, strict=True)
    ]
    optimizer = kind(views, fused=True, **settings)

    def lend(*_: object) -> None:
        for parameter, order, view in zip(parameters, orders, views, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.permute(order).contiguous()

    def take_back(*_: object) -> None:
        optimizer.zero_grad()

    optimizer.register_step_pre_hook(lend)
    optimizer.register_step_post_hook(take_back)
    return optimizer


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
