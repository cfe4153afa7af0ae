"""ERFNet (Romera et al., IEEE T-ITS 19(1), 2018, Table I): (N, 3, H, W) -> (N, C, H, W), any H and W.

The encoder, `backbone`, ends at 1/8. Its parameters have the names of the authors' ImageNet encoder
(`erfnet_encoder_pretrained.pth.tar` of github.com/Eromera/erfnet_pytorch) without the prefix
`module.features.encoder.`. DarrenNet uses the same blocks. 2,064,256 parameters with 20 classes (paper: 2.06 M).

Epsilon of batch norm (1e-3), biases before it and dropout in the encoder only are those of the authors' code.

Deviations:
- Downsampling rounds up, each transposed 3x3 convolution restores the size before its counterpart, and the last one is
  cropped to the image. The authors' code does not handle sides that are not multiples of 8.
- For images of other channels than three, the first max pooling keeps three of them, repeated if there are fewer.
- Weights are Xavier-uniform; the authors' code uses torch's default.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.layers import initialize

# Width, and dilations of the non-bottlenecks, after each downsampler or upsampler
INITIAL = 16
ENCODER = ((64, (1, 1, 1, 1, 1)), (128, (2, 4, 8, 16, 2, 4, 8, 16)))
DECODER = ((64, (1, 1)), (16, (1, 1)))
ERFNET_DROPOUT = (0.03, 0.3)  # in the two stages of the encoder
_EPSILON = 1e-3


class ERFNet(nn.Module):
    """Encoder to 1/8 and decoder, built of non-bottlenecks with factorized 3x3 convolutions."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.backbone = ERFNetEncoder(ERFNET_DROPOUT)
        self.decoder = ERFNetDecoder(classes)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.backbone(images), images.shape[-2], images.shape[-1])


class ERFNetEncoder(nn.Module):
    """Layers 1 to 16 of Table I: (N, 3, H, W) -> (N, 128, ceil(H / 8), ceil(W / 8))."""

    def __init__(self, dropout: tuple[float, float]) -> None:
        super().__init__()
        self.initial_block = _Downsampler(3, INITIAL)
        self.layers = nn.Sequential()
        inputs = INITIAL
        for (width, dilations), probability in zip(ENCODER, dropout, strict=True):
            self.layers.append(_Downsampler(inputs, width))
            self.layers.extend(non_bottlenecks(width, dilations, probability))
            inputs = width

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(self.initial_block(images))


class ERFNetDecoder(nn.Module):
    """Layers 17 to 23 of Table I: (N, 128, ceil(H / 8), ceil(W / 8)) -> (N, classes, H, W)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        inputs = [ENCODER[-1][0], *(width for width, _ in DECODER)]
        self.up = nn.ModuleList(_Upsampler(a, b) for a, b in pairwise(inputs))
        self.stages = nn.ModuleList(nn.Sequential(*non_bottlenecks(*row)) for row in DECODER)
        self.output = nn.ConvTranspose2d(inputs[-1], classes, 2, stride=2)

    def forward(self, x: Tensor, height: int, width: int) -> Tensor:
        for up, stage, scale in zip(self.up, self.stages, (4, 2), strict=True):
            x = stage(up(x, [-(-height // scale), -(-width // scale)]))
        return self.output(x)[..., :height, :width]


class _Downsampler(nn.Module):
    """3x3 convolution of stride 2 concatenated with 2x2 max pooling; batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs - inputs, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        convolved = self.conv(x)
        pooled = F.max_pool2d(_fitted(x, self.bn.num_features - self.conv.out_channels), 2, ceil_mode=True)
        # Under autocast the images are float32, which would promote the whole block.
        both = torch.cat([convolved, pooled.to(convolved.dtype)], dim=1)
        return F.relu(self.bn(both), inplace=True)


def _fitted(x: Tensor, channels: int) -> Tensor:
    """The first channels, repeated in turn if `x` has fewer: unchanged for images in RGB."""
    if x.shape[1] == channels:
        return x
    return x.repeat(1, -(-channels // x.shape[1]), 1, 1)[:, :channels]


class _Upsampler(nn.Module):
    """3x3 transposed convolution of stride 2, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor, size: list[int]) -> Tensor:
        return F.relu(self.bn(self.conv(x, output_size=size)), inplace=True)


class _NonBottleneck(nn.Module):
    """Non-bottleneck-1D: two pairs of 3x1 and 1x3 convolutions, the second dilated, with a residual connection."""

    def __init__(self, width: int, dilation: int, dropout: float) -> None:
        super().__init__()
        d = dilation
        self.conv3x1_1 = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.conv1x3_1 = nn.Conv2d(width, width, (1, 3), padding=(0, 1))
        self.bn1 = nn.BatchNorm2d(width, eps=_EPSILON)
        self.conv3x1_2 = nn.Conv2d(width, width, (3, 1), padding=(d, 0), dilation=(d, 1))
        self.conv1x3_2 = nn.Conv2d(width, width, (1, 3), padding=(0, d), dilation=(1, d))
        self.bn2 = nn.BatchNorm2d(width, eps=_EPSILON)
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv3x1_1(x), inplace=True)
        y = F.relu(self.bn1(self.conv1x3_1(y)), inplace=True)
        y = F.relu(self.conv3x1_2(y), inplace=True)
        y = self.dropout(self.bn2(self.conv1x3_2(y)))
        return F.relu(y.add_(x), inplace=True)


def non_bottlenecks(width: int, dilations: tuple[int, ...], dropout: float = 0) -> list[nn.Module]:
    """One non-bottleneck of `width` channels per dilation."""
    return [_NonBottleneck(width, dilation, dropout) for dilation in dilations]


def build(classes: int) -> nn.Module:
    """Build ERFNet with the authors' dropout."""
    return ERFNet(classes)
