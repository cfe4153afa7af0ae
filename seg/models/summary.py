"""A network's layers with their output shapes, parameters and multiply-adds, without computing a single value."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from seg.config.recipe import Recipe
from seg.models import build_model


class Layer(NamedTuple):
    """A layer that holds no other: its name, kind, output shape (N, C, H, W), parameters and multiply-adds."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int


def layers(recipe: Recipe, classes: int, height: int, width: int) -> list[Layer]:
    """The layers of a recipe's network for one image, in the order in which they are passed.

    Multiply-adds are those of convolutions and matrix products (torch.utils.flop_counter counts two operations each);
    norms, activations and resampling count nothing, as in the papers.
    """
    with torch.device("meta"):
        model = build_model(recipe.model.name, classes, recipe.model.options).eval()
        image = torch.empty(1, 3, height, width)
    shapes: dict[str, tuple[int, ...]] = {}
    leaves = dict(_leaves(model))
    names = {module: name for name, module in leaves.items()}

    def note(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[names[module]] = tuple(output.shape)

    for module in names:
        module.register_forward_hook(note)
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


def table(recipe: Recipe, classes: int, height: int, width: int) -> Iterator[str]:
    """The same as lines of text, with the sums below."""
    rows = layers(recipe, classes, height, width)
    line = "{:44} {:18} {:>18} {:>12} {:>16}".format
    yield line("layer", "kind", "output", "parameters", "multiply-adds")
    for row in rows:
        shape = " x ".join(map(str, row.shape[1:]))
        yield line(row.name, row.kind, shape, f"{row.parameters:,}", f"{row.multiply_adds:,}")
    parameters, operations = sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows)
    yield line(f"all, an image of {height} x {width}", "", "", f"{parameters:,}", f"{operations:,}")


def _leaves(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    return ((name, module) for name, module in model.named_modules() if not list(module.children()))
