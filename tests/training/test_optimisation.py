"""Schedules and optimizers by hand and against PyTorch's."""

import copy
import math
import weakref
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from seg.config.recipe import Schedule
from seg.training.optimisation import Optimizer, learning_rate

CONSTANT = Schedule()
STEP = Schedule(name="step", every=10, factor=0.1)
COSINE = Schedule(name="cosine")
POLYNOMIAL = Schedule(name="polynomial", power=0.9)
BASE = 0.01
FORMATS = [torch.contiguous_format, torch.channels_last]
TORCHS = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}

Scheduler = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def rate(schedule: Schedule, epoch: int, step: int = 0, *, steps: int = 4, epochs: int = 30) -> float:
    return learning_rate(schedule, BASE, epoch=epoch, step=step, steps=steps, epochs=epochs)


@pytest.mark.parametrize(
    ("schedule", "epoch", "step", "expected"),
    [
        (CONSTANT, 0, 0, 0.01),
        (CONSTANT, 29, 3, 0.01),
        (STEP, 0, 0, 0.01),
        (STEP, 9, 3, 0.01),
        (STEP, 10, 0, 0.001),
        (STEP, 19, 3, 0.001),
        (STEP, 29, 0, 0.0001),
        (COSINE, 0, 0, 0.01),
        (COSINE, 10, 0, 0.0075),  # cos 60 degrees = 1/2
        (COSINE, 15, 0, 0.005),
        (COSINE, 20, 0, 0.0025),
        (POLYNOMIAL, 0, 0, 0.01),
        (Schedule(name="polynomial", power=1.0), 7, 2, 0.0075),  # a quarter of 120 steps
        (Schedule(name="polynomial", power=2.0), 15, 0, 0.0025),
    ],
)
def test_by_hand(schedule: Schedule, epoch: int, step: int, expected: float) -> None:
    assert rate(schedule, epoch, step) == pytest.approx(expected, rel=1e-12)


def torchs_rates(make: Scheduler, count: int) -> list[float]:
    """Learning rates of `count` steps of one of torch's schedulers."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler = make(optimizer)
    rates = []
    for _ in range(count):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("schedule", "make"),
    [
        (COSINE, lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, T_max=120)),
        (POLYNOMIAL, lambda optimizer: lr_scheduler.PolynomialLR(optimizer, total_iters=120, power=0.9)),
        (STEP, lambda optimizer: lr_scheduler.StepLR(optimizer, step_size=10 * 4, gamma=0.1)),
        (CONSTANT, lambda optimizer: lr_scheduler.ConstantLR(optimizer, factor=1.0)),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_every_step_is_torchs(schedule: Schedule, make: Scheduler) -> None:
    actual = [rate(schedule, epoch, step) for epoch in range(30) for step in range(4)]
    assert actual == pytest.approx(torchs_rates(make, 120), rel=1e-9)


@given(st.integers(1, 40), st.integers(1, 9), st.sampled_from([CONSTANT, STEP, COSINE, POLYNOMIAL]))
def test_starts_at_the_base_never_rises_and_stays_positive(epochs: int, steps: int, schedule: Schedule) -> None:
    rates = [
        rate(schedule, epoch, step, steps=steps, epochs=epochs) for epoch in range(epochs) for step in range(steps)
    ]
    assert rates[0] == BASE
    assert all(after <= before for before, after in pairwise(rates))
    assert rates[-1] > 0


class Two(nn.Module):
    """A parameter that is trained and one that is not."""

    def __init__(self) -> None:
        super().__init__()
        self.trained = nn.Parameter(torch.tensor([1.0, 2.0]))
        self.frozen = nn.Parameter(torch.tensor([5.0]), requires_grad=False)


def stepped(steps: int, kind: str, weight_decay: float = 0.0, momentum: float = 0.0) -> list[float]:
    """The trained parameter after steps of 0.1 with the gradient (0.5, -4)."""
    model = Two()
    optimizer = Optimizer(kind, model, weight_decay, momentum)
    for _ in range(steps):
        model.trained.grad = torch.tensor([0.5, -4.0])
        optimizer.step(0.1)
    assert model.frozen.item() == 5
    return model.trained.tolist()


def test_sgd_by_hand() -> None:
    # Velocity g, then g / 2 + g.
    assert stepped(2, "sgd", momentum=0.5) == pytest.approx([1 - 0.1 * 0.5 * 2.5, 2 + 0.1 * 4 * 2.5])
    assert stepped(2, "sgd") == pytest.approx([1 - 0.1 * 0.5 * 2, 2 + 0.1 * 4 * 2])
    assert stepped(1, "sgd", 0.2, 0.5) == pytest.approx([1 - 0.1 * (0.5 + 0.2), 2 + 0.1 * (4 - 0.4)])


def test_adam_by_hand() -> None:
    """Adam's first step has the size of the learning rate for any gradient; AdamW adds its decay separately."""
    assert stepped(1, "adam") == pytest.approx([1 - 0.1, 2 + 0.1])
    assert stepped(1, "adamw", 0.2) == pytest.approx([1 - 0.1 * 0.2 - 0.1, 2 - 0.1 * 0.4 + 0.1])


def test_adams_decay_enters_the_gradient() -> None:
    """A decay of 3 reverses the second gradient, -4 + 3 x 2, and therefore the step."""
    assert stepped(1, "adam", 3.0) == pytest.approx([1 - 0.1, 2 - 0.1])


@pytest.mark.parametrize("kind", TORCHS)
def test_first_gradient_after_the_first_step(kind: str) -> None:
    """Weights without a gradient do not change; their first step is the same as in a new optimizer."""
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(2)
    optimizer = Optimizer(kind, model, momentum=0.9)
    model.bias.grad = torch.ones(1)
    optimizer.step(0.1)
    assert model.weight.item() == 2
    model.weight.grad = torch.ones(1, 1)
    optimizer.step(0.1)
    assert model.weight.item() == pytest.approx(2 - 0.1)


def test_only_trained_parameters_have_a_state() -> None:
    model = Two()
    optimizer = Optimizer("adam", model)
    model.trained.grad = torch.ones(2)
    optimizer.step(0.1)
    tensors = optimizer.tensors()
    assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == {
        "0.exp_avg": (2,),
        "0.exp_avg_sq": (2,),
        "0.step": (),
    }


@pytest.mark.parametrize(("name", "momentum"), [("adam", 0.0), ("adamw", 0.0), ("sgd", 0.0), ("sgd", 0.9)])
@pytest.mark.parametrize("weights", FORMATS)
@pytest.mark.parametrize("gradients", FORMATS)
def test_steps_equal_pytorchs_in_any_memory_format(
    name: str, momentum: float, weights: torch.memory_format, gradients: torch.memory_format
) -> None:
    """PyTorch's fused kernels alone give wrong results where strides of gradients and weights differ.

    Each step but the first has no gradient for one of the parameters, as with stochastic depth.
    """
    plain = nn.Sequential(nn.Conv2d(3, 5, (2, 3)), nn.Conv2d(4, 1, 1), nn.Conv2d(1, 4, 3))
    actual = copy.deepcopy(plain).to(memory_format=weights)
    settings = {"momentum": momentum} if name == "sgd" else {}
    reference = TORCHS[name](plain.parameters(), 0.01, weight_decay=0.02, fused=True, **settings)
    optimizer = Optimizer(name, actual, 0.02, momentum)
    for step in range(4):
        for i, (one, other) in enumerate(zip(plain.parameters(), actual.parameters(), strict=True)):
            one.grad = other.grad = None
            if i != step - 1:
                one.grad = torch.randn_like(one)
                other.grad = one.grad.contiguous(memory_format=gradients) if one.dim() == 4 else one.grad.clone()
        reference.step()
        optimizer.step(0.01)
    for one, other in zip(plain.parameters(), actual.parameters(), strict=True):
        # Vectorized and scalar arithmetic round differently, so the last bits depend on the order in memory.
        tolerance = 0.0 if weights is torch.contiguous_format else 1e-6
        torch.testing.assert_close(other, one, rtol=tolerance, atol=tolerance / 10)


@pytest.mark.parametrize("name", TORCHS)
@pytest.mark.parametrize("memory_format", FORMATS)
def test_steps_are_close_to_the_unfused_ones(name: str, memory_format: torch.memory_format) -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 50, 3), nn.Conv2d(50, 10, 1), nn.Conv2d(10, 4, 3))
    actual = copy.deepcopy(plain).to(memory_format=memory_format)
    reference = TORCHS[name](plain.parameters(), 0.001, weight_decay=0.02)
    optimizer = Optimizer(name, actual, 0.02)
    for one, other in zip(plain.parameters(), actual.parameters(), strict=True):
        one.grad = torch.randn_like(one)
        other.grad = one.grad.clone()
    reference.step()
    optimizer.step(0.001)
    for one, other in zip(plain.parameters(), actual.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=0, atol=0.0 if name == "sgd" else 4e-9)


@pytest.mark.parametrize("name", TORCHS)
def test_a_restored_optimiser_continues_with_the_same_bits(name: str) -> None:
    def run(model: nn.Module, optimizer: Optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            for parameter in model.parameters():
                parameter.grad = torch.full_like(parameter, math.sin(step))
            optimizer.step(0.01)

    model = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    optimizer = Optimizer(name, model, 0.1, 0.9)
    run(model, optimizer, 0, 2)
    other = copy.deepcopy(model)
    resumed = Optimizer(name, other, 0.1, 0.9)
    resumed.restore(optimizer.tensors())  # copies them
    run(model, optimizer, 2, 5)
    run(other, resumed, 2, 5)
    assert all(map(torch.equal, model.parameters(), other.parameters()))


def test_a_step_frees_the_gradients() -> None:
    """Otherwise two sets of gradients would be in memory during the next backward pass."""
    model = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    optimizer = Optimizer("adam", model)
    model(torch.ones(1, 3, 4, 4)).sum().backward()
    gradient = weakref.ref(model.weight.grad.untyped_storage())
    optimizer.step(0.1)
    assert model.weight.grad is None
    assert gradient() is None
