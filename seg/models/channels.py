"""Networks for images of another number of channels than three."""

import torch
from torch import Tensor, nn

RGB_CHANNELS = 3


def repeat_channels(weight: Tensor, channels: int) -> Tensor:
    """Weights (O, channels, h, w) of a convolution, from those for red, green and blue (O, 3, h, w).

    They are repeated in turn and multiplied by 3 / channels, which keeps the scale of the outputs; for one channel they
    are added. Both are those of timm and segmentation_models_pytorch.
    """
    if channels == 1:
        return weight.sum(1, keepdim=True)
    turns = torch.arange(channels, device=weight.device) % RGB_CHANNELS
    return weight[:, turns] * (RGB_CHANNELS / channels)


def set_input_channels(network: nn.Module, channels: int) -> None:
    """Change the first convolution of a network for RGB images; the other weights do not depend on `channels`."""
    first = next(m for m in network.modules() if isinstance(m, nn.Conv2d) and m.in_channels == RGB_CHANNELS)
    first.in_channels = channels
    first.weight = nn.Parameter(repeat_channels(first.weight.detach(), channels))
