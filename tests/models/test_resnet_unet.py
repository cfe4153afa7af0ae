"""The U-Net decoder on a ResNet against segmentation_models_pytorch's U-Net with equivalent weights."""

import math

import pytest
import segmentation_models_pytorch as smp
import torch
from torch import Tensor, nn

from seg.models.resnet_unet import build

RESNET34, RESNET50 = 21_284_672, 23_508_032


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def folded(actual: nn.Module) -> nn.Module:
    """smp's U-Net with the same weights, for transposed convolutions with four equal, non-negative taps.

    On features that are not negative such a convolution and its ReLU are a 1x1 convolution and nearest upsampling.
    smp's upsampling is nearest; the 1x1 convolution goes into the 3x3 convolution that follows.
    """
    reference = smp.Unet("resnet34", encoder_weights=None, classes=21)
    reference.encoder.load_state_dict(actual.backbone.state_dict())
    with torch.no_grad():
        for block, up, level in zip(reference.decoder.blocks, actual.up, actual.decoder, strict=True):
            first, norm1, _, second, norm2, _ = level
            skip, mixed = first.weight.split([first.in_channels - up.out_channels, up.out_channels], dim=1)
            mixing = up.weight[:, :, 0, 0]  # (below, up)
            block.conv1[0].weight.copy_(torch.cat([torch.einsum("oukl,bu->obkl", mixed, mixing), skip], dim=1))
            block.conv1[1].load_state_dict(norm1.state_dict())
            block.conv2[0].load_state_dict(second.state_dict())
            block.conv2[1].load_state_dict(norm2.state_dict())
        head = reference.segmentation_head[0]
        head.weight.zero_()[:, :, 1:2, 1:2] = actual.classifier.weight  # reference is 3x3
        head.bias.copy_(actual.classifier.bias)
    return reference


@pytest.mark.parametrize("training", [False, True])
def test_is_the_unet_of_smp(training: bool) -> None:
    torch.manual_seed(0)
    actual = build(21)
    for tensor in [*actual.decoder.state_dict().values(), *actual.classifier.state_dict().values()]:
        if tensor.ndim == 1 and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    for up in actual.up:
        up.weight.data = up.weight.data[:, :, :1, :1].abs().repeat(1, 1, 2, 2)
    reference = folded(actual)
    x = images(64, 96)
    with torch.no_grad():
        logits = actual.train(training)(x)
        torch.testing.assert_close(logits, reference.train(training)(x), rtol=1e-3, atol=1e-3 * logits.std().item())


class Level(nn.Module):
    """A level of the study's Table 6: deconv with ReLU, cat, two convolutions with batch norm and ReLU."""

    def __init__(self, below: int, skip: int, width: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose2d(below, width, 2, stride=2)
        self.conv1 = nn.Conv2d(skip + width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        x = torch.cat([skip, self.deconv(x).relu()[..., : skip.shape[2], : skip.shape[3]]], dim=1)
        return self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())).relu()


@pytest.mark.parametrize("size", [(64, 96), (33, 65), (50, 39)], ids=str)
def test_decoder_is_table_6_on_the_features_of_the_encoder(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    actual = build(21).eval()
    for up in actual.up:
        up.bias.data.uniform_(-0.5, 0.5)
    rows = [(512, 256, 256), (256, 128, 128), (128, 64, 64), (64, 64, 32), (32, 0, 16)]
    x = images(*size)
    with torch.no_grad():
        features = actual.backbone(x)
        y = features.pop()
        for row, up, level in zip(rows, actual.up, actual.decoder, strict=True):
            table = Level(*row).eval()
            weights = [*up.state_dict().values(), *level.state_dict().values()]
            table.load_state_dict(dict(zip(table.state_dict(), weights, strict=True)))
            y = table(features.pop() if features else x[:, :0], y)
        torch.testing.assert_close(actual(x), actual.classifier(y))


@pytest.mark.parametrize(
    ("name", "backbone", "channels"),
    [("resnet34", RESNET34, (512, 256, 128, 64, 64, 0)), ("resnet50", RESNET50, (2048, 1024, 512, 256, 64, 0))],
)
def test_parameters_are_backbone_and_rows(name: str, backbone: int, channels: tuple[int, ...]) -> None:
    widths = (256, 128, 64, 32, 16)
    below = (channels[0], *widths)
    decoder = sum(
        4 * b * w + w + 9 * (skip + w) * w + 9 * w * w + 4 * w
        for b, skip, w in zip(below, channels[1:], widths, strict=False)
    )
    model = build(21, backbone=name)
    assert sum(parameter.numel() for parameter in model.parameters()) == backbone + decoder + 16 * 21 + 21


@pytest.mark.parametrize("size", [(1, 1), (33, 65), (50, 39)], ids=str)
def test_logits_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert build(5).eval()(images(*size)).shape == (2, 5, *size)


def test_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    model = build(5).train()
    model(images(33, 65)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_decoder_is_xavier() -> None:
    torch.manual_seed(0)
    model = build(21)
    for module in [*model.up.modules(), *model.decoder.modules(), model.classifier]:
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            kernel = math.prod(module.kernel_size)
            bound = math.sqrt(6 / (kernel * (module.in_channels + module.out_channels)))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert module.bias is None or not module.bias.any()
