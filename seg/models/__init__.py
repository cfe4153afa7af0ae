"""Segmentation networks: one module per architecture family, with a `build` function.

`build(classes: int, *, <options>) -> nn.Module` maps images (N, 3, H, W), float, to logits (N, classes, H, W). Its
options are declared in `seg.config.architectures`. A module is imported only if a recipe names it, so that editing it
makes no other architecture's results stale.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from seg.config.architectures import make_model
from seg.config.base import Part

if TYPE_CHECKING:
    from torch import nn


def build_model(name: str, classes: int, options: Mapping[str, Any] | Part) -> "nn.Module":
    """The network `name` for `classes` classes. Its weights are drawn from torch's generator.

    Its batch norms are those of `seg.models.layers`, also in networks of other libraries.

    Args:
        name: module in `seg.models`.
        classes: channels of the logits.
        options: keyword arguments of its `build`; defaults apply to the others.

    Raises:
        ValueError: unknown name, unknown option or invalid value.
    """
    from seg.models.layers import use_running_statistics

    model = make_model(name, **dict(options))
    network: nn.Module = import_module(f"seg.models.{model.name}").build(classes, **dict(model.options))
    use_running_statistics(network)
    return network
