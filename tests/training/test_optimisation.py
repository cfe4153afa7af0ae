"""Schedules by hand and against torch's, optimisers by their first steps."""

import copy
import weakref
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim import lr_scheduler

from seg.recipe import Recipe, Schedule
from seg.training.optimisation import learning_rate, make_optimizer

CONSTANT = Schedule()
STEP = Schedule(name="step", every=10, factor=0.1)
COSINE = Schedule(name="cosine")
POLYNOMIAL = Schedule(name="polynomial", power=0.9)
BASE = 0.01
FORMATS = [torch.contiguous_format, torch.channels_last]
PLAIN = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}

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
    ours = [rate(schedule, epoch, step) for epoch in range(30) for step in range(4)]
    assert ours == pytest.approx(torchs_rates(make, 120), rel=1e-9)


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


def stepped(recipe: Recipe, steps: int) -> list[float]:
    """The trained parameter after steps with the gradient (0.5, -4)."""
    model = Two()
    optimizer = make_optimizer(model, recipe)
    for _ in range(steps):
        model.trained.grad = torch.tensor([0.5, -4.0])
        optimizer.step()
    assert model.frozen.item() == 5
    return model.trained.tolist()


def test_sgd_by_hand(tiny_recipe: Recipe) -> None:
    recipe = tiny_recipe.model_copy(update={"optimizer": "sgd", "lr": 0.1, "momentum": 0.5, "weight_decay": 0.0})
    # Velocity g, then g / 2 + g.
    assert stepped(recipe, 2) == pytest.approx([1 - 0.1 * 0.5 * 2.5, 2 + 0.1 * 4 * 2.5])
    decayed = recipe.model_copy(update={"weight_decay": 0.2})
    assert stepped(decayed, 1) == pytest.approx([1 - 0.1 * (0.5 + 0.2), 2 + 0.1 * (4 - 0.4)])


def test_adam_by_hand(tiny_recipe: Recipe) -> None:
    """A first step of Adam is the learning rate, whatever the gradient; AdamW's decay is apart from it."""
    recipe = tiny_recipe.model_copy(update={"optimizer": "adam", "lr": 0.1})
    assert stepped(recipe, 1) == pytest.approx([1 - 0.1, 2 + 0.1])
    decayed = recipe.model_copy(update={"optimizer": "adamw", "weight_decay": 0.2})
    assert stepped(decayed, 1) == pytest.approx([1 - 0.1 * 0.2 - 0.1, 2 - 0.1 * 0.4 + 0.1])


def test_adams_decay_enters_the_gradient(tiny_recipe: Recipe) -> None:
    """A decay of 3 turns the second gradient round, to -4 + 3 x 2, and with it the step."""
    recipe = tiny_recipe.model_copy(update={"optimizer": "adam", "lr": 0.1, "weight_decay": 3.0})
    assert stepped(recipe, 1) == pytest.approx([1 - 0.1, 2 - 0.1])


def test_only_what_is_trained_is_in_the_optimiser(tiny_recipe: Recipe) -> None:
    model = Two()
    (view,) = make_optimizer(model, tiny_recipe).param_groups[0]["params"]
    assert view.data_ptr() == model.trained.data_ptr()
    assert view.shape == model.trained.shape


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("weights", FORMATS)
@pytest.mark.parametrize("gradients", FORMATS)
def test_steps_are_those_of_plain_torch_however_tensors_lie_in_memory(
    tiny_recipe: Recipe, name: str, weights: torch.memory_format, gradients: torch.memory_format
) -> None:
    """torch's own fused kernels go wrong, unasked, where a gradient does not lie as its weights do."""
    recipe = tiny_recipe.model_copy(update={"optimizer": name, "weight_decay": 0.01})
    convolutions = [nn.Conv2d(3, 5, (2, 3)), nn.Conv2d(4, 1, 1), nn.Conv2d(1, 4, 3)]
    plain = nn.Sequential(*convolutions)
    ours = copy.deepcopy(plain).to(memory_format=weights)
    settings = {"lr": recipe.lr, "weight_decay": 0.01} | ({"momentum": recipe.momentum} if name == "sgd" else {})
    optimizers = [PLAIN[name](plain.parameters(), **settings, foreach=False), make_optimizer(ours, recipe)]
    for _ in range(3):
        for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
            one.grad = torch.randn_like(one)
            other.grad = one.grad.contiguous(memory_format=gradients) if one.dim() == 4 else one.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for one, other in zip(plain.parameters(), ours.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-6)


def test_a_gradient_is_freed_with_the_models(tiny_recipe: Recipe) -> None:
    """Else two sets of gradients would be held while the next ones are computed."""
    model = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(model, tiny_recipe)
    model(torch.ones(1, 3, 4, 4)).sum().backward()
    gradient = weakref.ref(model.weight.grad.untyped_storage())
    optimizer.step()
    assert gradient() is not None
    model.zero_grad()
    assert gradient() is None
