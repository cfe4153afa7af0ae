"""U-Lite of the study bdd100k_lite, section IV.D: (N, 3, H, W) -> (N, C, H, W), H and W of at least 8.

A level of the encoder is two 3x3 convolutions and a 2x2 max pooling. A level of the decoder is a 2x2 transposed
convolution of stride 2 that halves the channels, concatenation with the features of the same size before pooling, and
two 3x3 convolutions. Batch norm and ReLU follow each 3x3 convolution; a 1x1 convolution classifies. Where a side is not
a multiple of 8, each transposed convolution is padded to the size of the features that it is concatenated with.
870,473 parameters with 41 classes.

The study prints no table or figure of U-Lite, only three steps each way, max pooling, upsampling, batch norm and ReLU
(and swaps the words encoder and decoder). Readings and deviations:
- The study calls it a simplified U-Net, so two convolutions per level, skips and the kind of upsampling are those of
  its section II.C on U-Net.
- The widths are ours.
- Convolutions are padded; otherwise the output would be smaller than the image.
- Convolutions before batch norm have no bias, because batch norm cancels it.
"""

import torch
from torch import Tensor, nn

from seg.models.layers import xavier
from seg.models.unet import double

#               level 1, 2, 3
U_LITE_WIDTHS = (32, 64, 128)


class ULite(nn.Module):
    """Encoder, decoder with concatenated skips, 1x1 classifier."""

    def __init__(self, classes: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        back = widths[::-1]
        below = (back[0], *back[:-1])
        self.encoder = nn.ModuleList(double(a, b) for a, b in zip((3, *widths), widths, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(width, width // 2, 2, stride=2) for width in below)
        self.decoder = nn.ModuleList(double(skip + a // 2, skip) for a, skip in zip(below, back, strict=True))
        self.classifier = nn.Conv2d(widths[0], classes, 1)
        xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W). Raises ValueError for a side below 8."""
        if min(images.shape[-2:]) < 8:
            raise ValueError(f"images of {tuple(images.shape[-2:])}: U-Lite halves them three times; use sides >= 8")
        skips = []
        x = images
        for step in self.encoder:
            skips.append(step(x))
            x = self.pool(skips[-1])
        for up, step, skip in zip(self.up, self.decoder, reversed(skips), strict=True):
            x = step(torch.cat([skip, up(x, output_size=list(skip.shape[-2:]))], dim=1))
        return self.classifier(x)


def build(classes: int) -> nn.Module:
    """Build U-Lite."""
    return ULite(classes, U_LITE_WIDTHS)
