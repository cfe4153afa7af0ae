"""Any segmentation network of torchvision: (N, 3, H, W) -> (N, classes, H, W), any H and W.

`architecture` is torchvision's name, such as `lraspp_mobilenet_v3_large`; weights are drawn by torchvision, none are
fetched; of its outputs the main one counts, without auxiliary classifiers. `deeplabv3_*`, with batch norm behind a
pooling to one pixel, cannot train on a batch of one image, also not on one that is left over at the end of an epoch.
"""

from typing import cast

from torch import Tensor, nn
from torchvision.models import get_model, list_models, segmentation

from seg.system.console import nearest


class MainOutput(nn.Module):
    """A network of torchvision that gives its logits alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def backbone(self) -> nn.Module:
        """The encoder; the state of a ResNet has torchvision's keys."""
        return cast(nn.Module, self.network.backbone)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes, H, W) of images (N, 3, H, W)."""
        return self.network(images)["out"]


def build(classes: int, *, architecture: str = "fcn_resnet50") -> nn.Module:
    """torchvision's network of that name.

    Raises:
        ValueError: the name is unknown.
    """
    known = list_models(module=segmentation)
    if architecture not in known:
        raise ValueError(
            f"architecture '{architecture}' is unknown to model 'torchvision_zoo'; {nearest(architecture, known)}"
        )
    return MainOutput(get_model(architecture, weights=None, weights_backbone=None, num_classes=classes))
