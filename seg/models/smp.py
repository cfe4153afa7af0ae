"""Any network of segmentation_models_pytorch, the optional extra `zoo`: (N, 3, H, W) -> (N, C, H, W), any H and W.

`architecture` and `encoder` are the library's names, such as `unetplusplus` and `tu-convnext_tiny`. The library draws
the weights; nothing is downloaded. If an architecture requires sides that are multiples of its encoder's stride, images
are padded at the bottom and right by repeating the last row and column, and the logits are cropped.

Limitations:
- Stages of an encoder that an architecture does not read (the last two in a `pspnet`) are not trained.
- Encoders of timm with a batch norm of their own cannot train on a batch of one image that they reduce to one pixel.
"""

from importlib import import_module
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn

from seg.system.console import nearest


class Padded(nn.Module):
    """A network of the library with images padded to a size that it accepts."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        self.multiple: int = network.encoder.output_stride if network.requires_divisible_input_shape else 1

    @property
    def backbone(self) -> nn.Module:
        """The encoder; a ResNet has torchvision's state-dict keys."""
        return cast(nn.Module, self.network.encoder)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        margins = (0, -width % self.multiple, 0, -height % self.multiple)
        if any(margins):
            images = F.pad(images, margins, mode="replicate")
        return self.network(images)[..., :height, :width]


def build(classes: int, *, architecture: str = "unet", encoder: str = "resnet34") -> nn.Module:
    """Build the library's network of this architecture and encoder.

    Raises:
        ValueError: the extra is not installed, a name is unknown, or the architecture does not support the encoder.
    """
    try:
        library = import_module("segmentation_models_pytorch")
    except ImportError as error:
        raise ValueError("model 'smp' requires segmentation_models_pytorch; run: pip install -e '.[zoo]'") from error
    encoders = library.encoders.get_encoder_names()
    if encoder.startswith("tu-"):
        encoders = [f"tu-{name}" for name in import_module("timm").list_models()]
    for kind, name, known in (
        ("architecture", architecture, list(library.MODEL_ARCHITECTURES_MAPPING)),
        ("encoder", encoder, encoders),
    ):
        if name not in known:
            raise ValueError(f"{kind} '{name}' is unknown to model 'smp'; {nearest(name, known)}")
    return Padded(library.create_model(architecture, encoder, encoder_weights=None, classes=classes))
