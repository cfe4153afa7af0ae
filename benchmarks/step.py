"""A training epoch from a pack, compared with a plain PyTorch loop over the same network, pack and precision.

The plain loop has bf16 autocast, channels-last memory, `torch.optim.Adam(fused=True)` and a DataLoader with two workers
over the memory map, with torchvision v2's flip and scaling. Each loop runs in a process of its own: seg in the
environment of the workflow's commands, the plain loop once in the default environment and once in that of seg. In bf16
seg is also compared with itself under `compile: true`, after it is compiled.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks.processes import WORKFLOW, in_process
from benchmarks.scenes import Samples, street_pack
from benchmarks.timing import Row, compare, report
from seg.config.architectures import make_model
from seg.config.recipe import Augmentation, Recipe, Schedule
from seg.data.loader import epoch_order
from seg.data.pack_format import Pack
from seg.datasets import IGNORE
from seg.models import build_model
from seg.training.inputs import open_inputs
from seg.training.step import TrainStep

BATCH = 4
LEARNING_RATE = 1e-4
WORKERS = 2  # processes of the DataLoader


class Case(NamedTuple):
    """A network, the size of its images (pixels), its batch, the steps of a timed epoch, and the aim of the ratio."""

    name: str
    height: int
    width: int
    batch: int
    steps: int
    aim: float | None


CASES = (
    Case("fcn", 256, 384, 4, 5, 1.4),
    Case("unet", 256, 384, 2, 2, 1.25),
    Case("segnet", 180, 240, 4, 2, None),
)


def measure() -> list[Row]:
    """Compare in bf16 with both environments, and the FCN in fp32."""
    return [row for case in CASES for row in _compared(case, "bf16")] + _compared(CASES[0]._replace(aim=None), "fp32")


def _compared(case: Case, precision: str) -> list[Row]:
    chosen = recipe(case.name, batch=case.batch, precision=precision, augmentation=Augmentation(flip=0.5))
    name = f"plain {precision} loop, {WORKERS} workers"
    with TemporaryDirectory() as folder, ExitStack() as processes:
        path = street_pack(Path(folder), case.batch * case.steps, case.height, case.width)
        ours = processes.enter_context(in_process(training_epoch, chosen, path, environment=WORKFLOW))
        plain, same_environment = (
            processes.enter_context(
                in_process(plain_epoch, case.name, case.batch, precision, path, environment=environment)
            )
            for environment in ({}, WORKFLOW)
        )
        peers = {name: (plain, case.aim), f"{name}, environment of seg": (same_environment, None)}
        if precision == "bf16":
            compiled = chosen.model_copy(update={"compile": True})
            process = processes.enter_context(in_process(training_epoch, compiled, path, environment=WORKFLOW))
            peers["seg with compile: true"] = process, None
        rows = compare(
            f"training, {case.name} {case.height}x{case.width}, batch {case.batch}",
            ours,
            peers,
            unit="images/s",
            amount=case.batch * case.steps,
            rounds=5,
        )
    rate = convolution_rate(torch.bfloat16 if precision == "bf16" else torch.float32)
    share = operations(case.name, case.height, case.width) / rate
    return [row._replace(unit=f"images/s ({row.rate * share:.0%} of the rate of convolutions)") for row in rows]


def recipe(name: str, **values: object) -> Recipe:
    """Recipe of one epoch of a network of the study cityscapes_fcn, without augmentation; `values` replace its own."""
    plain = Recipe(
        model=make_model(name),
        weights=None,
        frozen=False,
        loss="cross_entropy",
        optimizer="adam",
        lr=LEARNING_RATE,
        weight_decay=0,
        momentum=0,
        schedule=Schedule(),
        clip_norm=None,
        batch=BATCH,
        accumulate=1,
        eval_batch=BATCH,
        epochs=1,
        validate_every=1,
        early_stopping=None,
        augmentation=Augmentation(),
        scaling="unit",
        precision="auto",
        compile=False,
        deterministic=False,
        threads=torch.get_num_threads(),
        gpus=1,
        train_images=None,
        seed=0,
    )
    return plain.model_copy(update=values)


def training_epoch(chosen: Recipe, pack: Path, weights: Path | None = None) -> Callable[[], list[float]]:
    """Return a function that trains for one epoch on the CPU, saves the weights, and returns the loss of each step."""
    device = torch.device("cpu")
    loader, _, class_weights, model, _ = open_inputs(chosen, pack, pack, None, device, workers=0)
    step = TrainStep(chosen, model, class_weights, device)
    step.train_mode()

    def epoch() -> list[float]:
        order = epoch_order(len(loader.pack), chosen.seed, epoch=0)
        batches = loader.batches(order, chosen.batch, augmentation=chosen.augmentation)
        losses = [float(step([batch], chosen.lr)) for batch in batches]
        if weights:
            save_file({name: each.contiguous() for name, each in model.state_dict().items()}, weights)
        return losses

    return epoch


def plain_epoch(name: str, batch: int, precision: str, pack: Path) -> Callable[[], list[float]]:
    """Return a function that trains the same network for one epoch in a plain loop."""
    to_float = v2.ToDtype({tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}, scale=True)
    loader = DataLoader(
        Samples(pack, v2.Compose([v2.RandomHorizontalFlip(0.5), to_float])),
        batch,
        shuffle=True,
        num_workers=WORKERS,
        persistent_workers=True,
    )
    network = build_model(name, len(Pack(pack).classes), {}).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE, fused=True)

    def step(images: Tensor, labels: Tensor) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            logits = network(images.to(memory_format=torch.channels_last))
            loss = F.cross_entropy(logits, labels, ignore_index=IGNORE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return lambda: [step(images, labels) for images, labels in loader]


def operations(name: str, height: int, width: int, options: dict[str, object] | None = None) -> float:
    """Floating-point operations of the products of one image, forward and backward; nothing is computed."""
    with torch.device("meta"):
        network = build_model(name, 19, options or {})
        images = torch.empty(2, 3, height, width)
    with FlopCounterMode(display=False) as counter:
        network(images).sum().backward()
    return counter.get_total_flops() / len(images)


def convolution_rate(dtype: torch.dtype) -> float:
    """Floating-point operations per second of a 3x3 convolution of 128 to 128 channels, the best of 20 calls."""
    images, weights = torch.randn(4, 128, 64, 128), torch.randn(128, 128, 3, 3)
    images, weights = (each.to(dtype, memory_format=torch.channels_last) for each in (images, weights))

    def seconds() -> float:
        start = time.perf_counter()
        F.conv2d(images, weights, padding=1)
        return time.perf_counter() - start

    return 2 * images.numel() * weights[:, 0].numel() / min(seconds() for _ in range(20))


if __name__ == "__main__":
    report(measure)
