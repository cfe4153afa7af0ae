"""FCN of the studies cityscapes_fcn (Table 1), voc2012_fcn and voc2007_erfnet: (N, 3, H, W) -> (N, classes, H, W).

Five 3x3 convolutions of stride 2 halve the image to 1/32, five transposed ones lead back, a 1x1 convolution classifies.
Any H and W of at least 1 come out at their own size: every transposed convolution ends at the size that its twin began
with, so the output padding of the table (1) is that of even sides and 0 that of odd ones. 5,498,195 parameters with
19 classes.

Deviations: cityscapes_fcn prints no stride; 2, as in the other two, is our reading. Table 2 of voc2012_fcn has the
headings of stride and padding exchanged. A convolution has no bias where batch norm follows it at once, which takes it
out again. The width of the adapted model's sixth convolution (512, as the fifth) is ours.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from seg.models.layers import xavier

#        conv1 conv2 conv3 conv4 conv5 | deconv6 deconv7 deconv8 deconv9 deconv10
WIDTHS = (32, 64, 128, 256, 512)
SIXTH = 512
# Behind the first convolution and behind the first transposed one: voc2012_fcn, Table 2.
DROPOUT = (0.1, 0.15)


class FCN(nn.Module):
    """Encoder of strided convolutions, decoder of transposed ones, 1x1 classifier."""

    def __init__(
        self, classes: int, widths: tuple[int, ...], activation: str, order: str, dropout: tuple[float, float]
    ) -> None:
        super().__init__()
        outward = (3, *widths)
        # The first transposed convolution keeps the width (512 -> 512), the others go back down: 256, 128, 64, 32.
        back = (widths[-1], *reversed(widths))
        self.encoder = nn.ModuleList(
            Block(nn.Conv2d, *ends, activation, order, 0.0 if i else dropout[0])
            for i, ends in enumerate(pairwise(outward))
        )
        self.decoder = Decoder(back, activation, order, dropout[1])
        self.classifier = nn.Conv2d(widths[0], classes, 1)
        xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        sizes = []
        x = images
        for block in self.encoder:
            sizes.append(x.shape[-2:])
            x = block(x)
        return self.classifier(self.decoder(x, sizes))


class Decoder(nn.ModuleList):
    """Transposed convolutions of stride 2 from width to width; dropout behind the first."""

    def __init__(self, widths: tuple[int, ...], activation: str = "relu", order: str = "bn_relu", dropout: float = 0.0):
        super().__init__(
            Block(nn.ConvTranspose2d, *ends, activation, order, 0.0 if i else dropout)
            for i, ends in enumerate(pairwise(widths))
        )

    def forward(self, x: Tensor, sizes: Sequence[torch.Size]) -> Tensor:
        """Features of the first of `sizes` (H, W).

        Each size is half the one before, rounded up; that of `x` is half the last.
        """
        for block, size in zip(self, reversed(sizes), strict=True):
            x = block(x, output_size=list(size))
        return x


class Block(nn.Module):
    """A 3x3 convolution of stride 2, then batch norm and activation in the study's order, then dropout."""

    def __init__(
        self,
        kind: type[nn.Conv2d | nn.ConvTranspose2d],
        inputs: int,
        outputs: int,
        activation: str,
        order: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.convolution = kind(inputs, outputs, 3, stride=2, padding=1, bias=order == "relu_bn")
        norm = nn.BatchNorm2d(outputs)
        activate = nn.PReLU() if activation == "prelu" else nn.ReLU(inplace=True)
        self.rest = nn.Sequential(*([norm, activate] if order == "bn_relu" else [activate, norm]))
        if dropout:
            self.rest.append(nn.Dropout(dropout))

    def forward(self, x: Tensor, **size: list[int]) -> Tensor:
        return self.rest(self.convolution(x, **size))


def build(
    classes: int,
    *,
    depth: Literal[5, 6] = 5,
    activation: Literal["relu", "prelu"] = "relu",
    order: Literal["bn_relu", "relu_bn"] = "bn_relu",
    dropout: bool = False,
) -> nn.Module:
    """FCN; with `depth=6, activation="prelu"` the adapted model of cityscapes_fcn, section 3.4.

    `order` is that of batch norm and activation: cityscapes_fcn has `bn_relu`, the VOC studies list `relu_bn`.
    `dropout=True` is the custom architecture of voc2012_fcn.
    """
    return FCN(classes, WIDTHS if depth == 5 else (*WIDTHS, SIXTH), activation, order, DROPOUT if dropout else (0, 0))
