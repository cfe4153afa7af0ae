"""Helpers of the reference tests: random batch norms, equal weights, Xavier bounds, concatenation of odd sides."""

import math

import pytest
import torch
from torch import Tensor, nn


def perturbed(model: nn.Module) -> nn.Module:
    """Randomize batch norms and biases, so that a misplaced one changes the output."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1 and tensor.is_floating_point():
            noise = torch.rand(tensor.shape, generator=generator)
            tensor.copy_(noise + 0.5 if name.endswith(("weight", "var")) else noise - 0.5)
    return model


def copy(actual: nn.Module, table: nn.Module) -> None:
    """Give both models the same random weights, batch norms and biases included; their layers have the same order."""
    for tensor in actual.state_dict().values():
        if tensor.ndim == 1:
            tensor.uniform_(0.5, 1.5)
    table.load_state_dict(dict(zip(table.state_dict(), actual.state_dict().values(), strict=True)))


def concatenated(skip: Tensor, deconv: nn.ConvTranspose2d, below: Tensor) -> Tensor:
    """cat[skip, deconv]; for an odd side, the last row or column of the deconvolution is its bias alone."""
    up = deconv(below)
    whole = deconv.bias.view(1, -1, 1, 1).expand(len(up), -1, *skip.shape[-2:]).clone()
    whole[..., : up.shape[2], : up.shape[3]] = up
    return torch.cat([skip, whole], dim=1)


def assert_xavier(model: nn.Module, rel: float = 0.1) -> None:
    """Check that weights are Xavier-uniform (bound; standard deviation within `rel`) and biases zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            bound = math.sqrt(6 / (math.prod(module.kernel_size) * (module.in_channels + module.out_channels)))
            assert module.weight.abs().max() <= bound
            assert module.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=rel)
            assert module.bias is None or not module.bias.any()
