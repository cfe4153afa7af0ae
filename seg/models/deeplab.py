"""DeepLabv3+ (Chen et al. 2018) of the study cityscapes_deeplab: (N, 3, H, W) -> (N, classes, H, W), any H and W.

ResNet at output stride 16 or 8, atrous spatial pyramid pooling (Table 1 of the study: 1x1, and 3x3 at rates 6, 12, 18,
doubled at output stride 8; image pooling), a decoder that joins low-level features of stride 4. Batch norm and ReLU
follow every convolution but the classifier. With 19 classes 59,343,795 parameters on ResNet-101 and 74,987,443 on
ResNet-152, where the study prints "ResNet156".

Deviations: features and logits are upsampled to the size they need, corners not aligned, where the study says "by 4".
ResNet's last stage has rate 2, as the study says, no multi-grid; its first 3x3 convolution keeps rate 1, as in
torchvision. Convolutions are plain, not separable. The study speaks of a dropout value without giving it; ours is 0.1
behind the pyramid, as in the paper's own code. The batch norm of the image pooling sees one value a channel and image:
in a batch of a single image it has no variance, and its running statistics stand in.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.layers import PooledNorm, xavier

RATES = (6, 12, 18)  # at output stride 16
WIDTH = 256
LOW_LEVEL = 48
DROPOUT = 0.1


class DeepLab(nn.Module):
    """ResNet, pyramid, decoder, 1x1 classifier."""

    def __init__(self, classes: int, backbone: str, output_stride: int) -> None:
        super().__init__()
        self.backbone = ResNet(backbone, output_stride)
        channels = self.backbone.channels
        self.pyramid = Pyramid(channels[-1], tuple(rate * 16 // output_stride for rate in RATES))
        self.low_level = nn.Sequential(*_layer(channels[1], LOW_LEVEL, 1))
        self.decoder = nn.Sequential(*_layer(LOW_LEVEL + WIDTH, WIDTH, 3), *_layer(WIDTH, WIDTH, 3))
        self.classifier = nn.Conv2d(WIDTH, classes, 1)
        for part in (self.pyramid, self.low_level, self.decoder, self.classifier):
            xavier(part)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        _, stride4, *_, deepest = self.backbone(images)
        low_level = self.low_level(stride4)
        x = F.interpolate(self.pyramid(deepest), low_level.shape[-2:], mode="bilinear")
        logits = self.classifier(self.decoder(torch.cat([low_level, x], dim=1)))
        return F.interpolate(logits, images.shape[-2:], mode="bilinear")


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: (N, channels, h, w) -> (N, 256, h, w)."""

    def __init__(self, channels: int, rates: tuple[int, ...]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(*_layer(channels, WIDTH, 1 if rate == 1 else 3, rate)) for rate in (1, *rates)
        )
        convolution, _, relu = _layer(channels, WIDTH, 1)
        self.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), convolution, PooledNorm(WIDTH), relu)
        self.project = nn.Sequential(*_layer((len(rates) + 2) * WIDTH, WIDTH, 1), nn.Dropout(DROPOUT))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.interpolate(self.pooling(x), x.shape[-2:])
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
    """DeepLabv3+ on a ResNet that strides to `output_stride`."""
    return DeepLab(classes, backbone, output_stride)
