"""U-Net of the study cityscapes_fcn, Table 3: (N, 3, H, W) -> (N, classes, H, W), sides of at least 16.

A level of the encoder is two 3x3 convolutions and a 2x2 max pooling; a level of the decoder a 2x2 transposed
convolution of stride 2, the encoder's features of the same size concatenated before it, two 3x3 convolutions. Batch
norm and ReLU follow every 3x3 convolution. Sides that are no multiple of 16 come out at their own size: a transposed
convolution ends at the size of the features that it is concatenated with. 14,695,171 parameters with 19 classes.

Deviations: the 3x3 convolutions have no bias, which the batch norm behind them takes out again.
"""

import torch
from torch import Tensor, nn

#                    conv0 conv1 conv2 conv3 conv4
ENCODER = (64, 128, 256, 512, 512)
#                    deconv4_3 deconv5_2 deconv6_1 deconv7_0
UP = (512, 256, 128, 64)
#                    conv5 conv6 conv7 conv8
DECODER = (256, 128, 64, 16)


class UNet(nn.Module):
    """Encoder, decoder with concatenated skips, 1x1 classifier."""

    def __init__(self, classes: int, encoder: tuple[int, ...], up: tuple[int, ...], decoder: tuple[int, ...]) -> None:
        super().__init__()
        below = (encoder[-1], *decoder)
        self.encoder = nn.ModuleList(_double(a, b) for a, b in zip((3, *encoder), encoder, strict=False))
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in zip(below, up, strict=False))
        self.decoder = nn.ModuleList(
            _double(skip + b, out) for skip, b, out in zip(reversed(encoder[:-1]), up, decoder, strict=True)
        )
        self.classifier = nn.Conv2d(decoder[-1], classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

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
            x = level(torch.cat([skip, up(x, output_size=list(skip.shape[-2:]))], dim=1))
        return self.classifier(x)


def _double(channels: int, width: int) -> nn.Sequential:
    """Two 3x3 convolutions, each with batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def build(classes: int) -> nn.Module:
    """U-Net with the widths of Table 3."""
    return UNet(classes, ENCODER, UP, DECODER)
