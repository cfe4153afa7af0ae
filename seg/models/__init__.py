"""Segmentation networks: one module per architecture family, with a `build` function.

`build(classes: int, *, <options>) -> nn.Module` maps images (N, 3, H, W), float, to logits (N, classes, H, W); for
images of other channels, `seg.models.channels` changes its first convolution. Its options are declared in
`seg.config.architectures`. A module is imported only if a recipe names it, so that editing it makes no other
architecture's results stale.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from seg.config.architectures import make_model
from seg.config.base import Part

if TYPE_CHECKING:
    from torch import nn


def build_model(name: str, classes: int, options: Mapping[str, Any] | Part, channels: int = 3) -> "nn.Module":
    """The network `name` for `classes` classes. Its weights are drawn from torch's generator.

    Its batch norms are those of `seg.models.layers`, also in networks of other libraries.

    Args:
        name: module in `seg.models`.
        classes: channels of the logits.
        options: keyword arguments of its `build`; defaults apply to the others.
        channels: of the images. For another number than three, the first convolution of the network is changed.

    Raises:
        ValueError: unknown name, unknown option or invalid value.
    """
    from seg.models.channels import set_input_channels
    from seg.models.layers import use_running_statistics

    model = make_model(name, **dict(options))
    network: nn.Module = import_module(f"seg.models.{model.name}").build(classes, **dict(model.options))
    use_running_statistics(network)
    if channels != 3:
        set_input_channels(network, channels)
    return network
