"""Layers and initialisation shared by several networks."""

import torch.nn.functional as F
from torch import Tensor, nn


def xavier(network: nn.Module) -> None:
    """Initialise all convolutions of `network`: Xavier-uniform weights (Glorot and Bengio 2010), zero biases.

    Weights are drawn from torch's generator in the order of the modules. The studies initialise all layers that are not
    pretrained in this way.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class PooledNorm(nn.BatchNorm2d):
    """Batch norm of (N, C, 1, 1) that uses its running statistics for a single image, even in training."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1) -> (N, C, 1, 1)."""
        if len(x) > 1:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
