"""Layers and initialization shared by several networks."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def convolutions(widths: tuple[int, ...], kernel: int = 3, *, relu: bool = True) -> nn.Sequential:
    """Convolutions between consecutive widths that keep the size, each with batch norm and optionally ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
        if relu:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def initialize(network: nn.Module, draw: Callable[[Tensor], Tensor] = nn.init.xavier_uniform_) -> None:
    """Initialize all convolutions of `network`: weights by `draw`, zero biases.

    Xavier-uniform weights (Glorot and Bengio 2010) are those of the studies in all layers that are not pretrained.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            draw(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Bilinear resizing (`align_corners=False`): (N, C, h, w) -> (N, C, H, W), in the dtype of `x`.

    On a GPU, the deterministic backward pass of `F.interpolate` adds one position after the other. There, the result is
    two matrix products in float32 over channels-last memory; it differs by rounding.

    Args:
        x: features.
        size: (H, W).
    """
    if x.device.type != "cuda":
        return F.interpolate(x, list(size), mode="bilinear")
    with torch.autocast(x.device.type, enabled=False):
        down, across = (_between(*ends, x.device) for ends in zip(x.shape[-2:], size, strict=True))
        rows = x.permute(0, 2, 3, 1).float()
        rows = (down @ rows.flatten(2)).unflatten(2, rows.shape[2:])
        return (across @ rows).to(x.dtype).permute(0, 3, 1, 2)


def _between(before: int, after: int, device: torch.device) -> Tensor:
    """Weights (after, before) float32 of linear interpolation: 1 at the centre of a pixel, 0 at its neighbours'."""
    centres = (torch.arange(after, device=device) + 0.5) * (before / after) - 0.5
    distances = centres.clamp(0, before - 1)[:, None] - torch.arange(before, device=device)
    return (1 - distances.abs()).clamp(min=0)


class BatchNorm(nn.BatchNorm2d):
    """Batch norm that uses its running statistics where a batch has one value per channel, even in training.

    That is a single image whose features have 1x1 pixels, such as the last batch of an epoch: it has no variance.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        if x.numel() > x.shape[1]:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def use_running_statistics(network: nn.Module) -> None:
    """Make every `nn.BatchNorm2d` of a network a `BatchNorm`."""
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = BatchNorm
