"""U-Lite of the study bdd100k_lite, section IV.D: (N, 3, H, W) -> (N, C, H, W), H and W of at least 8.

A level of the encoder is two 3x3 convolutions and a 2x2 max pooling. A level of the decoder is a 2x2 transposed
convolution of stride 2 that halves the channels, concatenation with the features of the same size before pooling, and
two 3x3 convolutions. Batch norm and ReLU follow each 3x3 convolution; a 1x1 convolution classifies. Where a side is not
a multiple of 8, each transposed convolution is padded to the size of the features that it is concatenated with.
870,473 parameters with 41 classes.

The source prints no table of U-Lite. What is read into its text: `seg.config.code_readings`.
"""

from torch import nn

from seg.models.unet import UNet, Widths

#                       level 1, 2, 3    level 3, 2, 1
U_LITE_WIDTHS = Widths((32, 64, 128), (64, 64, 32), (128, 64, 32))


def build(classes: int) -> nn.Module:
    """Build U-Lite: a `UNet` whose deepest features are pooled once more."""
    return UNet(classes, U_LITE_WIDTHS)
