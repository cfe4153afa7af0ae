"""The FCN against a plain restatement of its table, layer after layer, with the same weights."""

from itertools import pairwise

import pytest
import torch
from references import assert_xavier, perturbed
from torch import Tensor, nn
from torch.nn import functional as F

from seg.models import build_model
from seg.models.fcn import build

OUTWARD = (3, 32, 64, 128, 256, 512)
BACK = (512, 512, 256, 128, 64, 32)
VARIANTS = [
    {},
    {"order": "relu_bn"},
    {"depth": 6, "activation": "prelu"},
    {"depth": 6, "activation": "prelu", "order": "relu_bn"},
    {"dropout": True},
    {"order": "relu_bn", "dropout": True},
]


def reference(depth: int = 5, activation: str = "relu", order: str = "bn_relu", dropout: bool = False) -> nn.Sequential:
    """The table as a sequence of torch's own layers; for sides that are multiples of 32 (64 with six)."""
    outward = (*OUTWARD, 512) if depth == 6 else OUTWARD
    back = (512, 512, *BACK[1:]) if depth == 6 else BACK
    bias = order == "relu_bn"
    layers: list[nn.Module] = []

    def block(convolution: nn.Module, width: int) -> None:
        activate = nn.PReLU() if activation == "prelu" else nn.ReLU()
        behind = [nn.BatchNorm2d(width), activate] if order == "bn_relu" else [activate, nn.BatchNorm2d(width)]
        layers.extend([convolution, *behind])

    for a, b in pairwise(outward):
        block(nn.Conv2d(a, b, 3, stride=2, padding=1, bias=bias), b)
    for a, b in pairwise(back):
        block(nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=1, bias=bias), b)
    if dropout:  # a block is three layers; the sixth is the first transposed one
        layers.insert(18, nn.Dropout(0.15))
        layers.insert(3, nn.Dropout(0.1))
    return nn.Sequential(*layers, nn.Conv2d(32, 19, 1))


def with_weights_of(target: nn.Module, source: nn.Module) -> nn.Module:
    target.load_state_dict(dict(zip(target.state_dict(), source.state_dict().values(), strict=True)))
    return target


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("training", [False, True])
def test_is_the_table_layer_by_layer(options: dict, training: bool) -> None:
    actual = perturbed(build(19, **options)).train(training)
    plain = with_weights_of(reference(**options), actual).train(training)
    x = images(64, 128)
    torch.manual_seed(3)
    logits = actual(x)
    torch.manual_seed(3)
    torch.testing.assert_close(logits, plain(x))


@pytest.mark.parametrize("size", [(33, 65), (50, 39), (1, 1), (97, 128), (2, 31)], ids=str)
def test_odd_sides_are_restored_by_output_padding(size: tuple[int, int]) -> None:
    """The same sequence, with output padding 1 for even and 0 for odd sides."""
    actual = perturbed(build(19)).eval()
    plain = with_weights_of(reference(), actual).eval()
    x = y = images(*size)
    sizes: list[tuple[int, int]] = []
    for layer in plain:
        if isinstance(layer, nn.ConvTranspose2d):
            height, width = sizes.pop()
            padding = (1 - height % 2, 1 - width % 2)
            y = F.conv_transpose2d(y, layer.weight, stride=2, padding=1, output_padding=padding)
            continue
        if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
            sizes.append((y.shape[2], y.shape[3]))
        y = layer(y)
    assert actual(x).shape == (2, 19, *size)
    torch.testing.assert_close(actual(x), y)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_weights_are_xavier_uniform_and_biases_zero(options: dict) -> None:
    torch.manual_seed(0)
    assert_xavier(build(19, **options))


def test_the_option_sets_the_activation() -> None:
    kinds = {
        activation: [type(m) for m in build(19, activation=activation).modules() if isinstance(m, nn.ReLU | nn.PReLU)]
        for activation in ("relu", "prelu")
    }
    assert kinds == {"relu": [nn.ReLU] * 10, "prelu": [nn.PReLU] * 10}


def test_dropout_changes_neither_the_drawn_weights_nor_evaluation() -> None:
    models = []
    for dropout in (False, True):
        torch.manual_seed(0)
        models.append(build(19, dropout=dropout))
    plain, dropping = models
    x = images(64, 64)
    assert plain.state_dict().keys() == dropping.state_dict().keys()
    assert not torch.equal(plain.train()(x), dropping.train()(x))
    dropping.load_state_dict(plain.state_dict())
    assert torch.equal(plain.eval()(x), dropping.eval()(x))


@pytest.mark.parametrize(
    "options", [{"depth": 7}, {"activation": "gelu"}, {"order": "bn"}, {"dept": 6}, {"dropout": 0.1}], ids=str
)
def test_other_options_are_refused(options: dict) -> None:
    name = next(iter(options))
    with pytest.raises(ValueError, match=f"model.options.{name}"):
        build_model("fcn", 19, options)
