"""SegNet and SegNet-Basic (Badrinarayanan et al., TPAMI 39(12), 2017): (N, 3, H, W) -> (N, C, H, W), any H and W.

SegNet-Basic is that of the study bdd100k_lite (section II.B). Each encoder convolves and then halves the size by 2x2
max pooling; its decoder puts each value back at the position of the maximum, with zeros elsewhere, and convolves. Batch
norm follows each convolution but the classifier; ReLU follows it in the encoder, and in SegNet also in the decoder.
Pooling rounds up, and unpooling restores the size before pooling.
1,418,025 parameters with 41 classes, 29,458,729 with `depth="vgg16"`.

The classifier is the counterpart of VGG-16's first convolution in SegNet, a 1x1 convolution in SegNet-Basic. Deviations
from the source: `seg.config.code_readings`.
"""

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.models.layers import convolutions, initialize


class SegNetPlan(NamedTuple):
    """Widths of the convolutions, one row per encoder or decoder, and kernel sizes."""

    encoders: tuple[tuple[int, ...], ...]
    decoders: tuple[tuple[int, ...], ...]
    kernel: int
    classifier_kernel: int
    decoder_relu: bool


SEGNET_PLANS = {
    "basic": SegNetPlan(4 * ((64,),), 4 * ((64,),), kernel=7, classifier_kernel=1, decoder_relu=False),
    "vgg16": SegNetPlan(
        encoders=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
        decoders=((512, 512, 512), (512, 512, 256), (256, 256, 128), (128, 64), (64,)),
        kernel=3,
        classifier_kernel=3,
        decoder_relu=True,
    ),
}


class SegNet(nn.Module):
    """Encoders with max pooling, decoders with unpooling at the same positions, classifier."""

    def __init__(self, classes: int, plan: SegNetPlan) -> None:
        super().__init__()
        self.encoders, self.decoders = nn.ModuleList(), nn.ModuleList()
        width = 3
        for levels, rows in ((self.encoders, plan.encoders), (self.decoders, plan.decoders)):
            relu = plan.decoder_relu or levels is self.encoders
            for row in rows:
                levels.append(convolutions((width, *row), plan.kernel, relu=relu))
                width = row[-1]
        self.classifier = nn.Conv2d(width, classes, plan.classifier_kernel, padding=plan.classifier_kernel // 2)
        initialize(self)

    def forward(self, images: Tensor) -> Tensor:
        pooled, x = [], images
        for encoder in self.encoders:
            x = encoder(x)
            size = x.shape[-2:]
            x, positions = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            pooled.append((positions, size))
        for decoder, (positions, size) in zip(self.decoders, reversed(pooled), strict=True):
            x = decoder(unpool(x, positions, (size[0], size[1])))
        return self.classifier(x)


def unpool(x: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    """Max unpooling: (N, C, h, w) -> (N, C, H, W), channels-last.

    `torch.max_unpool2d` has no deterministic implementation on a GPU, and a scatter sorts all positions to be
    deterministic. There, each window of 2x2 pixels selects instead: every pixel is the value or 0. On a CPU a scatter
    takes half the time; it runs over (N, H*W, C), so that channels-last tensors are copied neither here nor for the
    next convolution. Windows do not overlap, so both are deterministic, with equal results.

    Args:
        x: features of the size after pooling.
        positions: int64 (N, C, h, w), indices of `max_pool2d` within H*W.
        size: (H, W) before pooling.
    """
    unpooled = _selected if x.device.type == "cuda" else _scattered
    return unpooled(x.permute(0, 2, 3, 1), positions.permute(0, 2, 3, 1), size).permute(0, 3, 1, 2)


def _scattered(x: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    whole = x.new_zeros(x.shape[0], size[0] * size[1], x.shape[-1])
    return whole.scatter_(1, positions.flatten(1, 2), x.flatten(1, 2)).unflatten(1, size)


def _selected(x: Tensor, positions: Tensor, size: tuple[int, int]) -> Tensor:
    down, across = (torch.arange(length, device=x.device) for length in x.shape[1:3])
    first = 2 * (size[1] * down[:, None, None] + across[:, None])  # positions (h, w, 1) of the windows' first pixels
    window = torch.arange(2, device=x.device)
    places = size[1] * window[:, None, None, None] + window[:, None]  # (2, 1, 2, 1), within a window
    chosen = (positions - first)[:, :, None, :, None] == places  # (N, h, 2, w, 2, C)
    whole = torch.where(chosen, x[:, :, None, :, None], 0)
    return whole.flatten(3, 4).flatten(1, 2)[:, : size[0], : size[1]]


def build(classes: int, *, depth: Literal["basic", "vgg16"] = "basic") -> nn.Module:
    """Build SegNet-Basic, or with `depth="vgg16"` SegNet on VGG-16's 13 convolutions."""
    return SegNet(classes, SEGNET_PLANS[depth])
