"""torchvision's ResNets (He et al. 2015) as encoders: (N, 3, H, W) -> features at strides 2, 4, 8, 16 and 32.

Keys of the state are torchvision's, without `fc`. An output stride of 16 or 8 keeps the last stages at that stride and
dilates them instead (rate 2, then 4): the first 3x3 convolution of a dilated stage, which no longer strides, still
reads the grid of the stage before, as in torchvision and in DeepLab. ResNet-34 strides to 32 only.
"""

import torch
from torch import Tensor, nn
from torchvision.models import get_model

# Stages 3, 4 and 5 of the paper (layer2 to layer4): which are dilated.
_DILATED = {32: (False, False, False), 16: (False, False, True), 8: (False, True, True)}


class ResNet(nn.Module):
    """All of a ResNet before its average pooling.

    Attributes:
        channels: of the five features that `forward` gives.
    """

    def __init__(self, name: str, output_stride: int = 32) -> None:
        """Weights are drawn as torchvision draws them (Kaiming-normal by fan-out), but only once."""
        super().__init__()
        with torch.device("meta"):
            whole = get_model(name, weights=None, replace_stride_with_dilation=_DILATED[output_stride])
        deepest = whole.fc.in_features
        self.channels = (64, deepest // 8, deepest // 4, deepest // 2, deepest)
        self.conv1, self.bn1, self.relu, self.maxpool = whole.conv1, whole.bn1, whole.relu, whole.maxpool
        self.layer1, self.layer2, self.layer3, self.layer4 = whole.layer1, whole.layer2, whole.layer3, whole.layer4
        self.to_empty(device="cpu")
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features (N, channels[i], ceil(H / s), ceil(W / s)); s = 2, 4, 8, 16, 32, at most the output stride."""
        features = [self.relu(self.bn1(self.conv1(images)))]
        features.append(self.layer1(self.maxpool(features[-1])))
        for layer in (self.layer2, self.layer3, self.layer4):
            features.append(layer(features[-1]))
        return features
