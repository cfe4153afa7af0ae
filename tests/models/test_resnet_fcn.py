"""The ResNet encoders against torchvision's, and the FCN decoder on them against its table."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import get_model

from seg.models import build_model
from seg.models.backbones import ResNet
from seg.models.resnet_fcn import build

# Parameters without `fc`, whose 1000 classes have 513,000 parameters in ResNet-34 and 2,049,000 in the others
BACKBONES = {
    "resnet34": 21_797_672 - 513_000,
    "resnet50": 25_557_032 - 2_049_000,
    "resnet101": 44_549_160 - 2_049_000,
    "resnet152": 60_192_808 - 2_049_000,
}
DILATED = {32: [False, False, False], 16: [False, False, True], 8: [False, True, True]}


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone_has_the_keys_and_shapes_of_torchvision(name: str) -> None:
    with torch.device("meta"):
        reference = get_model(name, weights=None).state_dict()
    shapes = {key: tensor.shape for key, tensor in reference.items() if not key.startswith("fc.")}
    actual = build(21, backbone=name).backbone
    assert {key: tensor.shape for key, tensor in actual.state_dict().items()} == shapes
    assert count(actual) == BACKBONES[name]


@pytest.mark.parametrize(("name", "stride"), [("resnet34", 32), ("resnet50", 32), ("resnet50", 16), ("resnet50", 8)])
@pytest.mark.parametrize("training", [False, True])
def test_features_are_those_of_torchvision(name: str, stride: int, training: bool) -> None:
    reference = get_model(name, weights=None, replace_stride_with_dilation=DILATED[stride]).train(training)
    actual = ResNet(name, stride).train(training)
    actual.load_state_dict({key: value for key, value in reference.state_dict().items() if not key.startswith("fc.")})
    x = images(65, 97)
    with torch.no_grad():
        features = actual(x)
        x = reference.relu(reference.bn1(reference.conv1(x)))
        assert torch.equal(features[0], x)
        x = reference.maxpool(x)
        layers = (reference.layer1, reference.layer2, reference.layer3, reference.layer4)
        for i, layer in enumerate(layers, start=1):
            x = layer(x)
            assert torch.equal(features[i], x)
            reduction = min(2 ** (i + 1), stride)
            assert x.shape == (2, actual.channels[i], -(-65 // reduction), -(-97 // reduction))


def test_a_dilated_stage_has_rate_2_after_its_first_convolution() -> None:
    layer4 = ResNet("resnet50", 16).layer4
    assert [block.conv2.dilation for block in layer4] == [(1, 1), (2, 2), (2, 2)]
    assert all(module.stride == (1, 1) for module in layer4.modules() if isinstance(module, nn.Conv2d))


def test_drawn_weights_are_kaiming_and_come_from_the_generator() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(ResNet("resnet34").state_dict())
    first, again, other = states
    for key, tensor in first.items():
        assert torch.equal(tensor, again[key])
        if tensor.ndim == 4:
            assert not torch.equal(tensor, other[key])
            outputs, _, *kernel = tensor.shape
            assert tensor.std().item() == pytest.approx(math.sqrt(2 / (outputs * math.prod(kernel))), rel=0.05)
        elif key.endswith(("running_mean", "bias", "tracked")):
            assert not tensor.any()
        else:
            assert torch.equal(tensor, torch.ones_like(tensor))


@pytest.mark.parametrize("order", ["bn_relu", "relu_bn"])
def test_decoder_is_the_table(order: str) -> None:
    """voc2012_fcn, Table 4: 512-512-256-128-64-32 and the classifier."""
    torch.manual_seed(0)
    actual = build(21, order=order).eval()
    layers: list[nn.Module] = []
    for a, b in pairwise((512, 512, 256, 128, 64, 32)):
        bias = order == "relu_bn"
        layers.append(nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1, bias=bias))
        behind = [nn.BatchNorm2d(b), nn.ReLU()]
        layers.extend(behind if order == "bn_relu" else reversed(behind))
    table = nn.Sequential(*layers, nn.Conv2d(32, 21, 1)).eval()
    weights = [value for key, value in actual.state_dict().items() if not key.startswith("backbone.")]
    for tensor in weights:
        if tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)
    table.load_state_dict(dict(zip(table.state_dict(), weights, strict=True)))
    x = images(64, 96)
    with torch.no_grad():
        torch.testing.assert_close(actual(x), table(actual.backbone(x)[-1]))


@pytest.mark.parametrize(("name", "deepest"), [("resnet34", 512), ("resnet50", 2048)])
def test_parameters_are_backbone_and_table(name: str, deepest: int) -> None:
    widths = [deepest, 512, 256, 128, 64, 32]
    decoder = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    assert count(build(21, backbone=name)) == BACKBONES[name] + decoder + 32 * 21 + 21


@pytest.mark.parametrize("size", [(1, 1), (33, 65), (50, 39)], ids=str)
def test_logits_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert build(5).eval()(images(*size)).shape == (2, 5, *size)


@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_every_parameter_gets_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    model = build(5, backbone=name).train()
    model(images(33, 65)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_decoder_is_xavier_and_the_backbone_unchanged() -> None:
    torch.manual_seed(0)
    backbone = ResNet("resnet34").state_dict()
    torch.manual_seed(0)
    model = build(21)
    assert all(torch.equal(value, backbone[key]) for key, value in model.backbone.state_dict().items())
    for module in model.decoder.modules():
        if isinstance(module, nn.ConvTranspose2d):
            bound = math.sqrt(6 / (9 * (module.in_channels + module.out_channels)))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)


def test_unknown_backbone_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model.options.backbone: got.*'resnet152'"):
        build_model("resnet_fcn", 21, {"backbone": "resnet156"})


@pytest.mark.parametrize(
    ("name", "stride", "message"),
    [
        ("resnet34", 16, "^backbone 'resnet34': got output stride 16, expected 32$"),
        ("resnet50", 4, "^backbone 'resnet50': got output stride 4, expected 32 or 16 or 8$"),
        ("resnet18", 32, "^backbone 'resnet18' is unknown; use one of resnet34, resnet50, resnet101, resnet152$"),
    ],
)
def test_impossible_backbones_are_refused_in_one_line(name: str, stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ResNet(name, stride)
