"""Any segmentation network of torchvision: (N, 3, H, W) -> (N, C, H, W), any H and W.

`architecture` is torchvision's name, such as `lraspp_mobilenet_v3_large`. torchvision draws the weights; nothing is
downloaded. Auxiliary classifiers are not built.
"""

from typing import cast

from torch import Tensor, nn
from torchvision.models import get_model, list_models, segmentation

from seg.system.console import nearest


class MainOutput(nn.Module):
    """A network of torchvision that returns its logits as a tensor, not in a dictionary."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @property
    def backbone(self) -> nn.Module:
        """The encoder; a ResNet has torchvision's state-dict keys."""
        return cast(nn.Module, self.network.backbone)

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images)["out"]


def build(classes: int, *, architecture: str = "fcn_resnet50") -> nn.Module:
    """Build torchvision's network of this name.

    Raises:
        ValueError: the name is unknown.
    """
    known = list_models(module=segmentation)
    if architecture not in known:
        raise ValueError(
            f"architecture '{architecture}' is unknown to model 'torchvision_zoo'; {nearest(architecture, known)}"
        )
    return MainOutput(get_model(architecture, weights=None, weights_backbone=None, num_classes=classes))
