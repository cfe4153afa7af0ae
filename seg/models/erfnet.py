"""ERFNet (Romera et al., IEEE T-ITS 19(1), 2018, Table I): (N, 3, H, W) -> (N, classes, H, W).

The encoder, `backbone`, ends at 1/8; its parameters have the names of the authors' ImageNet encoder
(`erfnet_encoder_pretrained.pth.tar` of github.com/Eromera/erfnet_pytorch) behind the prefix `module.features.encoder.`,
so that its weights fit. The blocks also build DarrenNet. 2,064,256 parameters with 20 classes (the paper: 2.06 M).

Any H and W of at least 1 come out at their own size: what halves rounds up, a transposed 3x3 convolution ends at the
size of its twin's input, and the last one is cut to the image (the authors leave sides open that are no multiple of 8).
Batch norm's epsilon of 1e-3, biases in front of it and dropout in the encoder alone are those of the authors' code.
Deviation: Xavier-uniform weights, where that code has torch's default.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.layers import xavier

# Width and dilations of the non-bottlenecks behind a downsampler or upsampler
INITIAL = 16
ENCODER = ((64, (1, 1, 1, 1, 1)), (128, (2, 4, 8, 16, 2, 4, 8, 16)))
DECODER = ((64, (1, 1)), (16, (1, 1)))
# In the two stages of the encoder
DROPOUT = (0.03, 0.3)
_EPSILON = 1e-3


class ERFNet(nn.Module):
    """Encoder to 1/8 and decoder back, of non-bottlenecks whose 3x3 convolutions are factorised."""

    def __init__(self, classes: int, dropout: tuple[float, float]) -> None:
        super().__init__()
        self.backbone = Encoder(dropout)
        self.decoder = Decoder(classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        return self.decoder(self.backbone(images), images.shape[-2], images.shape[-1])


class Encoder(nn.Module):
    """Layers 1 to 16 of Table I, (N, 3, H, W) -> (N, 128, H/8, W/8), under the names of the published weights."""

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


class Decoder(nn.Module):
    """Layers 17 to 23 of Table I: (N, 128, H/8, W/8) -> (N, classes, H, W), given an encoder that rounds up."""

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
    """3x3 convolution of stride 2 beside 2x2 max pooling, concatenated; batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs - inputs, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor) -> Tensor:
        convolved = self.conv(x)
        pooled = F.max_pool2d(x, 2, ceil_mode=True)
        # The images are float32 under autocast: not cast, they would raise the whole block to it.
        both = torch.cat([convolved, pooled.to(convolved.dtype)], dim=1)
        return F.relu(self.bn(both), inplace=True)


class _Upsampler(nn.Module):
    """3x3 transposed convolution of stride 2, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1)
        self.bn = nn.BatchNorm2d(outputs, eps=_EPSILON)

    def forward(self, x: Tensor, size: list[int]) -> Tensor:
        return F.relu(self.bn(self.conv(x, output_size=size)), inplace=True)


class _NonBottleneck(nn.Module):
    """Non-bottleneck-1D: 3x1 and 1x3 convolution, twice, the second pair dilated, around a residual connection."""

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
    """A non-bottleneck of `width` channels for each dilation."""
    return [_NonBottleneck(width, dilation, dropout) for dilation in dilations]


def build(classes: int) -> nn.Module:
    """ERFNet with the authors' dropout."""
    model = ERFNet(classes, DROPOUT)
    xavier(model)
    return model
