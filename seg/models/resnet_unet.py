"""U-Net decoder on a ResNet encoder, voc2007_erfnet's `unet_resnet34`: (N, 3, H, W) -> (N, classes, H, W), any H and W.

A level of the decoder is that of the study's U-Net: a 2x2 transposed convolution of stride 2 with ReLU, the encoder's
features of the same size concatenated before it, two 3x3 convolutions with batch norm and ReLU. The last level ends at
the image's own size, where the encoder has no features. Where features have an odd side, the row or column that a
transposed convolution gives beyond them is cut off. 24,349,781 parameters with ResNet-34 and 21 classes.

Deviations: the study says only that the U-Net starts from a pretrained encoder. Rows deconv2 to conv18 of its Table 6
fit ResNet-34 as they stand (deepest features of 512 channels, skips of 256, 128 and 64); the widths of the two finest
levels, 32 and 16, are ours and carry the halving on.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.layers import xavier
from seg.models.unet import double

#      stride 16  8   4   2   1
WIDTHS = (256, 128, 64, 32, 16)


class ResNetUNet(nn.Module):
    """ResNet, decoder with concatenated skips, 1x1 classifier."""

    def __init__(self, classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = ResNet(backbone)
        *skips, deepest = (0, *self.backbone.channels)
        below = (deepest, *WIDTHS)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(below, WIDTHS, strict=False))
        self.decoder = nn.ModuleList(double(skip + b, b) for skip, b in zip(reversed(skips), WIDTHS, strict=True))
        self.classifier = nn.Conv2d(WIDTHS[-1], classes, 1)
        for part in (self.up, self.decoder, self.classifier):
            xavier(part)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        *skips, x = self.backbone(images)
        for up, level, skip in zip(self.up, self.decoder, (*reversed(skips), images), strict=True):
            height, width = skip.shape[-2:]
            x = up(x).relu_()[..., :height, :width]
            x = level(x if skip is images else torch.cat([skip, x], dim=1))
        return self.classifier(x)


def build(
    classes: int, *, backbone: Literal["resnet34", "resnet50", "resnet101", "resnet152"] = "resnet34"
) -> nn.Module:
    """U-Net decoder on a ResNet."""
    return ResNetUNet(classes, backbone)
