"""Optimizers, and the learning rate by epoch and step."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from seg.config.recipe import Schedule

Kind = Literal["adam", "adamw", "sgd"]


class Optimizer:
    """`torch.optim` over views of the parameters that are contiguous in memory.

    The fused CPU kernels copy channels-last weights, which takes four times as long, and are wrong where the strides of
    a gradient differ from those of its parameter (PyTorch 2.14). With the axes permuted by stride, both are contiguous.

    Args:
        kind: `adam` or `adamw` (betas 0.9 and 0.999, epsilon 1e-8), or `sgd`.
        model: its parameters with `requires_grad` are updated in place.
        weight_decay: added to the gradient; for `adamw` decoupled (Loshchilov and Hutter 2019).
        momentum: of `sgd`.
    """

    def __init__(self, kind: Kind, model: nn.Module, weight_decay: float = 0.0, momentum: float = 0.0) -> None:
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._orders = [sorted(range(p.dim()), key=p.stride, reverse=True) for p in self._parameters]
        self._views = [p.detach().permute(order) for p, order in zip(self._parameters, self._orders, strict=True)]
        self._optimizer: torch.optim.Optimizer
        if kind == "sgd":
            self._optimizer = torch.optim.SGD(self._views, momentum=momentum, weight_decay=weight_decay, fused=True)
            if momentum:  # fused SGD fails for a parameter whose first gradient comes after the first step
                for view in self._views:
                    self._optimizer.state[view]["momentum_buffer"] = torch.zeros_like(view)
        else:
            adam = torch.optim.Adam if kind == "adam" else torch.optim.AdamW
            self._optimizer = adam(self._views, weight_decay=weight_decay, fused=True)

    def step(self, lr: float) -> None:
        """Update the parameters that have a gradient, at learning rate `lr`, and set all gradients to `None`."""
        for parameter, view, order in zip(self._parameters, self._views, self._orders, strict=True):
            view.grad = None if parameter.grad is None else parameter.grad.permute(order).contiguous()
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.step()
        for tensor in (*self._parameters, *self._views):
            tensor.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """State of the optimizer, as `<number of the parameter>.<name>`."""
        state = self._optimizer.state_dict()["state"]
        return {f"{i}.{name}": tensor for i, part in state.items() for name, tensor in part.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Set the state to a copy of the result of an earlier `tensors()`, which may be mapped from a file."""
        state: dict[int, dict[str, Tensor]] = {}
        for key, tensor in tensors.items():
            number, _, name = key.partition(".")
            state.setdefault(int(number), {})[name] = tensor.clone()
        self._optimizer.load_state_dict(self._optimizer.state_dict() | {"state": state})


def learning_rate(schedule: Schedule, base: float, *, epoch: int, step: int, steps: int, epochs: int) -> float:
    """Learning rate of a step.

    Args:
        schedule: `constant`; `step`, multiplied by `factor` after every `every` epochs; `cosine`, half a period down to
            0 (Loshchilov and Hutter, SGDR, equation 5, without restarts); `polynomial`, (1 - progress)^power (Chen et
            al., DeepLab, section 4.1). The last two change with every step.
        base: learning rate at the start.
        epoch: from 0.
        step: within the epoch, from 0.
        steps: per epoch.
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
