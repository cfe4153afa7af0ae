"""Training on an NVIDIA GPU, compared with torchvision's reference loop; prints Markdown tables.

Packs and image files are rendered here; neither Snakemake nor a network is needed. Both loops train the same network at
the same size and batch, in bf16, with horizontal flips. The reference loop is in the style of torchvision's
references/segmentation: a DataLoader whose workers decode the files in each epoch and transform them with
torchvision.transforms.v2, autocast, and the loss read after every step. Its files are JPEG and PNG of the training
size, which is less to decode than the original files.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from benchmarks.scenes import street_pack
from benchmarks.step import operations, recipe
from seg.config.architectures import make_model
from seg.config.recipe import Augmentation, Recipe
from seg.data.loader import SCALING, Batch, epoch_order
from seg.data.pack_format import Pack
from seg.datasets import IGNORE
from seg.models import build_model
from seg.system.console import run_stage, say
from seg.system.files import write_text
from seg.system.machine import commit, machine_info, versions
from seg.training.inputs import open_inputs
from seg.training.numerics import set_up
from seg.training.step import TrainStep

WARM_UP = 5  # steps
READ_EVERY = 50  # steps between two reads of the losses, as in seg.training.train


class Case(NamedTuple):
    """A network at the size and batch of its study."""

    name: str
    model: dict[str, Any]
    height: int
    width: int
    batch: int


CASES = (
    Case("U-Net", {"name": "unet"}, 512, 1024, 8),
    Case("DeepLabv3+ ResNet-101", {"name": "deeplab", "options": {"backbone": "resnet101"}}, 513, 513, 16),
    Case("SegNet", {"name": "segnet", "options": {"depth": "vgg16"}}, 360, 480, 12),
    Case("FCN", {"name": "fcn"}, 512, 1024, 8),
)
MODES = [(deterministic, compiled) for compiled in (False, True) for deterministic in (True, False)]


class Measured(NamedTuple):
    """One row of the table; rates in images per second."""

    case: Case
    mode: str
    rate: float
    reference: float
    waiting: float
    share: float


def measure(case: Case, matrix_rate: float, seconds: float, workers: int, device: torch.device) -> Iterator[Measured]:
    """Train one network in every mode and with the reference loop."""
    with TemporaryDirectory() as folder:
        path = street_pack(Path(folder), 8 * case.batch, case.height, case.width)
        reference = reference_rate(case, Path(folder), Pack(path), seconds, workers, device)
        options = case.model.get("options", {})
        share = (
            operations(case.model["name"], case.height, case.width, options) / matrix_rate
        )  # of one image per second
        common = {
            "model": make_model(case.model["name"], **options),
            "batch": case.batch,
            "augmentation": Augmentation(flip=0.5),
            "scaling": "imagenet",
            "precision": "bf16",
        }
        chosen = recipe(case.model["name"]).model_copy(update=common)
        for deterministic, compiled in MODES:
            mode_recipe = chosen.model_copy(update={"deterministic": deterministic, "compile": compiled})
            rate, waiting = training_rate(mode_recipe, path, seconds, device)
            mode = f"{'compiled' if compiled else 'eager'}, {'deterministic' if deterministic else 'any kernels'}"
            yield Measured(case, mode, rate, reference, waiting, rate * share)
            torch.compiler.reset()
            torch.cuda.empty_cache()


def training_rate(chosen: Recipe, pack: Path, seconds: float, device: torch.device) -> tuple[float, float]:
    """Images per second of seg, and the share of the time waiting for data.

    Waiting is what an epoch takes longer than the same steps on one batch that is already on the device.
    """
    set_up(chosen.threads, chosen.deterministic, chosen.precision, device)
    loader, _, class_weights, model, _ = open_inputs(chosen, pack, pack, None, device, workers=0)
    step = TrainStep(chosen, model, class_weights, device)
    step.train_mode()

    def epochs() -> Iterator[Batch]:
        for epoch in count():
            order = epoch_order(len(loader.pack), chosen.seed, epoch)
            yield from loader.batches(order, chosen.batch, augmentation=chosen.augmentation, epoch=epoch)

    batches = epochs()
    fixed = next(batches)

    def train(source: Iterator[Batch], steps: int) -> None:
        losses: list[Tensor] = []
        for batch in islice(source, steps):
            losses.append(step([batch], chosen.lr))
            if len(losses) == READ_EVERY:
                torch.stack(losses).tolist()
                losses = []

    same = iter(lambda: fixed, None)
    with_data, without = alternate(
        lambda steps: train(batches, steps), lambda steps: train(same, steps), seconds=seconds
    )
    return chosen.batch / with_data, max(0.0, 1 - without / with_data)


def alternate(*runs: Callable[[int], None], seconds: float, rounds: int = 3) -> list[float]:
    """Seconds per step of each run: the median of `rounds` rounds, alternated, after a warm-up."""
    runs[0](WARM_UP)
    steps = max(3, round(seconds / rounds / timed(runs[0], WARM_UP)))
    spent = [[timed(run, steps) for run in runs] for _ in range(rounds)]
    return [median(each) for each in zip(*spent, strict=True)]


def timed(run: Callable[[int], None], steps: int) -> float:
    """Seconds per step, until the GPU has finished."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    run(steps)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps


class Files(Dataset):
    """Decodes an image and its label and transforms both, as torchvision's reference does."""

    def __init__(self, pairs: list[tuple[Path, Path]]) -> None:
        mean, std = SCALING["imagenet"]
        types = {tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}
        self.pairs = pairs
        self.transforms = v2.Compose(
            [v2.RandomHorizontalFlip(0.5), v2.ToDtype(types, scale=True), v2.Normalize(list(mean), list(std))]
        )

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = (Image.open(path) for path in self.pairs[index])
        pair = tv_tensors.Image(image.convert("RGB")), tv_tensors.Mask(torch.from_numpy(np.array(label)))
        return self.transforms(*pair)


def reference_rate(case: Case, folder: Path, pack: Pack, seconds: float, workers: int, device: torch.device) -> float:
    """Images per second of the reference loop, whose files are written to `folder`."""
    pairs = []
    for index in range(len(pack)):
        images, labels = pack.read(np.array([index]))
        pairs.append((folder / f"{index}.jpg", folder / f"{index}.png"))
        Image.fromarray(images[0]).save(pairs[-1][0], quality=90)
        Image.fromarray(labels[0]).save(pairs[-1][1])
    set_up(workers, False, "bf16", device)
    loader = DataLoader(
        Files(pairs), case.batch, shuffle=True, drop_last=True, num_workers=workers, pin_memory=True,
        persistent_workers=True, prefetch_factor=4,
    )  # fmt: skip
    options = case.model.get("options", {})
    model: nn.Module = build_model(case.model["name"], len(pack.classes), options).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    model.train()

    def epochs() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from loader

    batches = epochs()

    def train(steps: int) -> None:
        for images, labels in islice(batches, steps):
            images, labels = images.to(device), labels.to(device)  # noqa: PLW2901
            with torch.autocast("cuda", torch.bfloat16):
                loss = F.cross_entropy(model(images), labels, ignore_index=IGNORE)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    (spent,) = alternate(train, seconds=seconds)
    return case.batch / spent


def bf16_matrix_rate() -> float:
    """Floating-point operations per second of a bf16 matrix product of side 8192, on random values."""
    side = 8192
    left, right = (torch.randn(side, side, device="cuda", dtype=torch.bfloat16) for _ in range(2))

    def multiply(steps: int) -> None:
        for _ in range(steps):
            left @ right

    (spent,) = alternate(multiply, seconds=1)
    return 2 * side**3 / spent


def main() -> None:
    """Measure every case and print the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.gpu", description="Compare training on a GPU with a reference.")
    parser.add_argument("--out", type=Path, help="Markdown file to write the printed table to")
    parser.add_argument("--seconds", type=float, default=4, help="measured time of each loop")
    parser.add_argument("--workers", type=int, default=8, help="DataLoader workers of the reference loop")
    parser.add_argument("--only", nargs="*", default=[case.name for case in CASES], help="cases to measure")
    arguments = parser.parse_args()
    device = torch.device("cuda", torch.cuda.current_device())
    here, matrix_rate = machine_info(device), bf16_matrix_rate()
    lines = [
        f"{here['gpu']}, {here['cpu']}, {here['cores']} cores; torch {versions()['torch']}, CUDA {torch.version.cuda}, "
        f"cuDNN {torch.backends.cudnn.version()}; commit {commit() or 'none'}",
        "",
        f"bf16 matrix product of side 8192: {matrix_rate / 1e12:.0f} TFLOP/s.",
        "",
        "| network | size, batch | mode | images/s | reference loop | ratio | of the matrix rate | waiting for data |",
        "|---|---|---|---|---|---|---|---|",
    ]
    say("\n".join(lines))
    for case in CASES:
        if case.name not in arguments.only:
            continue
        for row in measure(case, matrix_rate, arguments.seconds, arguments.workers, device):
            size = f"{case.height}x{case.width}, {case.batch}"
            rates = f"{row.rate:.1f} | {row.reference:.1f} | {row.rate / row.reference:.2f}"
            lines.append(f"| {case.name} | {size} | {row.mode} | {rates} | {row.share:.1%} | {row.waiting:.1%} |")
            say(lines[-1])
    text = "\n".join(lines)
    print(text)
    if arguments.out:
        write_text(arguments.out, text + "\n")


if __name__ == "__main__":
    run_stage(main)
