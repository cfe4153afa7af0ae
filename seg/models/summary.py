"""Layers of a network with their output shapes, parameters and multiply-adds, computed on the meta device."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from seg.config.recipe import Recipe
from seg.models import build_model


def layer_table(recipe: Recipe, classes: int, channels: int, height: int, width: int) -> Iterator[str]:
    """One line per layer of a recipe's network for one image, in the order of the forward pass, then the totals.

    Only convolutions and matrix products are counted as multiply-adds, as in the papers. torch.utils.flop_counter
    counts each as two operations.
    """
    with torch.device("meta"):
        model = build_model(recipe.model.name, classes, recipe.model.options, channels).to("meta").eval()
        image = torch.empty(1, channels, height, width)
    names = {module: name for name, module in model.named_modules() if next(module.children(), None) is None}
    shapes: dict[nn.Module, torch.Size] = {}

    def record_shape(module: nn.Module, _: object, output: Tensor) -> None:
        shapes[module] = output.shape

    for module in names:
        module.register_forward_hook(record_shape)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model(image)
    operations = {path.partition(".")[2]: sum(counts.values()) for path, counts in counter.get_flop_counts().items()}
    line = "{:44} {:18} {:>18} {:>12} {:>16}".format
    yield line("layer", "kind", "output", "parameters", "multiply-adds")
    total_parameters = total_adds = 0
    for module, shape in shapes.items():
        parameters = sum(parameter.numel() for parameter in module.parameters())
        adds = operations.get(names[module], 0) // 2
        size = " x ".join(map(str, shape[1:]))
        yield line(names[module], type(module).__name__, size, f"{parameters:,}", f"{adds:,}")
        total_parameters += parameters
        total_adds += adds
    yield line(f"total for an image of {height} x {width}", "", "", f"{total_parameters:,}", f"{total_adds:,}")
