"""DarrenNet against Table 1 of its study, ERFNet's blocks (tested there) in its order, and torchvision's ResNet-34."""

import math

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet34

from seg.models import build_model, erfnet

CLASSES = 21
STEMS = ["erfnet", "resnet34"]


def build(stem: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model("darrennet", CLASSES, {"stem": stem})


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2))


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("size", [(64, 32), (33, 65), (50, 39), (1, 1)], ids=str)
@pytest.mark.parametrize("stem", STEMS)
def test_logits_have_the_size_of_the_image(stem: str, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert build(stem).eval()(images(*size)).shape == (2, CLASSES, *size)


def test_parameters_are_those_of_the_tables() -> None:
    def non_bottlenecks(width: int, number: int) -> int:  # Table 2
        return number * (4 * (3 * width * width + width) + 2 * 2 * width)

    def downsampler(inputs: int, outputs: int) -> int:  # Table 3
        return (9 * inputs + 1) * (outputs - inputs) + 2 * outputs

    def upsampler(inputs: int, outputs: int) -> int:  # Table 4
        return (9 * inputs + 1) * outputs + 2 * outputs

    def residual(inputs: int, width: int) -> int:  # He et al., Table 1: two 3x3 convolutions, each with batch norm
        projection = inputs * width + 2 * width if inputs != width else 0
        return 9 * inputs * width + 9 * width * width + 4 * width + projection

    first = downsampler(3, 16) + downsampler(16, 64) + non_bottlenecks(64, 5) + downsampler(64, 128)
    rest = non_bottlenecks(128, 8) + upsampler(128, 64) + non_bottlenecks(64, 2)
    rest += upsampler(64, 16) + non_bottlenecks(16, 2) + (4 * 16 + 1) * CLASSES
    resnet = 49 * 3 * 64 + 2 * 64 + 3 * residual(64, 64) + residual(64, 128) + 3 * residual(128, 128)
    assert count(build("erfnet")) == first + rest == 2_064_321
    assert count(build("resnet34")) == resnet + rest == 3_119_237


def test_is_erfnet_with_weights_of_erfnet() -> None:
    """In evaluation mode, where dropout has no effect: the tables are ERFNet's."""
    actual, reference = build("erfnet").eval(), erfnet.build(CLASSES).eval()
    actual.backbone.load_state_dict(reference.backbone.state_dict())
    actual.decoder.load_state_dict(reference.decoder.state_dict())
    with torch.inference_mode():
        assert torch.equal(actual(images(33, 65)), reference(images(33, 65)))


def test_backbone_is_resnet34_up_to_its_second_stage() -> None:
    network = resnet34().eval()
    backbone = build("resnet34").backbone.eval()
    missing, surplus = backbone.load_state_dict(network.state_dict(), strict=False)
    assert not missing
    assert {name.split(".")[0] for name in surplus} == {"layer3", "layer4", "fc"}
    with torch.inference_mode():
        x = network.maxpool(network.bn1(network.conv1(images(64, 33))).relu())
        expected = network.layer2(network.layer1(x))
        assert expected.shape == (2, 128, 8, 5)
        assert torch.equal(backbone(images(64, 33)), expected)


def test_resnet34_replaces_everything_before_non_bottleneck_6() -> None:
    model = build("resnet34").eval()
    rest = erfnet.ERFNetEncoder((0, 0)).eval().layers[7:]
    rest.load_state_dict(dict(zip(rest.state_dict(), model.context.state_dict().values(), strict=True)))
    with torch.inference_mode():
        features = model.backbone(images(64, 64))
        expected = model.decoder(rest(features), 64, 64)
        assert torch.equal(model(images(64, 64)), expected)


def test_dropout_is_higher_than_erfnets() -> None:
    rates = {stem: [module.p for module in build(stem).modules() if isinstance(module, nn.Dropout2d)] for stem in STEMS}
    assert sorted(rates["erfnet"]) == [*4 * [0], *5 * [0.1], *8 * [0.5]]
    assert sorted(rates["resnet34"]) == [*4 * [0], *8 * [0.5]]


@pytest.mark.parametrize("stem", STEMS)
def test_weights_are_kaiming_normal_and_biases_zero(stem: str) -> None:
    model = build(stem)
    parts = [model.context, model.decoder] if stem == "resnet34" else [model]
    for module in (module for part in parts for module in part.modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and module.weight.numel() > 2000:
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx(math.sqrt(2 / fan_in), rel=0.1)
            assert module.weight.abs().max() > 2 * math.sqrt(2 / fan_in)  # a uniform distribution ends at sqrt(3)
            assert not module.bias.any()


@pytest.mark.parametrize("size", [(64, 32), (33, 65)], ids=str)
@pytest.mark.parametrize("stem", STEMS)
def test_every_parameter_gets_a_gradient_also_in_bf16(stem: str, size: tuple[int, int]) -> None:
    model = build(stem).train().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images(*size))
    logits.float().square().mean().backward()
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]


@pytest.mark.parametrize("stem", STEMS)
def test_the_same_seed_gives_the_same_bits(stem: str) -> None:
    def gradients() -> list[Tensor]:
        model = build(stem).train()
        model(images(33, 48)).square().mean().backward()
        return [parameter.grad for parameter in model.parameters()]

    assert all(map(torch.equal, gradients(), gradients()))


def test_another_stem_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.options\.stem"):
        build_model("darrennet", CLASSES, {"stem": "resnet50"})
