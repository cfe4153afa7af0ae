"""DeepLabv3+ against torchvision's atrous pyramid and a plain restatement of the rest, with the same weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.segmentation.deeplabv3 import ASPP

from seg.models import build_model
from seg.models.deeplab import Pyramid, build

BACKBONES = {"resnet50": 23_508_032, "resnet101": 42_500_160, "resnet152": 58_143_808}


def images(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(0))


def perturb(model: nn.Module) -> None:
    """Randomize batch norms."""
    for tensor in model.state_dict().values():
        if tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)


@pytest.mark.parametrize("rates", [(6, 12, 18), (12, 24, 36)])
@pytest.mark.parametrize("training", [False, True])
def test_pyramid_is_that_of_torchvision(rates: tuple[int, ...], training: bool) -> None:
    torch.manual_seed(0)
    actual, reference = Pyramid(64, rates), ASPP(64, rates)
    perturb(actual)
    reference.load_state_dict(dict(zip(reference.state_dict(), actual.state_dict().values(), strict=True)))
    actual.project[-1].p = reference.project[-1].p = 0.0
    x = torch.randn(2, 64, 20, 31)
    with torch.no_grad():
        torch.testing.assert_close(actual.train(training)(x), reference.train(training)(x))
    for mine, other in zip(actual.buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize(("stride", "rates"), [(16, (6, 12, 18)), (8, (12, 24, 36))])
@pytest.mark.parametrize("size", [(64, 96), (33, 65)], ids=str)
def test_forward_is_the_papers(stride: int, rates: tuple[int, ...], size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = build(19, backbone="resnet50", output_stride=stride).eval()
    perturb(model.pyramid)
    assert [branch[0].dilation[0] for branch in model.pyramid.branches] == [1, *rates]
    x = images(*size)
    with torch.no_grad():
        _, low, _, _, deep = model.backbone(x)
        assert (low.shape[1], deep.shape[1]) == (256, 2048)
        assert low.shape[-2:] == tuple(-(-side // 4) for side in size)
        assert deep.shape[-2:] == tuple(-(-side // stride) for side in size)
        up = F.interpolate(model.pyramid(deep), low.shape[-2:], mode="bilinear", align_corners=False)
        conv48, norm48, _ = model.low_level
        y = torch.cat([norm48(conv48(low)).relu(), up], dim=1)
        conv1, norm1, _, conv2, norm2, _ = model.decoder
        y = norm2(conv2(norm1(conv1(y)).relu())).relu()
        y = F.interpolate(model.classifier(y), size, mode="bilinear", align_corners=False)
        torch.testing.assert_close(model(x), y)


@pytest.mark.parametrize("name", BACKBONES)
def test_parameters_are_those_of_the_paper(name: str) -> None:
    pyramid = 2 * 2048 * 256 + 3 * 9 * 2048 * 256 + 5 * 256 * 256 + 6 * 2 * 256
    decoder = 256 * 48 + 2 * 48 + 9 * (48 + 256) * 256 + 9 * 256 * 256 + 2 * 2 * 256 + 256 * 19 + 19
    model = build(19, backbone=name)
    assert sum(parameter.numel() for parameter in model.parameters()) == BACKBONES[name] + pyramid + decoder


@pytest.mark.parametrize("count", [1, 2])
def test_every_parameter_gets_a_gradient(count: int) -> None:
    torch.manual_seed(0)
    model = build_model("deeplab", 5, {"backbone": "resnet50"}).train()
    model(images(33, 65, count)).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in model.parameters())


def test_runs_in_bfloat16_and_channels_last() -> None:
    torch.manual_seed(0)
    model = build(5, backbone="resnet50").to(memory_format=torch.channels_last).train()
    x = images(65, 97).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(x)
    logits.float().square().mean().backward()
    assert logits.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in model.parameters())


def test_new_convolutions_are_xavier_and_biases_zero() -> None:
    torch.manual_seed(0)
    model = build(19, backbone="resnet50")
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and not name.startswith("backbone."):
            bound = math.sqrt(6 / (math.prod(module.kernel_size) * (module.in_channels + module.out_channels)))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.1)
            assert module.bias is None or not module.bias.any()


@pytest.mark.parametrize("options", [{"backbone": "resnet156"}, {"output_stride": 32}], ids=str)
def test_other_options_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match=f"model.options.{next(iter(options))}"):
        build_model("deeplab", 19, options)
