"""U-Nets of the studies cityscapes_fcn (Table 3), voc2012_fcn and voc2007_erfnet (Table 6 of both).

(N, 3, H, W) -> (N, C, H, W), H and W of at least 16. A level of the encoder is two 3x3 convolutions and a 2x2 max
pooling. A level of the decoder is a 2x2 transposed convolution of stride 2, concatenation with the encoder's features
of the same size, and two 3x3 convolutions. Batch norm and ReLU follow each 3x3 convolution. Where a side is not a
multiple of 16, each transposed convolution is padded to the size of the features that it is concatenated with.
14,695,171 parameters for cityscapes_fcn with 19 classes, 31,038,933 for the other two with 21 classes.

voc2012_fcn and voc2007_erfnet have the same widths; voc2007_erfnet has a ReLU after each transposed convolution.
Deviations from the three sources: `seg.config.code_readings`.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from seg.models.layers import convolutions, initialize


class Widths(NamedTuple):
    """Output channels per level; `relu`: whether a ReLU follows each transposed convolution.

    Levels of the encoder beyond the number of levels of the decoder have neither skip nor pooling.
    """

    encoder: tuple[int, ...]
    up: tuple[int, ...]
    decoder: tuple[int, ...]
    relu: bool = False


UNET_WIDTHS = {
    #                         conv0 .. conv4, two each     deconv4_3 .. deconv7_0  conv5 .. conv8, two each
    "cityscapes_fcn": Widths((64, 128, 256, 512, 512), (512, 256, 128, 64), (256, 128, 64, 16)),
    #                         Conv1 .. Conv5, two each     UpConv1 .. UpConv4      Conv6 .. Conv9, two each
    "voc2012_fcn": Widths((64, 128, 256, 512, 1024), (512, 256, 128, 64), (512, 256, 128, 64)),
    #                         conv1, 2 .. conv9, 10        deconv1 .. deconv4      conv11, 12 .. conv17, 18
    "voc2007_erfnet": Widths((64, 128, 256, 512, 1024), (512, 256, 128, 64), (512, 256, 128, 64), relu=True),
}


class UNet(nn.Module):
    """Encoder, decoder with concatenated skips, 1x1 classifier."""

    def __init__(self, classes: int, widths: Widths) -> None:
        super().__init__()
        encoder, up, decoder, self.relu = widths
        below, skips = (encoder[-1], *decoder), reversed(encoder[: len(decoder)])
        self.encoder = nn.ModuleList(convolutions((a, b, b)) for a, b in pairwise((3, *encoder)))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(below, up, strict=False))
        self.decoder = nn.ModuleList(
            convolutions((skip + b, out, out)) for skip, b, out in zip(skips, up, decoder, strict=True)
        )
        self.classifier = nn.Conv2d(decoder[-1], classes, 1)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images. Raises ValueError if a side is too small to be halved on every level."""
        size, smallest = tuple(images.shape[-2:]), 2 ** len(self.decoder)
        if min(size) < smallest:
            raise ValueError(
                f"images of {size}: the network halves them {len(self.decoder)} times; use sides >= {smallest}"
            )
        skips: list[Tensor] = []
        x = images
        for level in self.encoder:
            x = level(x)
            if len(skips) < len(self.decoder):
                skips.append(x)
                x = self.pool(x)
        for up, level, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = up(x, output_size=list(skip.shape[-2:]))
            x = level(torch.cat([skip, x.relu_() if self.relu else x], dim=1))
        return self.classifier(x)


def build(
    classes: int, *, widths: Literal["cityscapes_fcn", "voc2012_fcn", "voc2007_erfnet"] = "cityscapes_fcn"
) -> nn.Module:
    """Build the U-Net with the widths of a study's table."""
    return UNet(classes, UNET_WIDTHS[widths])
