"""ResNet encoder with the FCN's decoder: (N, 3, H, W) -> (N, C, H, W), any H and W.

cityscapes_fcn, section 3.6 (ResNet-50, 2048 channels), voc2012_fcn, Table 4, and voc2007_erfnet, Table 5 (ResNet-34,
512 channels): a ResNet without average pooling and classifier, five 3x3 transposed convolutions of stride 2, a 1x1
classifier. With 21 classes 25,213,365 parameters on ResNet-34 (21,284,672 of them in the backbone) and 34,514,613 on
ResNet-50 (23,508,032).

Deviations from the three sources: `seg.config.code_readings`.
"""

from typing import Literal

from torch import Tensor, nn

from seg.models.backbones import ResNet
from seg.models.fcn import FCNDecoder
from seg.models.layers import initialize

#                   deconv1 .. deconv5
DECONV_WIDTHS = (512, 256, 128, 64, 32)


class ResNetFCN(nn.Module):
    """ResNet, decoder of transposed convolutions, 1x1 classifier."""

    def __init__(self, classes: int, backbone: str, order: str) -> None:
        super().__init__()
        self.backbone = ResNet(backbone)
        self.decoder = FCNDecoder((self.backbone.channels[-1], *DECONV_WIDTHS), order=order)
        self.classifier = nn.Conv2d(DECONV_WIDTHS[-1], classes, 1)
        initialize(self.decoder)
        initialize(self.classifier)

    def forward(self, images: Tensor) -> Tensor:
        *features, x = self.backbone(images)
        return self.classifier(self.decoder(x, [y.shape[-2:] for y in (images, *features)]))


def build(
    classes: int,
    *,
    backbone: Literal["resnet34", "resnet50", "resnet101", "resnet152"] = "resnet34",
    order: Literal["bn_relu", "relu_bn"] = "bn_relu",
) -> nn.Module:
    """Build a ResNet with the FCN's decoder; `order` is that of batch norm and activation in the decoder."""
    return ResNetFCN(classes, backbone, order)
