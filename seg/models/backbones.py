"""ResNets (He et al. 2015, Table 1) as encoders: (N, 3, H, W) -> features at strides 2, 4, 8, 16 and 32.

The layers, their names, their initialization (Kaiming normal, fan-out) and the published weights are torchvision's.
"""

from torch import Tensor, nn
from torchvision.models import get_model

CHANNELS = {  # of the five features
    "resnet34": (64, 64, 128, 256, 512),
    **dict.fromkeys(("resnet50", "resnet101", "resnet152"), (64, 256, 512, 1024, 2048)),
}
FEATURES = ("relu", "layer1", "layer2", "layer3", "layer4")  # modules whose outputs are the features


class ResNet(nn.Module):
    """A ResNet of torchvision without average pooling and classifier.

    At output stride 16 or 8 the last one or two stages dilate (rates 2, then 4) instead of striding. The first 3x3
    convolution of a dilated stage keeps the rate of the stage before it, as in DeepLab.

    Args:
        name: key of `CHANNELS`.
        output_stride: 32, or 16 or 8 for networks with bottleneck blocks (all but ResNet-34).

    Attributes:
        channels: numbers of channels of the five features.

    Raises:
        ValueError: the name is unknown, or the network cannot have this output stride.
    """

    def __init__(self, name: str, output_stride: int = 32) -> None:
        super().__init__()
        if name not in CHANNELS:
            raise ValueError(f"backbone '{name}' is unknown; use one of {', '.join(CHANNELS)}")
        possible = (32,) if name == "resnet34" else (32, 16, 8)
        if output_stride not in possible:
            expected = " or ".join(map(str, possible))
            raise ValueError(f"backbone '{name}': got output stride {output_stride}, expected {expected}")
        self.channels = CHANNELS[name]
        dilated = (False, output_stride == 8, output_stride < 32)  # layer2, layer3, layer4
        network = get_model(name, weights=None, replace_stride_with_dilation=dilated)
        for child, module in network.named_children():
            if child not in ("avgpool", "fc"):
                self.add_module(child, module)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features (N, channels[i], ceil(H / s), ceil(W / s)) for s = 2, 4, 8, 16, 32, at most the output stride."""
        features, x = [], images
        for name, module in self.named_children():
            x = module(x)
            if name in FEATURES:
                features.append(x)
        return features
