"""Optimisers and the learning rate as a function of the epoch and the step."""

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from seg.config.recipe import Schedule

Kind = Literal["adam", "adamw", "sgd"]


class Optimizer:
    """Adam, AdamW or SGD with momentum over the parameters that are trained: steps of torch.optim's fused kernels.

    Without torch.optim itself, for two reasons (torch 2.14). Its first step imports a compiler, 1.5 s of every
    training on a CPU. And its fused kernels walk through memory whatever the strides: on a CPU they copy first what is
    not contiguous, four times the time over channels-last weights, and go wrong where a gradient lies otherwise than
    its parameter. Ours walk over views as the parameters lie. The kernels have no public names.

    Args:
        kind: `adam` and `adamw` (betas 0.9 and 0.999, epsilon 1e-8) or `sgd`.
        model: whose parameters with `requires_grad` are changed in place; of one device, float32.
        weight_decay: enters the gradient, for `adamw` the parameter (Loshchilov and Hutter, Decoupled weight decay).
        momentum: of `sgd`.
    """

    def __init__(self, kind: Kind, model: nn.Module, weight_decay: float = 0.0, momentum: float = 0.0) -> None:
        self._kind, self._weight_decay, self._momentum = kind, weight_decay, momentum
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._orders = [sorted(range(p.dim()), key=p.stride, reverse=True) for p in self._parameters]
        self._views = [p.detach().permute(order) for p, order in zip(self._parameters, self._orders, strict=True)]
        moments = ("exp_avg", "exp_avg_sq") if kind != "sgd" else ("momentum_buffer",) if momentum else ()
        self._state = {name: [torch.zeros_like(view) for view in self._views] for name in moments}
        if kind != "sgd":
            self._state["step"] = [view.new_zeros(()) for view in self._views]

    def step(self, lr: float) -> None:
        """Change the parameters that have a gradient, at learning rate `lr`; the gradients stay."""
        gradients = {i: parameter.grad for i, parameter in enumerate(self._parameters) if parameter.grad is not None}
        views = [self._views[i] for i in gradients]
        as_views = [gradient.permute(self._orders[i]).contiguous() for i, gradient in gradients.items()]
        state = {name: [tensors[i] for i in gradients] for name, tensors in self._state.items()}
        if self._kind == "sgd":
            torch._fused_sgd_(
                views,
                as_views,
                state.get("momentum_buffer", []),
                lr=lr,
                weight_decay=self._weight_decay,
                momentum=self._momentum,
                dampening=0.0,
                nesterov=False,
                maximize=False,
                is_first_step=False,
            )
            return
        torch._foreach_add_(state["step"], 1)
        kernel = torch._fused_adamw_ if self._kind == "adamw" else torch._fused_adam_
        kernel(
            views,
            as_views,
            state["exp_avg"],
            state["exp_avg_sq"],
            [],
            state["step"],
            lr=lr,
            beta1=0.9,
            beta2=0.999,
            eps=1e-8,
            weight_decay=self._weight_decay,
            amsgrad=False,
            maximize=False,
        )

    def tensors(self) -> dict[str, Tensor]:
        """All that the next steps depend on beside the parameters, as `<number of the parameter>.<name>`."""
        return {f"{i}.{name}": tensor for name, tensors in self._state.items() for i, tensor in enumerate(tensors)}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `tensors()` was."""
        for name, tensor in self.tensors().items():
            tensor.copy_(tensors[name])


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
