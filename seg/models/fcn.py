"""FCN of the studies cityscapes_fcn (Table 1), voc2012_fcn and voc2007_erfnet: (N, 3, H, W) -> (N, classes, H, W).

Five 3x3 convolutions of stride 2 halve the image to 1/32, five transposed ones lead back, a 1x1 convolution classifies.
Any H and W of at least 1 come out at their own size: every transposed convolution ends at the size that its twin began
with, so the output padding of the table (1) is that of even sides and 0 that of odd ones. 5,498,195 parameters with
19 classes.

Deviations: Table 1 prints no stride; 2 is our reading. A convolution has no bias where batch norm follows it at once,
which takes it out again. The width of the adapted model's sixth convolution (512, as the fifth) is ours.
"""

from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

#        conv1 conv2 conv3 conv4 conv5 | deconv6 deconv7 deconv8 deconv9 deconv10
WIDTHS = (32, 64, 128, 256, 512)
SIXTH = 512


class FCN(nn.Module):
    """Encoder of strided convolutions, decoder of transposed ones, 1x1 classifier."""

    def __init__(self, classes: int, widths: tuple[int, ...], activation: str, order: str) -> None:
        super().__init__()
        outward = (3, *widths)
        # The first transposed convolution keeps the width (512 -> 512), the others go back down: 256, 128, 64, 32.
        back = (widths[-1], *reversed(widths))
        self.encoder = nn.ModuleList(
            _Block(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=order == "relu_bn"), activation, order)
            for a, b in pairwise(outward)
        )
        self.decoder = nn.ModuleList(
            _Block(nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, bias=order == "relu_bn"), activation, order)
            for a, b in pairwise(back)
        )
        self.classifier = nn.Conv2d(widths[0], classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        sizes = []
        x = images
        for block in self.encoder:
            sizes.append(x.shape[-2:])
            x = block(x)
        for block, size in zip(self.decoder, reversed(sizes), strict=True):
            x = block(x, output_size=list(size))
        return self.classifier(x)


class _Block(nn.Module):
    """A convolution, then batch norm and activation in the study's order."""

    def __init__(self, convolution: nn.Conv2d | nn.ConvTranspose2d, activation: str, order: str) -> None:
        super().__init__()
        norm = nn.BatchNorm2d(convolution.out_channels)
        activate = nn.PReLU() if activation == "prelu" else nn.ReLU(inplace=True)
        self.convolution = convolution
        self.rest = nn.Sequential(norm, activate) if order == "bn_relu" else nn.Sequential(activate, norm)

    def forward(self, x: Tensor, **size: list[int]) -> Tensor:
        return self.rest(self.convolution(x, **size))


def build(
    classes: int,
    *,
    depth: Literal[5, 6] = 5,
    activation: Literal["relu", "prelu"] = "relu",
    order: Literal["bn_relu", "relu_bn"] = "bn_relu",
) -> nn.Module:
    """FCN; with `depth=6, activation="prelu"` the adapted model of section 3.4.

    `order` is that of batch norm and activation: cityscapes_fcn has `bn_relu`, the VOC studies list `relu_bn`.
    """
    return FCN(classes, WIDTHS if depth == 5 else (*WIDTHS, SIXTH), activation, order)
