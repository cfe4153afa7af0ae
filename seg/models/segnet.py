"""SegNet and SegNet-Basic (Badrinarayanan et al., TPAMI 39(12), 2017): (N, 3, H, W) -> (N, classes, H, W).

SegNet-Basic is the study bdd100k_lite's (section II.B). An encoder convolves and halves by 2x2 max pooling, its decoder
puts every value back where the maximum was, zeros elsewhere, and convolves. Batch norm follows every convolution but
the classifier; ReLU follows it in the encoder, and in the decoder of SegNet only. Any H and W of at least 1 come out at
their own size: pooling rounds up and unpooling ends at the size that was pooled. With 41 classes 1,418,025 parameters,
29,458,729 with `depth="vgg16"`.

Deviations: convolutions in front of batch norm have no bias (VGG-16's have), which the batch norm takes out again. No
contrast normalisation of the input. The study also denies the larger decoder a non-linearity; the authors' published
network has ReLU there, and so has ours. Where the study names two outer layers, ours has the authors' one classifier:
the twin of VGG-16's first convolution, in SegNet-Basic 1x1.
"""

from itertools import pairwise
from typing import Literal, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.layers import xavier


class Plan(NamedTuple):
    """Widths of the convolutions, a row an encoder or decoder, and side of their kernels."""

    encoders: tuple[tuple[int, ...], ...]
    decoders: tuple[tuple[int, ...], ...]
    kernel: int
    classifier_kernel: int
    decoder_relu: bool


PLANS = {
    "basic": Plan(
        encoders=((64,), (64,), (64,), (64,)),
        decoders=((64,), (64,), (64,), (64,)),
        kernel=7,
        classifier_kernel=1,
        decoder_relu=False,
    ),
    "vgg16": Plan(
        encoders=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
        decoders=((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,)),
        kernel=3,
        classifier_kernel=3,
        decoder_relu=True,
    ),
}


class SegNet(nn.Module):
    """Encoders with max pooling, decoders with unpooling at the same places, classifier."""

    def __init__(self, classes: int, plan: Plan) -> None:
        super().__init__()
        rows = ((3,), *plan.encoders, *plan.decoders)
        inputs = [row[-1] for row in rows]
        depth = len(plan.encoders)
        levels = [
            _convolutions((width, *row), plan.kernel, relu=plan.decoder_relu or index < depth)
            for index, (width, row) in enumerate(zip(inputs, rows[1:], strict=False))
        ]
        self.encoders = nn.ModuleList(levels[:depth])
        self.decoders = nn.ModuleList(levels[depth:])
        self.classifier = nn.Conv2d(inputs[-1], classes, plan.classifier_kernel, padding=plan.classifier_kernel // 2)
        xavier(self)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        pooled = []
        x = images
        for encoder in self.encoders:
            x = encoder(x)
            size = x.shape[-2:]
            x, places = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            pooled.append((places, size))
        for decoder, (places, size) in zip(self.decoders, reversed(pooled), strict=True):
            x = decoder(unpool(x, places, (size[0], size[1])))
        return self.classifier(x)


def unpool(x: Tensor, places: Tensor, size: tuple[int, int]) -> Tensor:
    """Values of `x` at the places of their maxima, 0 elsewhere: (N, C, h, w) -> (N, C, H, W), channels-last.

    `torch.max_unpool2d`, which has no deterministic form. Windows that do not overlap name no place twice, so that a
    scatter is deterministic. It runs over (N, H*W, C): channels-last tensors are neither copied here nor for the
    convolution behind, which makes it and its gradient several times faster on a CPU than one over (N, C, H*W).

    Args:
        x: features at the size after pooling.
        places: int64 (N, C, h, w), the indices of `max_pool2d` within H*W.
        size: (H, W) before pooling.
    """
    pixels = size[0] * size[1]
    index = places.permute(0, 2, 3, 1).flatten(1, 2)
    values = x.permute(0, 2, 3, 1).flatten(1, 2)
    whole = x.new_zeros(len(x), pixels, x.shape[1]).scatter_(1, index, values)
    return whole.unflatten(1, size).permute(0, 3, 1, 2)


def _convolutions(widths: tuple[int, ...], kernel: int, *, relu: bool) -> nn.Sequential:
    """Convolutions from width to width that keep the size, each with batch norm and, if asked for, ReLU."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs)]
        if relu:
            layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


def build(classes: int, *, depth: Literal["basic", "vgg16"] = "basic") -> nn.Module:
    """SegNet-Basic, or with `depth="vgg16"` SegNet on VGG-16's 13 convolutions."""
    return SegNet(classes, PLANS[depth])
