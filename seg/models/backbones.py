"""ResNets (He et al. 2015, Table 1) as encoders: (N, 3, H, W) -> features at strides 2, 4, 8, 16 and 32.

Names and arithmetic are torchvision's, so that its weights fit: without `fc`, and a bottleneck strides in its 3x3
convolution, not in the first 1x1. An output stride of 16 or 8 keeps the last stages at that stride and dilates them
instead (rate 2, then 4): the first 3x3 convolution of a dilated stage, which no longer strides, still reads the grid of
the stage before, as in torchvision and in DeepLab. ResNet-34 strides to 32 only.

Not torchvision itself, because importing version 0.29 imports a compiler as well, 2.5 s of every stage on a ResNet.
"""

import torch
from torch import Tensor, nn

# Of stages 2 to 5 (layer1 to layer4) in Table 1
WIDTHS = (64, 128, 256, 512)  # of the 3x3 convolutions
STRIDES = (1, 2, 2, 2)
# By output stride: which of them dilate and do not stride
DILATED = {32: (False, False, False, False), 16: (False, False, False, True), 8: (False, False, True, True)}


class Basic(nn.Module):
    """Two 3x3 convolutions: (N, inputs, H, W) -> (N, width, H / stride, W / stride)."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int, rate: int) -> None:
        super().__init__()
        self.conv1 = _conv3x3(inputs, width, stride, rate)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = _conv3x3(width, width, 1, rate)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class Bottleneck(nn.Module):
    """A 1x1, a 3x3 and a 1x1 convolution: (N, inputs, H, W) -> (N, 4 width, H / stride, W / stride)."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int, rate: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv3x3(width, width, stride, rate)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


# The blocks of Table 1, and how many a stage has
BLOCKS: dict[str, tuple[type[Basic | Bottleneck], tuple[int, ...]]] = {
    "resnet34": (Basic, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}


class ResNet(nn.Module):
    """All of a ResNet before its average pooling.

    Attributes:
        channels: of the five features that `forward` gives.
    """

    def __init__(self, name: str, output_stride: int = 32) -> None:
        """Weights are drawn as torchvision draws them (Kaiming-normal by fan-out), but only once."""
        super().__init__()
        block, counts = BLOCKS[name]
        self.channels = (64, *(width * block.expansion for width in WIDTHS))
        with torch.device("meta"):
            self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
            self.bn1 = nn.BatchNorm2d(64)
            self.relu = nn.ReLU(inplace=True)
            self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
            inputs, rate = 64, 1
            stages = []
            for width, count, stride, dilated in zip(WIDTHS, counts, STRIDES, DILATED[output_stride], strict=True):
                first = block(inputs, width, 1 if dilated else stride, rate)
                rate *= stride if dilated else 1
                inputs = width * block.expansion
                stages.append(nn.Sequential(first, *(block(inputs, width, 1, rate) for _ in range(count - 1))))
            self.layer1, self.layer2, self.layer3, self.layer4 = stages
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


def _conv3x3(inputs: int, outputs: int, stride: int, rate: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=rate, dilation=rate, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """A projection (option B of the paper), where the block changes the size or the width."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
