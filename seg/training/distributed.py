"""Training in several processes, one GPU each, with the result of a single process up to rounding.

`torchrun` starts the processes. In a single process every function here returns its argument.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seg.models.layers import BatchNorm
from seg.system.gpus import take
from seg.system.machine import choose_device, gpu, kind_of
from seg.system.signals import Interrupted

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_TIMEOUT = timedelta(days=1)  # of a collective: the main process may wait for free GPUs or a slow disk


@contextmanager
def process_group() -> Iterator[None]:
    """Join the process group if `torchrun` started this process, and leave it at the end."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # set by torchrun (PyTorch documentation, Environment Variables)
        yield
        return
    if sys.platform == "linux":
        # Ask Linux to kill this process when torchrun dies (prctl(2)): torchrun starts its workers in new sessions,
        # which a signal to its process group does not reach. Python and PyTorch have no public function for this.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_TIMEOUT)
    try:
        yield
    except Interrupted as end:
        if is_main():
            raise
        sys.exit(128 + end.number)  # one process reports it
    finally:
        dist.destroy_process_group()


def world_size() -> int:
    """Number of processes, 1 outside a process group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def is_main() -> bool:
    """Whether this process is the one that writes and prints."""
    return rank() == 0


def own_device(name: str) -> torch.device:
    """Device of this process, as `seg.system.machine.choose_device`; the main process takes the GPUs of all.

    Raises:
        ValueError: an index is given for several processes.
    """
    kind = kind_of(name)
    if world_size() > 1 and kind.startswith("cuda:"):
        raise ValueError(f"--device {name}: several GPUs train; give cuda, and choose them with CUDA_VISIBLE_DEVICES")
    if world_size() == 1 or kind != "cuda":
        return choose_device(name)
    return gpu(broadcast(take(world_size()) if is_main() else [0] * world_size())[rank()])


def broadcast(numbers: list[int]) -> list[int]:
    """The numbers of the main process; every process passes a list of the same length."""
    if world_size() == 1:
        return numbers
    values = torch.tensor(numbers)
    dist.broadcast(values, 0)
    return values.tolist()


def all_gather(values: Tensor) -> list[Tensor]:
    """CPU tensors of all processes by rank; all have the same shape."""
    if world_size() == 1:
        return [values]
    gathered = [torch.empty_like(values) for _ in range(world_size())]
    dist.all_gather(gathered, values)
    return gathered


def all_reduce_sum(values: Tensor) -> Tensor:
    """Sum over all processes; differentiable."""
    if world_size() == 1:
        return values
    total: Tensor = _AllReduceSum.apply(values)
    return total


class _AllReduceSum(torch.autograd.Function):
    """The loss of every process depends on the values of every process, so the gradient is summed as well.

    PyTorch 2.14 deprecates the same function of `torch.distributed.nn` and names a private one in its place.
    """

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _AllReduceSum.forward(None, gradient)


def wrap_ddp(model: nn.Module, device: torch.device) -> nn.Module:
    """Module to call in training: averages gradients over the processes, normalizes over all their samples.

    Raises:
        ValueError: the model has a batch norm whose statistics cannot be shared.
    """
    if world_size() == 1:
        return model
    for name, module in model.named_modules():
        if type(module) in (nn.BatchNorm2d, BatchNorm):
            module.__class__ = SharedBatchNorm2dOnGpu if device.type == "cuda" else SharedBatchNorm2d
            module.process_group = None  # all processes; read by nn.SyncBatchNorm
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm):
            raise ValueError(
                f"layer '{name}' is a {type(module).__name__}, expected BatchNorm2d with gpus > 1; set gpus: 1"
            )
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(model, device_ids=devices, broadcast_buffers=False)


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch norm with the mean and variance over all processes, which nn.SyncBatchNorm computes on GPUs only."""

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W), same dtype; statistics in float32 or wider. N may be 0 in some processes."""
        return _normalized(self, features) if self.training else super().forward(features)


class SharedBatchNorm2dOnGpu(nn.SyncBatchNorm):
    """nn.SyncBatchNorm, except where all processes together may have one value per channel."""

    def forward(self, features: Tensor) -> Tensor:
        """As in `SharedBatchNorm2d`."""
        single = self.training and features.shape[-2:].numel() == 1
        return _normalized(self, features) if single else super().forward(features)


def _normalized(norm: nn.BatchNorm2d | nn.SyncBatchNorm, features: Tensor) -> Tensor:
    """Normalize with the statistics over all processes; with the running ones if they have one value per channel."""
    values = features.to(torch.promote_types(features.dtype, torch.float32))
    pixels = values.new_tensor([values.numel() / values.shape[1]])
    sums = all_reduce_sum(torch.cat([values.sum((0, 2, 3)), pixels]))
    count = sums[-1].detach()
    mean = sums[:-1] / count
    variance = all_reduce_sum((values - mean[:, None, None]).square().sum((0, 2, 3))) / count
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        several = count > 1  # no condition of Python, which would wait for a GPU
        mean = torch.where(several, mean, norm.running_mean)
        variance = torch.where(several, variance, norm.running_var)
        with torch.no_grad():
            norm.num_batches_tracked.add_(several)
            update = 1 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean, update)
            norm.running_var.lerp_(variance * count / (count - several.to(count.dtype)), update)
    scaled = (values - mean[:, None, None]) * (variance + norm.eps).rsqrt()[:, None, None]
    return (scaled * norm.weight[:, None, None] + norm.bias[:, None, None]).to(features.dtype)
