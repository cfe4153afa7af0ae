"""Losses by hand, against PyTorch and a plain NumPy Dice loss, and properties that hold for any batch."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from seg.training.losses import Loss, cross_entropy, dice, make_loss, weighted_cross_entropy

IGNORED = 255
ALL = pytest.mark.parametrize("name", ["cross_entropy", "weighted_cross_entropy", "dice"])
BATCHES = st.tuples(st.integers(0, 2**32), st.integers(2, 7), st.sampled_from([0.0, 0.3, 0.95]))


def batch(seed: int, classes: int, ignored: float) -> tuple[Tensor, Tensor]:
    """Logits (2, C, 5, 7) float32 and labels (2, 5, 7) uint8, of which the share `ignored` is 255."""
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, classes, 5, 7, generator=generator)
    labels = torch.randint(classes, (2, 5, 7), generator=generator, dtype=torch.uint8)
    labels[torch.rand(labels.shape, generator=generator) < ignored] = IGNORED
    return logits, labels


def loss_of(name: str) -> Loss:
    """A loss; the class weights are 1, 1/2, 1/3, ..."""
    return lambda logits, labels: make_loss(name, 1 / torch.arange(1.0, logits.shape[1] + 1))(logits, labels)


def plain_dice(logits: Tensor, labels: Tensor) -> float:
    """Equation 7 with soft counts, class by class."""
    scores, truth = logits.numpy().astype(np.float64), labels.numpy()
    e = np.exp(scores - scores.max(1, keepdims=True))
    probabilities = e / e.sum(1, keepdims=True)
    losses = []
    for k in np.unique(truth[truth != IGNORED]):
        p = probabilities[:, k]
        tp = p[truth == k].sum()
        fp = p[(truth != k) & (truth != IGNORED)].sum()
        fn = (1 - p[truth == k]).sum()
        losses.append(1 - 2 * tp / (2 * tp + fp + fn))
    return float(np.mean(losses)) if losses else 0.0


def with_gradient(name: str, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    leaf = logits.clone().requires_grad_()
    loss = loss_of(name)(leaf, labels)
    loss.backward()
    assert leaf.grad is not None
    return loss.detach(), leaf.grad


def test_cross_entropy_by_hand() -> None:
    # Odds of 3 to 1 and of 1 to 1; the third pixel is ignored.
    logits = torch.tensor([[[[math.log(3), 0.0, 9.0]], [[0.0, 0.0, -9.0]]]])
    labels = torch.tensor([[[0, 1, IGNORED]]], dtype=torch.uint8)
    assert cross_entropy(logits, labels).item() == pytest.approx((math.log(4 / 3) + math.log(2)) / 2)


def test_weighted_cross_entropy_by_hand() -> None:
    # As above; the class of the first pixel has weight 3, that of the second 1.
    logits = torch.tensor([[[[math.log(3), 0.0, 9.0]], [[0.0, 0.0, -9.0]]]])
    labels = torch.tensor([[[0, 1, IGNORED]]], dtype=torch.uint8)
    loss = weighted_cross_entropy(logits, labels, torch.tensor([3.0, 1.0]))
    assert loss.item() == pytest.approx((3 * math.log(4 / 3) + math.log(2)) / 4)


@given(BATCHES)
def test_weighted_cross_entropy_equals_pytorchs(drawn: tuple[int, int, float]) -> None:
    logits, labels = batch(*drawn)
    weights = torch.rand(logits.shape[1], generator=torch.Generator().manual_seed(drawn[0])) + 0.01
    expected = F.cross_entropy(logits, labels.long(), weights, ignore_index=IGNORED)
    if (labels != IGNORED).any():
        torch.testing.assert_close(weighted_cross_entropy(logits, labels, weights), expected)


def test_dice_by_hand() -> None:
    # Probabilities of class 0: 3/4, 1/2, 1/4; the truth is 0, 0, 1; the fourth pixel is ignored.
    logits = torch.tensor([[[[math.log(3), 0.0, 0.0, 9.0]], [[0.0, 0.0, math.log(3), -9.0]]]])
    labels = torch.tensor([[[0, 0, 1, IGNORED]]], dtype=torch.uint8)
    # Class 0: TP = 5/4, FP = 1/4, FN = 3/4. Class 1: TP = 3/4, FP = 3/4, FN = 1/4.
    expected = ((1 - 2.5 / 3.5) + (1 - 1.5 / 2.5)) / 2
    assert dice(logits, labels).item() == pytest.approx(expected)


def test_dice_does_not_count_absent_classes() -> None:
    logits = torch.zeros(1, 4, 1, 2)  # a quarter each; only class 2 occurs: TP = 1/2, FP = 0, FN = 3/2
    assert dice(logits, torch.full((1, 1, 2), 2, dtype=torch.uint8)).item() == pytest.approx(1 - 1 / 2.5)


@given(BATCHES)
def test_cross_entropy_equals_pytorchs(drawn: tuple[int, int, float]) -> None:
    logits, labels = batch(*drawn)
    labels[0, 0, 0] = 0  # PyTorch returns NaN without a labelled pixel
    actual, gradient = with_gradient("cross_entropy", logits, labels)
    leaf = logits.clone().requires_grad_()
    reference = F.cross_entropy(leaf, labels.long(), ignore_index=IGNORED)
    reference.backward()
    torch.testing.assert_close(actual, reference.detach())
    torch.testing.assert_close(gradient, leaf.grad)


@given(BATCHES)
def test_dice_equals_the_plain_implementation(drawn: tuple[int, int, float]) -> None:
    logits, labels = batch(*drawn)
    loss = dice(logits, labels).item()
    assert loss == pytest.approx(plain_dice(logits, labels), abs=1e-5)
    assert 0 <= loss <= 1


@ALL
@given(BATCHES)
def test_ignored_pixels_change_nothing(name: str, drawn: tuple[int, int, float]) -> None:
    logits, labels = batch(*drawn)
    loss, gradient = with_gradient(name, logits, labels)
    ignored = (labels == IGNORED).unsqueeze(1).expand_as(logits)
    assert not gradient[ignored].any()
    changed = torch.where(ignored, -7 * logits, logits)
    torch.testing.assert_close(loss_of(name)(changed, labels), loss)


@ALL
@given(BATCHES)
def test_order_of_pixels_and_a_constant_on_all_logits_change_nothing(name: str, drawn: tuple[int, int, float]) -> None:
    logits, labels = batch(*drawn)
    loss = loss_of(name)(logits, labels)
    torch.testing.assert_close(loss_of(name)(logits.flip(2, 0), labels.flip(1, 0)), loss)
    torch.testing.assert_close(loss_of(name)(logits + 11, labels), loss, rtol=1e-4, atol=1e-5)


@ALL
def test_a_batch_that_is_all_ignored_is_zero_without_gradient(name: str) -> None:
    logits, labels = batch(0, 3, 0.0)
    loss, gradient = with_gradient(name, logits, torch.full_like(labels, IGNORED))
    assert loss == 0
    assert not gradient.any()  # NaN would count as true


@ALL
@pytest.mark.parametrize("size", [1e4, 1e30])
def test_confident_predictions_have_finite_losses(name: str, size: float) -> None:
    _, labels = batch(0, 3, 0.3)
    for sure in (size, -size):
        right = sure * F.one_hot(labels.long().where(labels != IGNORED, 0), 3).permute(0, 3, 1, 2).float()
        loss, gradient = with_gradient(name, right, labels)
        assert loss.isfinite()
        assert gradient.isfinite().all()
        if sure > 0:
            assert loss == 0


@ALL
def test_descent_leads_to_the_truth(name: str) -> None:
    logits, labels = batch(1, 4, 0.2)
    logits.requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.3)
    for _ in range(100):
        optimizer.zero_grad()
        loss_of(name)(logits, labels).backward()
        optimizer.step()
    assert torch.equal(logits.argmax(1)[labels != IGNORED], labels[labels != IGNORED].long())


@ALL
def test_half_precision_is_summed_in_float32(name: str) -> None:
    logits, labels = batch(2, 5, 0.2)
    half = logits.bfloat16()
    loss, gradient = with_gradient(name, half, labels)
    assert loss.dtype == torch.float32
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(loss, loss_of(name)(half.float(), labels))


@ALL
def test_memory_format_changes_nothing(name: str) -> None:
    logits, labels = batch(3, 5, 0.2)
    loss, gradient = with_gradient(name, logits, labels)
    other_loss, other_gradient = with_gradient(name, logits.to(memory_format=torch.channels_last), labels)
    torch.testing.assert_close(other_loss, loss)
    torch.testing.assert_close(other_gradient, gradient)
