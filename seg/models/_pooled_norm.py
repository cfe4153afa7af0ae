"""Batch norm behind a global pooling, where a channel of an image is a single value."""

import torch.nn.functional as F
from torch import Tensor, nn


class PooledNorm(nn.BatchNorm2d):
    """Batch norm of (N, C, 1, 1) that takes its running statistics for a single image, also in training."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, 1, 1)."""
        if len(x) > 1:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
