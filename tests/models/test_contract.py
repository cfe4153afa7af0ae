"""Requirements that every network of `params.yaml` must meet: shapes, gradients, seeds."""

from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from seg.config.params import read_params
from seg.config.recipe import Recipe
from seg.config.schema import SMALLEST_SIDE
from seg.models import build_model
from seg.system.files import canonical_json
from seg.training.losses import make_loss

PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
VARIANTS = [(study, variant) for study in PARAMS.studies for variant in PARAMS.variants(study)]
CLASSES = 19
SIZES = [(64, 96), (33, 65), (50, 39)]


class Row(NamedTuple):
    """A layer of a paper's table, and the number of parameters of the norm or activation after it."""

    kernel: int
    inputs: int
    outputs: int
    after: int = 0
    bias: bool = False

    @property
    def parameters(self) -> int:
        return self.kernel**2 * self.inputs * self.outputs + self.bias * self.outputs + self.after


def chain(kernel: int, widths: list[int], activation: int = 0) -> list[Row]:
    """Layers between consecutive widths without bias, each with scale and shift of batch norm and an activation."""
    return [Row(kernel, a, b, after=2 * b + activation) for a, b in pairwise(widths)]


# Chen et al., Table 1: conv1 to conv5, deconv6 to deconv10, conv_final
FCN = [*chain(3, [3, 32, 64, 128, 256, 512, 512, 256, 128, 64, 32]), Row(1, 32, CLASSES, bias=True)]
# Section 3.4: a sixth convolution, hence a sixth transposed one; PReLU has one parameter
ADAPTED = [
    *chain(3, [3, 32, 64, 128, 256, 512, 512, 512, 512, 256, 128, 64, 32], activation=1),
    Row(1, 32, CLASSES, bias=True),
]
# Table 3, row by row
UNET = [
    *chain(3, [3, 64, 64, 128, 128, 256, 256, 512, 512, 512, 512]),
    Row(2, 512, 512, bias=True),
    *chain(3, [512 + 512, 256, 256]),
    Row(2, 256, 256, bias=True),
    *chain(3, [256 + 256, 128, 128]),
    Row(2, 128, 128, bias=True),
    *chain(3, [128 + 128, 64, 64]),
    Row(2, 64, 64, bias=True),
    *chain(3, [64 + 64, 16, 16]),
    Row(1, 16, CLASSES, bias=True),
]
TABLES = {
    ("cityscapes_fcn", "baseline"): FCN,
    ("cityscapes_fcn", "augmented"): FCN,
    ("cityscapes_fcn", "augmented_full_resolution"): FCN,
    ("cityscapes_fcn", "adapted"): ADAPTED,
    ("cityscapes_fcn", "dice"): FCN,
    ("cityscapes_fcn", "unet"): UNET,
}


def recipe_of(study: str, variant: str) -> Recipe:
    return PARAMS.recipe("paper", study, variant, seed=0)


# Variants that differ in their training share a network, which is tested once.
NETWORKS = {canonical_json(recipe_of(*name).model.model_dump()): name for name in reversed(VARIANTS)}


def build(recipe: Recipe, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(recipe.model.name, CLASSES, recipe.model.options)


def inputs(size: tuple[int, int], count: int = 2) -> tuple[Tensor, Tensor]:
    """Images scaled like `scaled` does, and labels with some ignored pixels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(CLASSES, (count, *size), generator=generator, dtype=torch.uint8)
    labels[:, :5] = 255
    return torch.randn(count, 3, *size, generator=generator), labels


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


@pytest.fixture(scope="class")
def recipe(request: pytest.FixtureRequest) -> Recipe:
    return recipe_of(*request.param)


@pytest.fixture(scope="class")
def network(recipe: Recipe) -> nn.Module:
    """The network in evaluation mode; read only."""
    return build(recipe).eval()


@pytest.mark.parametrize("recipe", NETWORKS.values(), ids="/".join, indirect=True, scope="class")
class TestContract:
    @pytest.mark.parametrize("size", SIZES, ids=str)
    def test_logits_have_the_size_of_the_images(self, network: nn.Module, size: tuple[int, int]) -> None:
        images, _ = inputs(size)
        before = images.clone()
        with torch.inference_mode():
            logits = network(images)
        assert logits.shape == (2, CLASSES, *size)
        assert logits.isfinite().all()
        assert torch.equal(images, before)

    @pytest.mark.parametrize("size", SIZES[:2], ids=str)
    def test_every_parameter_gets_a_gradient(self, network: nn.Module, recipe: Recipe, size: tuple[int, int]) -> None:
        model = deepcopy(network).train()
        images, labels = inputs(size)
        loss = make_loss(recipe.loss, torch.ones(CLASSES))(model(images), labels)
        assert loss.isfinite()
        loss.backward()
        parameters = dict(model.named_parameters())
        without = [name for name, parameter in parameters.items() if parameter.grad is None or not parameter.grad.any()]
        assert not without
        assert all(parameter.grad.isfinite().all() for parameter in parameters.values() if parameter.grad is not None)

    def test_a_single_image_of_the_smallest_size_is_a_batch(self, network: nn.Module) -> None:
        """As the last batch of an epoch may be; the lowest resolution of many networks is then 1x1."""
        model = deepcopy(network).train()
        logits = model(inputs((SMALLEST_SIDE, SMALLEST_SIDE), count=1)[0])
        logits.square().mean().backward()
        assert logits.isfinite().all()

    def test_weights_come_from_the_seed(self, network: nn.Module, recipe: Recipe) -> None:
        torch.rand(7)
        assert same(network, build(recipe))
        assert not same(network, build(recipe, seed=1))

    def test_the_logits_of_an_image_do_not_depend_on_the_rest_of_the_batch(self, network: nn.Module) -> None:
        images, _ = inputs((64, 96), count=3)
        with torch.inference_mode():
            together, alone = network(images)[1:2], network(images[1:2])
        size = float(alone.abs().max())  # of a deep network's first logits: thousands
        torch.testing.assert_close(together / size, alone / size, rtol=0, atol=1e-4)

    def test_a_logit_for_every_class(self, recipe: Recipe) -> None:
        with torch.inference_mode():
            logits = build_model(recipe.model.name, 2, recipe.model.options).eval()(inputs((32, 32))[0])
        assert logits.shape == (2, 2, 32, 32)


@pytest.mark.parametrize(("study", "variant"), VARIANTS)
def test_a_variant_with_weights_has_a_backbone_for_them(study: str, variant: str) -> None:
    recipe = recipe_of(study, variant)
    if recipe.weights:
        with torch.device("meta"):
            backbone = build(recipe).get_submodule("backbone")
        assert {"conv1.weight", "initial_block.conv.weight"} & set(backbone.state_dict())
    assert recipe.weights or not recipe.frozen


@pytest.mark.parametrize(("study", "variant"), TABLES)
def test_parameters_are_those_of_the_papers_table(study: str, variant: str) -> None:
    expected = sum(row.parameters for row in TABLES[study, variant])
    assert sum(parameter.numel() for parameter in build(recipe_of(study, variant)).parameters()) == expected


def test_there_are_thirty_variants() -> None:
    assert len(VARIANTS) == 30
