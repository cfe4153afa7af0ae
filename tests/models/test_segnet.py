"""SegNet's unpooling against torch's own, the networks against the paper's layers with the same weights."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from references import perturbed
from torch import Tensor, nn

from seg.models import build_model
from seg.models.segnet import build, unpool

CLASSES = 41
# VGG-16's convolutions (Simonyan and Zisserman, Table 1, column D), P where it pools
VGG16 = [64, 64, "P", 128, 128, "P", 256, 256, 256, "P", 512, 512, 512, "P", 512, 512, 512, "P"]
SIZES = [(32, 64), (33, 65), (50, 39), (45, 46), (2, 3), (1, 1)]


def images(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(2))


class Table(nn.Module):
    """Consecutive layers; "P" pools, "U" unpools with torch's max_unpool2d at the indices of its counterpart."""

    def __init__(self, layers: list[nn.Module | str]) -> None:
        super().__init__()
        self.plan = [layer if isinstance(layer, str) else "" for layer in layers]
        self.layers = nn.ModuleList(nn.Identity() if isinstance(layer, str) else layer for layer in layers)

    def forward(self, x: Tensor) -> Tensor:
        pooled = []
        for kind, layer in zip(self.plan, self.layers, strict=True):
            if kind == "P":
                size = x.shape[-2:]
                x, indices = F.max_pool2d(x, 2, stride=2, ceil_mode=True, return_indices=True)
                pooled.append((indices, size))
            elif kind == "U":
                indices, size = pooled.pop()
                x = F.max_unpool2d(x, indices, 2, stride=2, output_size=size)
            else:
                x = layer(x)
        return x


def convolution(inputs: int, outputs: int, kernel: int, relu: bool = True) -> list[nn.Module]:
    behind = [nn.ReLU()] if relu else []
    padding = {3: 1, 7: 3}[kernel]
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=False), nn.BatchNorm2d(outputs), *behind]


def basic() -> Table:
    layers: list[nn.Module | str] = []
    for inputs in (3, 64, 64, 64):
        layers += [*convolution(inputs, 64, 7), "P"]
    for _ in range(4):
        layers += ["U", *convolution(64, 64, 7, relu=False)]
    return Table([*layers, nn.Conv2d(64, CLASSES, 1)])


def vgg16() -> Table:
    """The encoder, then its mirror image: convolutions a -> b become b -> a, the last one outputs the classes."""
    steps: list[str | tuple[int, int]] = []
    inputs = 3
    for width in VGG16:
        steps.append(width if isinstance(width, str) else (inputs, width))
        inputs = inputs if isinstance(width, str) else width
    layers: list[nn.Module | str] = []
    for step in steps:
        layers += [step] if isinstance(step, str) else convolution(*step, 3)
    for step in steps[:0:-1]:
        layers += ["U"] if isinstance(step, str) else convolution(step[1], step[0], 3)
    return Table([*layers, nn.Conv2d(64, CLASSES, 3, padding=1)])


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last], ids=["nchw", "nhwc"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_unpooling_is_torchs_values_and_gradients(
    size: tuple[int, int], dtype: torch.dtype, form: torch.memory_format
) -> None:
    """Half of the values are 0, as after a ReLU: windows of zeros are ties."""
    features = images(*size, count=3).relu().to(dtype).contiguous(memory_format=form)
    pooled, indices = F.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
    weights = images(*size, count=3).to(dtype)
    results = []
    for function in (unpool, lambda x, i, size: F.max_unpool2d(x, i, 2, output_size=size)):
        x = (pooled + 1).detach().requires_grad_()
        y = function(x, indices, size)
        (y * weights).sum().backward()
        results.append((y.detach(), x.grad))
    (actual, actual_gradient), (reference, reference_gradient) = results
    assert actual.dtype == dtype
    assert torch.equal(actual, reference)
    assert torch.equal(actual_gradient, reference_gradient)


def test_a_tie_goes_to_the_first_maximum() -> None:
    features = torch.tensor([[5.0, 5, 0, 7], [5, 5, 7, 0], [0, 0, 1, 2]]).view(1, 1, 3, 4)
    pooled, indices = F.max_pool2d(features, 2, ceil_mode=True, return_indices=True)
    expected = torch.tensor([[5.0, 0, 0, 7], [0, 0, 0, 0], [0, 0, 0, 2]])
    assert torch.equal(unpool(pooled, indices, (3, 4))[0, 0], expected)


def test_unpooling_gives_channels_last_and_passes_the_deterministic_mode() -> None:
    pooled, indices = F.max_pool2d(images(6, 8).to(memory_format=torch.channels_last), 2, return_indices=True)
    pooled.requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        y = unpool(pooled, indices, (6, 8))
        y.sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert y.is_contiguous(memory_format=torch.channels_last)
    assert (pooled.grad == 1).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [(48, 32), (33, 65), (50, 39)], ids=str)
@pytest.mark.parametrize(("depth", "table"), [("basic", basic), ("vgg16", vgg16)])
def test_is_the_paper_layer_by_layer(depth: str, table: type[Table], size: tuple[int, int], training: bool) -> None:
    actual = perturbed(build_model("segnet", CLASSES, {"depth": depth})).train(training)
    plain = table()
    plain.load_state_dict(dict(zip(plain.state_dict(), actual.state_dict().values(), strict=True)))
    x = images(*size)
    with torch.no_grad():
        logits = actual(x)
        torch.testing.assert_close(logits, plain.train(training)(x), rtol=1e-4, atol=1e-4)
    assert logits.shape == (2, CLASSES, *size)


@pytest.mark.parametrize("depth", ["basic", "vgg16"])
def test_logits_have_the_size_of_the_image(depth: str) -> None:
    model = build_model("segnet", 3, {"depth": depth}).eval()
    with torch.inference_mode():
        assert [model(images(*size)).shape for size in SIZES] == [(2, 3, *size) for size in SIZES]


def test_parameters_are_those_of_the_papers_layers() -> None:
    def convolved(widths: list[int], kernel: int) -> int:
        return sum(kernel**2 * a * b + 2 * b for a, b in pairwise(widths))

    def count(model: nn.Module) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    assert count(build(CLASSES)) == convolved([3] + 8 * [64], 7) + 65 * CLASSES == 1_418_025
    encoder = [3, *(width for width in VGG16 if width != "P")]
    mirror = encoder[:0:-1]
    expected = convolved(encoder, 3) + convolved(mirror, 3) + (9 * 64 + 1) * CLASSES
    assert count(build(CLASSES, depth="vgg16")) == expected == 29_458_729


@pytest.mark.parametrize(("depth", "relus"), [("basic", 4), ("vgg16", 25)])
def test_the_decoder_of_the_basic_network_has_no_non_linearity(depth: str, relus: int) -> None:
    model = build_model("segnet", 3, {"depth": depth})
    assert sum(isinstance(module, nn.ReLU) for module in model.modules()) == relus


@pytest.mark.parametrize("size", [(64, 32), (33, 65)], ids=str)
@pytest.mark.parametrize("depth", ["basic", "vgg16"])
def test_every_parameter_gets_a_gradient_also_in_bf16(depth: str, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    model = build_model("segnet", 5, {"depth": depth}).train().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(images(*size))
    assert logits.dtype == torch.bfloat16
    logits.float().square().mean().backward()
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]


def test_the_same_seed_trains_to_the_same_bits() -> None:
    def gradients() -> list[Tensor]:
        torch.manual_seed(0)
        model = build(5).train()
        model(images(33, 48)).square().mean().backward()
        return [parameter.grad for parameter in model.parameters()]

    assert all(map(torch.equal, gradients(), gradients()))


def test_another_depth_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model\.options\.depth"):
        build_model("segnet", 3, {"depth": "vgg19"})
