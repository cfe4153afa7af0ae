"""Batch norm of a single value per channel."""

import torch
from torch import nn

from seg.models.layers import BatchNorm, use_running_statistics


def test_norm_is_batch_norm_except_for_a_single_value() -> None:
    torch.manual_seed(0)
    actual, plain = nn.Sequential(nn.BatchNorm2d(4)), nn.BatchNorm2d(4)
    use_running_statistics(actual)
    assert isinstance(actual[0], BatchNorm)
    for shape in ((3, 4, 1, 1), (1, 4, 2, 1)):
        x = torch.randn(shape)
        assert torch.equal(actual(x), plain(x))
    before = actual[0].running_var.clone()
    assert torch.equal(before, plain.running_var)
    x = torch.randn(1, 4, 1, 1)
    assert torch.equal(actual(x), plain.eval()(x))
    assert torch.equal(actual[0].running_var, before)
