"""DeepLabv3+ (Chen et al. 2018) of the study cityscapes_deeplab: (N, 3, H, W) -> (N, C, H, W), any H and W.

ResNet at output stride 16 or 8; atrous spatial pyramid pooling (Table 1 of the study: 1x1, 3x3 at rates 6, 12 and 18,
doubled at output stride 8, and image pooling); a decoder with the low-level features of stride 4. Batch norm and ReLU
follow each convolution but the classifier. Features and logits are upsampled to the required size
(`align_corners=False`). With 19 classes 59,343,795 parameters on ResNet-101 and 74,987,443 on ResNet-152.

Deviations from the source: `seg.config.code_readings`.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.layers import initialize, resize

ASPP_RATES = (6, 12, 18)  # at output stride 16
ASPP_WIDTH = 256
LOW_WIDTH = 48
ASPP_DROPOUT = 0.1


class DeepLab(nn.Module):
    """ResNet, pyramid, decoder, 1x1 classifier."""

    def __init__(self, classes: int, backbone: str, output_stride: int) -> None:
        super().__init__()
        self.backbone = ResNet(backbone, output_stride)
        channels = self.backbone.channels
        self.pyramid = Pyramid(channels[-1], tuple(rate * 16 // output_stride for rate in ASPP_RATES))
        self.low_level = nn.Sequential(*_layer(channels[1], LOW_WIDTH, 1))
        self.decoder = nn.Sequential(*_layer(LOW_WIDTH + ASPP_WIDTH, ASPP_WIDTH, 3), *_layer(ASPP_WIDTH, ASPP_WIDTH, 3))
        self.classifier = nn.Conv2d(ASPP_WIDTH, classes, 1)
        for part in (self.pyramid, self.low_level, self.decoder, self.classifier):
            initialize(part)

    def forward(self, images: Tensor) -> Tensor:
        _, stride4, *_, deepest = self.backbone(images)
        low_level = self.low_level(stride4)
        x = resize(self.pyramid(deepest), low_level.shape[-2:])
        logits = self.classifier(self.decoder(torch.cat([low_level, x], dim=1)))
        return resize(logits, images.shape[-2:])


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: (N, channels, h, w) -> (N, 256, h, w)."""

    def __init__(self, channels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*_layer(channels, ASPP_WIDTH, 1 if rate == 1 else 3, rate)) for rate in (1, *rates)
        )
        convolution, _, relu = _layer(channels, ASPP_WIDTH, 1)
        self.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution, nn.BatchNorm2d(ASPP_WIDTH), relu)
        self.project = nn.Sequential(*_layer((len(rates) + 2) * ASPP_WIDTH, ASPP_WIDTH, 1), nn.Dropout(ASPP_DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.pooling(x).expand(-1, -1, *x.shape[-2:])
        return self.project(torch.cat([*(branch(x) for branch in self.branches), pooled], dim=1))


def _layer(inputs: int, outputs: int, kernel: int, rate: int = 1) -> tuple[nn.Conv2d, nn.BatchNorm2d, nn.ReLU]:
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2 * rate, dilation=rate, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def build(
    classes: int,
    *,
    backbone: Literal["resnet50", "resnet101", "resnet152"] = "resnet101",
    output_stride: Literal[16, 8] = 16,
) -> nn.Module:
    """Build DeepLabv3+ on a ResNet with this output stride."""
    return DeepLab(classes, backbone, output_stride)
