"""U-Lite against its layers written out by hand, with the same weights."""

import pytest
import torch
from references import assert_xavier, concatenated, copy
from torch import Tensor, nn

from seg.models.u_lite import build

CLASSES = 41


class Layers(nn.Module):
    """Three levels down, three up, one line per level."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2, self.down3 = double(3, 32), double(32, 64), double(64, 128)
        self.up3 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.up2 = nn.ConvTranspose2d(128, 64, 2, stride=2)
        self.up1 = nn.ConvTranspose2d(64, 32, 2, stride=2)
        self.back3, self.back2, self.back1 = double(128 + 64, 128), double(64 + 64, 64), double(32 + 32, 32)
        self.classifier = nn.Conv2d(32, CLASSES, 1)
        self.pool = nn.MaxPool2d(2, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(self.pool(first))
        third = self.down3(self.pool(second))
        y = self.back3(concatenated(third, self.up3, self.pool(third)))
        y = self.back2(concatenated(second, self.up2, y))
        y = self.back1(concatenated(first, self.up1, y))
        return self.classifier(y)


def double(inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, width):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)


def pair(size: tuple[int, int]) -> tuple[nn.Module, nn.Module, Tensor]:
    """The network and the layers with the same random weights, and images."""
    torch.manual_seed(0)
    actual, layers = build(CLASSES), Layers()
    copy(actual, layers)
    return actual, layers, torch.randn(2, 3, *size)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(32, 48), (8, 8), (33, 65), (47, 31)], ids=str)
def test_is_its_layers(size: tuple[int, int], training: bool) -> None:
    actual, layers, images = pair(size)
    with torch.no_grad():
        logits = actual.train(training)(images)
        torch.testing.assert_close(logits, layers.train(training)(images), rtol=1e-4, atol=1e-4)
    assert logits.shape == (2, CLASSES, *size)


def test_parameters_are_those_of_its_layers() -> None:
    def doubled(inputs: int, width: int) -> int:
        return 9 * inputs * width + 9 * width * width + 2 * 2 * width

    down = doubled(3, 32) + doubled(32, 64) + doubled(64, 128)
    up = (4 * 128 * 64 + 64) + (4 * 128 * 64 + 64) + (4 * 64 * 32 + 32)
    back = doubled(128 + 64, 128) + doubled(64 + 64, 64) + doubled(32 + 32, 32)
    expected = down + up + back + 33 * CLASSES
    assert sum(parameter.numel() for parameter in build(CLASSES).parameters()) == expected == 870_473


@pytest.mark.parametrize("size", [(32, 48), (33, 65)], ids=str)
def test_every_parameter_gets_a_gradient_also_in_bf16(size: tuple[int, int]) -> None:
    actual, _, images = pair(size)
    with torch.autocast("cpu", torch.bfloat16):
        logits = actual.train().to(memory_format=torch.channels_last)(images)
    logits.float().square().mean().backward()
    assert not [name for name, parameter in actual.named_parameters() if not parameter.grad.any()]


def test_the_same_seed_gives_the_same_bits() -> None:
    (one, _, images), (other, _, _) = pair((33, 48)), pair((33, 48))
    for model in (one, other):
        model.train()(images).square().mean().backward()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_weights_are_xavier_uniform_and_biases_zero() -> None:
    torch.manual_seed(0)
    assert_xavier(build(CLASSES))


@pytest.mark.parametrize("size", [(7, 64), (64, 4)], ids=str)
def test_sides_that_cannot_be_halved_three_times_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"images of \(\d+, \d+\).*use sides >= 8"):
        build(CLASSES)(torch.zeros(1, 3, *size))
