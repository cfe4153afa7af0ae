"""FCN of the studies cityscapes_fcn (Table 1), voc2012_fcn and voc2007_erfnet: (N, 3, H, W) -> (N, C, H, W).

Five 3x3 convolutions of stride 2 reduce the image to 1/32, five transposed ones enlarge it again, and a 1x1 convolution
classifies. H and W are any sizes of at least 1: each transposed convolution restores the size before its counterpart in
the encoder, so its output padding is 1 for even sides and 0 for odd ones. 5,498,195 parameters with 19 classes.

Deviations from the three sources: `seg.config.code_readings`.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from seg.models.layers import initialize

#        conv1 conv2 conv3 conv4 conv5 | deconv6 deconv7 deconv8 deconv9 deconv10
FCN_WIDTHS = (32, 64, 128, 256, 512)
SIXTH_WIDTH = 512
FCN_DROPOUT = (0.1, 0.15)  # after the first convolution and the first transposed one: voc2012_fcn, Table 2


class FCN(nn.Module):
    """Encoder of strided convolutions, decoder of transposed ones, 1x1 classifier."""

    def __init__(
        self, classes: int, widths: tuple[int, ...], activation: str, order: str, dropout: tuple[float, float]
    ) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            FCNBlock(nn.Conv2d, *ends, activation, order, 0.0 if i else dropout[0])
            for i, ends in enumerate(pairwise((3, *widths)))
        )
        # The first transposed convolution keeps the width (512 -> 512), the others reduce it: 256, 128, 64, 32.
        self.decoder = FCNDecoder((widths[-1], *reversed(widths)), activation, order, dropout[1])
        self.classifier = nn.Conv2d(widths[0], classes, 1)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        sizes, x = [], images
        for block in self.encoder:
            sizes.append(x.shape[-2:])
            x = block(x)
        return self.classifier(self.decoder(x, sizes))


class FCNDecoder(nn.ModuleList):
    """Transposed convolutions of stride 2 between consecutive widths; dropout after the first."""

    def __init__(self, widths: tuple[int, ...], activation: str = "relu", order: str = "bn_relu", dropout: float = 0.0):
        super().__init__(
            FCNBlock(nn.ConvTranspose2d, *ends, activation, order, 0.0 if i else dropout)
            for i, ends in enumerate(pairwise(widths))
        )

    def forward(self, x: Tensor, sizes: Sequence[torch.Size]) -> Tensor:
        """Features (N, widths[-1], H, W) of size `sizes[0]`.

        Args:
            x: features (N, widths[0], h, w) of half the last size, rounded up.
            sizes: (H, W) before each convolution of the encoder, each half the one before, rounded up.
        """
        for block, size in zip(self, reversed(sizes), strict=True):
            x = block(x, output_size=list(size))
        return x


class FCNBlock(nn.Module):
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
    """Build the FCN.

    Args:
        classes: channels of the logits.
        depth: number of convolutions of the encoder; 6 is the adapted model of cityscapes_fcn, section 3.4.
        activation: `prelu` is that of the adapted model.
        order: of batch norm and activation: `bn_relu` in cityscapes_fcn, `relu_bn` in the VOC studies.
        dropout: `True` is the custom architecture of voc2012_fcn.
    """
    widths = FCN_WIDTHS if depth == 5 else (*FCN_WIDTHS, SIXTH_WIDTH)
    return FCN(classes, widths, activation, order, FCN_DROPOUT if dropout else (0, 0))
