"""Layers of a network with their output shapes, parameters and multiply-adds, computed on the meta device."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from seg.config.recipe import Recipe
from seg.models import build_model


class Layer(NamedTuple):
    """A leaf module: name, class, output shape (N, C, H, W), parameters and multiply-adds."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def network_layers(recipe: Recipe, classes: int, height: int, width: int) -> list[Layer]:
    """The layers of a recipe's network for one image, in the order of the forward pass.

    Only convolutions and matrix products are counted as multiply-adds, as in the papers. torch.utils.flop_counter
    counts each as two operations.
    """
    with torch.device("meta"):
        model = build_model(recipe.model.name, classes, recipe.model.options).eval()
        image = torch.empty(1, 3, height, width)
    shapes: dict[str, tuple[int, ...]] = {}
    leaves = {name: module for name, module in model.named_modules() if next(module.children(), None) is None}
    names = {module: name for name, module in leaves.items()}

    def record_shape(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[names[module]] = tuple(output.shape)

    for module in names:
        module.register_forward_hook(record_shape)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(image)
    operations = {path.partition(".")[2]: sum(counts.values()) for path, counts in counter.get_flop_counts().items()}
    return [
        Layer(
            name,
            type(leaves[name]).__name__,
            shape,
            sum(parameter.numel() for parameter in leaves[name].parameters()),
            operations.get(name, 0) // 2,
        )
        for name, shape in shapes.items()
    ]


def layer_table(recipe: Recipe, classes: int, height: int, width: int) -> Iterator[str]:
    """The same as lines of text, followed by the totals."""
    rows = network_layers(recipe, classes, height, width)
    line = "{:44} {:18} {:>18} {:>12} {:>16}".format
    yield line("layer", "kind", "output", "parameters", "multiply-adds")
    for row in rows:
        shape = " x ".join(map(str, row.shape[1:]))
        yield line(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.multiply_adds:,}")
    parameters, operations = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    yield line(f"total for an image of {height} x {width}", "", "", f"{parameters:,}", f"{operations:,}")
