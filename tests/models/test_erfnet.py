"""ERFNet against Table I written out over the published names of its weights."""

import math

import pytest
import torch
import torch.nn.functional as F
from references import assert_xavier
from torch import Tensor, nn

from seg.models.erfnet import ERFNET_DROPOUT, build

CLASSES = 20
# Table I, encoder: width, dilation of the non-bottleneck (0: a downsampler), as `layers.0` to `layers.14`
LAYERS = [(64, 0), *5 * [(64, 1)], (128, 0), *2 * [(128, 2), (128, 4), (128, 8), (128, 16)]]
NON_BOTTLENECK = ("conv3x1_1", "conv1x3_1", "bn1", "conv3x1_2", "conv1x3_2", "bn2")
SIZES = [(32, 64), (33, 65), (50, 39), (1, 1), (7, 9)]

State = dict[str, Tensor]


def perturbed(classes: int = CLASSES) -> nn.Module:
    """A model with random batch norms and biases, so that a misplaced one changes the output."""
    torch.manual_seed(0)
    model = build(classes)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1:
            tensor.uniform_(*((0.5, 1.5) if name.endswith(("weight", "var")) else (-0.5, 0.5)))
    return model


def normed(x: Tensor, state: State, name: str) -> Tensor:
    statistics = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return F.batch_norm(x, *statistics, state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-3)


def non_bottleneck(x: Tensor, state: State, name: str, d: int) -> Tensor:
    def convolved(y: Tensor, part: str, padding: tuple[int, int], dilation: tuple[int, int]) -> Tensor:
        weight, bias = state[f"{name}.{part}.weight"], state[f"{name}.{part}.bias"]
        return F.conv2d(y, weight, bias, padding=padding, dilation=dilation)

    y = convolved(x, "conv3x1_1", (1, 0), (1, 1)).relu()
    y = normed(convolved(y, "conv1x3_1", (0, 1), (1, 1)), state, f"{name}.bn1").relu()
    y = convolved(y, "conv3x1_2", (d, 0), (d, 1)).relu()
    y = normed(convolved(y, "conv1x3_2", (0, d), (1, d)), state, f"{name}.bn2")
    return (x + y).relu()


def downsampled(x: Tensor, state: State, name: str) -> Tensor:
    """Pooling rounds up: the last row or column of an odd side is pooled alone."""
    convolved = F.conv2d(x, state[f"{name}.conv.weight"], state[f"{name}.conv.bias"], stride=2, padding=1)
    alone = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2), value=-math.inf)
    return normed(torch.cat([convolved, F.max_pool2d(alone, 2)], 1), state, f"{name}.bn").relu()


def encoded(x: Tensor, state: State) -> Tensor:
    """The encoder in evaluation mode, from weights with the published names."""
    x = downsampled(x, state, "initial_block")
    for index, (_, dilation) in enumerate(LAYERS):
        name = f"layers.{index}"
        x = non_bottleneck(x, state, name, dilation) if dilation else downsampled(x, state, name)
    return x


def decoded(x: Tensor, state: State) -> Tensor:
    """The decoder in evaluation mode, for sides that are multiples of 8."""
    for level in (0, 1):
        weight, bias = state[f"up.{level}.conv.weight"], state[f"up.{level}.conv.bias"]
        x = F.conv_transpose2d(x, weight, bias, stride=2, padding=1, output_padding=1)
        x = normed(x, state, f"up.{level}.bn").relu()
        for index in (0, 1):
            x = non_bottleneck(x, state, f"stages.{level}.{index}", 1)
    return F.conv_transpose2d(x, state["output.weight"], state["output.bias"], stride=2)


def images(height: int, width: int, count: int = 2) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_encoder_is_table_i(size: tuple[int, int]) -> None:
    backbone = perturbed().backbone.eval()
    with torch.no_grad():
        features = backbone(images(*size))
        torch.testing.assert_close(features, encoded(images(*size), backbone.state_dict()))
    assert features.shape == (2, 128, math.ceil(size[0] / 8), math.ceil(size[1] / 8))


def test_network_is_table_i() -> None:
    model = perturbed().eval()
    with torch.no_grad():
        expected = decoded(encoded(images(32, 64), model.backbone.state_dict()), model.decoder.state_dict())
        torch.testing.assert_close(model(images(32, 64)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_logits_have_the_size_of_the_image(size: tuple[int, int]) -> None:
    with torch.inference_mode():
        assert perturbed().eval()(images(*size)).shape == (2, CLASSES, *size)


def test_backbone_takes_the_published_encoder() -> None:
    """Names with the prefix `module.features.encoder.`, and no `num_batches_tracked`, as in old versions of torch."""
    batch_norm = ("weight", "bias", "running_mean", "running_var")
    published = [f"initial_block.{part}" for part in ("conv.weight", "conv.bias", *(f"bn.{n}" for n in batch_norm))]
    for index, (_, dilation) in enumerate(LAYERS):
        for part in NON_BOTTLENECK if dilation else ("conv", "bn"):
            tensors = batch_norm if part.startswith("bn") else ("weight", "bias")
            published += [f"layers.{index}.{part}.{tensor}" for tensor in tensors]
    backbone = perturbed().backbone
    state = {name: tensor for name, tensor in backbone.state_dict().items() if not name.endswith("batches_tracked")}
    assert sorted(state) == sorted(published)
    other = build(CLASSES).backbone
    other.load_state_dict(state)
    assert all(torch.equal(other.state_dict()[name], tensor) for name, tensor in state.items())


def test_parameters_are_those_of_table_i() -> None:
    def non_bottlenecks(width: int, count: int) -> int:
        return count * (4 * (3 * width * width + width) + 2 * 2 * width)

    def downsampler(inputs: int, outputs: int) -> int:
        return (9 * inputs + 1) * (outputs - inputs) + 2 * outputs

    def upsampler(inputs: int, outputs: int) -> int:
        return (9 * inputs + 1) * outputs + 2 * outputs

    encoder = downsampler(3, 16) + downsampler(16, 64) + non_bottlenecks(64, 5)
    encoder += downsampler(64, 128) + non_bottlenecks(128, 8)
    decoder = upsampler(128, 64) + non_bottlenecks(64, 2) + upsampler(64, 16) + non_bottlenecks(16, 2)
    model = build(CLASSES)
    assert sum(parameter.numel() for parameter in model.backbone.parameters()) == encoder == 1_874_044
    expected = encoder + decoder + (4 * 16 + 1) * CLASSES
    assert sum(parameter.numel() for parameter in model.parameters()) == expected == 2_064_256


def test_dropout_is_the_authors() -> None:
    model = build(CLASSES)
    assert [m.p for m in model.backbone.modules() if isinstance(m, nn.Dropout2d)] == [*5 * [0.03], *8 * [0.3]]
    assert [m.p for m in model.decoder.modules() if isinstance(m, nn.Dropout2d)] == 4 * [0]
    assert ERFNET_DROPOUT == (0.03, 0.3)


@pytest.mark.parametrize("size", [(32, 64), (33, 65)], ids=str)
@pytest.mark.parametrize("bf16", [False, True])
def test_every_parameter_gets_a_gradient(size: tuple[int, int], bf16: bool) -> None:
    model = perturbed().train().to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        logits = model(images(*size))
    logits.float().square().mean().backward()
    assert not [name for name, parameter in model.named_parameters() if not parameter.grad.any()]


def test_bf16_is_kept_from_the_first_block_on() -> None:
    model = perturbed().eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert model.backbone.initial_block(images(32, 64)).dtype == torch.bfloat16


def test_the_same_seed_gives_the_same_bits_dropout_included() -> None:
    def gradients() -> list[Tensor]:
        model = perturbed().train()
        torch.manual_seed(3)
        model(images(33, 48)).square().mean().backward()
        return [parameter.grad for parameter in model.parameters()]

    assert all(map(torch.equal, gradients(), gradients()))


def test_weights_are_xavier_uniform_and_biases_zero() -> None:
    torch.manual_seed(0)
    model = build(CLASSES)
    assert_xavier(model, rel=0.15)
    assert all(m.bias is not None for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d))
