"""U-Net decoder on a ResNet, `unet_resnet34` of voc2007_erfnet: (N, 3, H, W) -> (N, C, H, W), any H and W.

A level of the decoder is that of the study's U-Net (Table 6): a 2x2 transposed convolution of stride 2 with ReLU,
concatenation with the encoder's features of the same size, two 3x3 convolutions with batch norm and ReLU. The last
level has the size of the image, where the encoder has no features. Where the encoder's features have an odd side, the
surplus row or column of the transposed convolution is cropped. 24,349,781 parameters with ResNet-34 and 21 classes.

Deviations from the source: `seg.config.code_readings`.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.layers import convolutions, initialize

#             stride 16  8   4   2   1
UPCONV_WIDTHS = (256, 128, 64, 32, 16)


class ResNetUNet(nn.Module):
    """ResNet, decoder with concatenated skips, 1x1 classifier."""

    def __init__(self, classes: int, backbone: str) -> None:
        super().__init__()
        self.backbone = ResNet(backbone)
        *skips, deepest = (0, *self.backbone.channels)
        widths = (deepest, *UPCONV_WIDTHS)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        self.decoder = nn.ModuleList(
            convolutions((skip + width, width, width))
            for skip, width in zip(reversed(skips), UPCONV_WIDTHS, strict=True)
        )
        self.classifier = nn.Conv2d(UPCONV_WIDTHS[-1], classes, 1)
        for part in (self.up, self.decoder, self.classifier):
            initialize(part)

    def forward(self, images: Tensor) -> Tensor:
        *skips, x = self.backbone(images)
        for up, level, skip in zip(self.up, self.decoder, (*reversed(skips), images), strict=True):
            height, width = skip.shape[-2:]
            x = up(x).relu_()[..., :height, :width]
            x = level(x if skip is images else torch.cat([skip, x], dim=1))
        return self.classifier(x)


def build(
    classes: int, *, backbone: Literal["resnet34", "resnet50", "resnet101", "resnet152"] = "resnet34"
) -> nn.Module:
    """Build the U-Net on a ResNet."""
    return ResNetUNet(classes, backbone)
