"""DarrenNet of the study voc2007_erfnet, Tables 1 to 4: (N, 3, H, W) -> (N, C, H, W), any H and W.

ERFNet's blocks with 5 + 8 + 2 + 2 non-bottlenecks, higher dropout and Kaiming initialization. `backbone` is ERFNet's
encoder (pretrained weights of ERFNet fit), or ResNet-34 up to its second stage (128 channels at 1/8, torchvision's
names) in place of everything before non-bottleneck 6. With 21 classes 2,064,321 parameters, or 3,119,237 with
`stem="resnet34"`.

Deviations from the source: `seg.config.code_readings`.
"""

from collections import OrderedDict
from functools import partial
from typing import Literal

from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.erfnet import ENCODER, ERFNetDecoder, ERFNetEncoder, non_bottlenecks
from seg.models.layers import initialize

DARRENNET_DROPOUT = (0.1, 0.5)  # in non-bottlenecks 1 to 5 and 6 to 13


class DarrenNet(nn.Module):
    """Backbone to 1/8, the remaining non-bottlenecks, ERFNet's decoder."""

    def __init__(self, classes: int, stem: str) -> None:
        super().__init__()
        self.backbone: nn.Module
        if stem == "erfnet":
            self.backbone, self.context = ERFNetEncoder(DARRENNET_DROPOUT), nn.Sequential()
        else:
            layers = list(ResNet("resnet34").named_children())  # conv1, bn1, relu, maxpool, layer1, layer2, ...
            self.backbone = nn.Sequential(OrderedDict(layers[:6]))
            self.context = nn.Sequential(*non_bottlenecks(*ENCODER[-1], DARRENNET_DROPOUT[-1]))
        self.decoder = ERFNetDecoder(classes)
        for part in (self,) if stem == "erfnet" else (self.context, self.decoder):
            initialize(part, partial(nn.init.kaiming_normal_, nonlinearity="relu"))

    def forward(self, images: Tensor) -> Tensor:
        return self.decoder(self.context(self.backbone(images)), images.shape[-2], images.shape[-1])


def build(classes: int, *, stem: Literal["erfnet", "resnet34"] = "erfnet") -> nn.Module:
    """Build DarrenNet; `stem` is the beginning of its encoder."""
    return DarrenNet(classes, stem)
