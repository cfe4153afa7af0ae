"""U-Nets of the studies cityscapes_fcn (Table 3), voc2012_fcn and voc2007_erfnet (Table 6 of both).

(N, 3, H, W) -> (N, classes, H, W), sides of at least 16. A level of the encoder is two 3x3 convolutions and a 2x2 max
pooling; a level of the decoder a 2x2 transposed convolution of stride 2, the encoder's features of the same size
concatenated before it, two 3x3 convolutions. Batch norm and ReLU follow every 3x3 convolution. Sides that are no
multiple of 16 come out at their own size: a transposed convolution ends at the size of the features that it is
concatenated with. 14,695,171 parameters with cityscapes_fcn's widths and 19 classes, 31,038,933 with the others' and
21 classes.

The widths of voc2012_fcn and voc2007_erfnet are the same; voc2007_erfnet has a ReLU behind each transposed convolution.

Deviations: the 3x3 convolutions have no bias, which the batch norm behind them takes out again. voc2007_erfnet prints
no batch norm; ours has it, as the networks that it stands beside. Its conv17 prints 64 input channels, those of the
transposed convolution alone; ours concatenates here as on every other level. Its ReLU on the logits is left out:
behind it, no class could be ruled out.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from seg.models.layers import xavier


class Widths(NamedTuple):
    """Output channels, level by level; `relu`: one behind each transposed convolution."""

    encoder: tuple[int, ...]
    up: tuple[int, ...]
    decoder: tuple[int, ...]
    relu: bool = False


WIDTHS = {
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
        below = (encoder[-1], *decoder)
        self.encoder = nn.ModuleList(double(a, b) for a, b in zip((3, *encoder), encoder, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(below, up, strict=False))
        self.decoder = nn.ModuleList(
            double(skip + b, out) for skip, b, out in zip(reversed(encoder[:-1]), up, decoder, strict=True)
        )
        self.classifier = nn.Conv2d(decoder[-1], classes, 1)
        xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W). Raises ValueError for a side below 16."""
        if min(images.shape[-2:]) < 16:
            raise ValueError(f"images of {tuple(images.shape[-2:])}: the U-Net halves four times; give sides >= 16")
        skips = []
        x = self.encoder[0](images)
        for level in self.encoder[1:]:
            skips.append(x)
            x = level(self.pool(x))
        for up, level, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = up(x, output_size=list(skip.shape[-2:]))
            x = level(torch.cat([skip, x.relu_() if self.relu else x], dim=1))
        return self.classifier(x)


def double(channels: int, width: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def build(
    classes: int, *, widths: Literal["cityscapes_fcn", "voc2012_fcn", "voc2007_erfnet"] = "cityscapes_fcn"
) -> nn.Module:
    """U-Net with the widths of a study's table."""
    return UNet(classes, WIDTHS[widths])
