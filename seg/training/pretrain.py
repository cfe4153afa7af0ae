"""Stage `pretrain`: trains a backbone to tell synthetic shapes apart, so that there is something real to start from.

Without a network no published weights can be had; a backbone that has learnt edges, corners and patterns stands in. It
is trained for real, under average pooling and one linear layer, and judged on pictures that it has not seen: weights
that have learnt nothing are refused.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seg.data.loader import SCALING
from seg.models.backbones import ResNet
from seg.models.erfnet import ENCODER
from seg.models.erfnet import build as build_erfnet
from seg.models.weights import write_weights
from seg.synthetic.shapes import CLASSES, draw_shapes
from seg.system.console import run_stage, say
from seg.system.machine import choose_device, versions
from seg.training.numerics import autocast, resolve_precision, set_up
from seg.training.optimisation import Optimizer

HELD_OUT = 240  # pictures to judge by, 20 a class
LEAST_ACCURACY = 2 / len(CLASSES)  # twice chance, 4.7 standard deviations above it
_LEAST_SIZE = 16  # pixels
_KEPT = 0.25  # share of a ResNet's residual blocks that a step runs through; ERFNet needs its few
_WARM_UP = 0.2  # share of the steps in which the learning rate rises
_SETTLING = 4  # batches over which batch norm's statistics are taken anew


class Task(NamedTuple):
    """What is trained and for how long.

    Attributes:
        backbone: `resnet34`, `resnet50`, `resnet101`, `resnet152` or `erfnet`.
        images: pictures to train on.
        size: their height and width, pixels.
        epochs: passes over them.
        batch: pictures a step.
        lr: highest learning rate.
        seed: of weights, pictures and order.
    """

    backbone: str
    images: int
    size: int
    epochs: int
    batch: int
    lr: float
    seed: int


class Classifier(nn.Module):
    """A backbone, average pooling and a linear layer: (N, 3, H, W) -> (N, 12).

    Attributes:
        kept: share of the residual blocks that a step of training runs through.
    """

    def __init__(self, backbone: nn.Module, channels: int, kept: float = 1.0) -> None:
        super().__init__()
        self.kept = kept
        self.backbone = backbone
        self.linear = nn.Linear(channels, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(images)
        deepest = features if isinstance(features, Tensor) else features[-1]  # a ResNet gives those of all strides
        return self.linear(deepest.mean((2, 3)))


def _erfnet() -> Classifier:
    return Classifier(build_erfnet(1).get_submodule("backbone"), ENCODER[-1][0])


def _resnet(name: str) -> Classifier:
    backbone = ResNet(name)
    return Classifier(backbone, backbone.channels[-1], _KEPT)


BACKBONES: dict[str, Callable[[], Classifier]] = {
    **{name: partial(_resnet, name) for name in ("resnet34", "resnet50", "resnet101", "resnet152")},
    "erfnet": _erfnet,
}


class _Depth:
    """The residual blocks that keep the size of their input: at first they change nothing, then a few train at a time.

    That blocks may be left out of a step (stochastic depth, Huang et al. 2016) makes one of ResNet-152 two to three
    times as fast; that their branches start at nothing (Goyal et al. 2017, section 5.1) makes a few steps train any
    depth. Blocks that change the size are as they always are: their shortcut alone sees a quarter of the positions.
    """

    def __init__(self, backbone: nn.Module, kept: float) -> None:
        blocks = [block for block in backbone.modules() if hasattr(block, "bn2")]
        self.blocks = [block for block in blocks if getattr(block, "downsample", None) is None]
        self.kept = kept
        for block in self.blocks:
            last = block.get_submodule("bn3" if hasattr(block, "bn3") else "bn2")
            nn.init.zeros_(last.get_parameter("weight"))

    def draw(self) -> None:
        """Leave out a random part of the blocks."""
        self.restore()
        for block, number in zip(self.blocks, torch.rand(len(self.blocks)).tolist(), strict=True):
            if number >= self.kept:
                block.forward = _unchanged

    def restore(self) -> None:
        """Use all blocks."""
        for block in self.blocks:
            vars(block).pop("forward", None)


def _unchanged(x: Tensor) -> Tensor:
    return x


def pretrain(task: Task, threads: int, out: Path) -> float:
    """Train a backbone and write its weights; the share of held-out pictures that it tells apart.

    Raises:
        ValueError: the backbone is unknown, the task impossible, or nothing was learnt.
        OSError: as the disk says.
    """
    if task.backbone not in BACKBONES:
        raise ValueError(f"--backbone {task.backbone}: unknown; known are {', '.join(BACKBONES)}")
    if not 2 <= task.batch <= task.images:
        raise ValueError(f"--batch {task.batch}: expected 2 to --images, {task.images}")
    if task.size < _LEAST_SIZE:
        raise ValueError(f"--size {task.size}: expected at least {_LEAST_SIZE} pixels, else no shape can be told")
    device = choose_device()
    set_up(threads, True, device)
    precision = resolve_precision("auto", device)
    torch.manual_seed(task.seed)
    model = BACKBONES[task.backbone]()
    model = model.to(device).to(memory_format=torch.channels_last)
    _train(model, task, precision, *_pictures(task.images, task.size, task.seed, device))
    accuracy = _accuracy(model, task, precision, *_pictures(HELD_OUT, task.size, task.seed + 1, device))
    told = f"{task.backbone}: {accuracy:.1%} of {len(CLASSES)} shapes told apart, chance is {1 / len(CLASSES):.1%}"
    if accuracy < LEAST_ACCURACY:
        mend = "give it more images or epochs, or another learning rate"
        raise ValueError(f"{told}, expected at least {LEAST_ACCURACY:.1%}; {mend}")
    about = {
        "name": f"{task.backbone}_shapes",
        "source": "a classifier of synthetic shapes, trained by seg.training.pretrain",
        "classes": CLASSES,
        "accuracy": accuracy,
        "held_out": HELD_OUT,
        "recipe": task._asdict(),
        "precision": precision,
        "threads": threads,
        "versions": versions(),
    }
    write_weights(out, model.backbone.state_dict(), about)
    say(f"{told}; weights in {out}")
    return accuracy


def _pictures(images: int, size: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scaled pictures (images, 3, size, size) float32 in channels-last memory, and their classes (images,) int64."""
    pixels, labels = draw_shapes(images, size, seed)
    mean, deviation = (torch.tensor(values, device=device).view(3, 1, 1) for values in SCALING["imagenet"])
    scaled = (torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2) / 255 - mean) / deviation
    return scaled, torch.from_numpy(labels).to(device)


def _train(model: Classifier, task: Task, precision: str, images: Tensor, labels: Tensor) -> None:
    """Adam on cross entropy; the learning rate rises linearly, then falls by half a cosine wave to 0."""
    depth = _Depth(model.backbone, model.kept)
    optimizer = Optimizer("adam", model)
    steps = task.epochs * (task.images // task.batch)
    rising = _WARM_UP * steps
    model.train()
    for step in range(steps):
        at = step % (task.images // task.batch) * task.batch
        if at == 0:
            order = torch.randperm(task.images).to(images.device)
        chosen = order[at : at + task.batch]
        falling = max(step - rising, 0) / (steps - rising)
        depth.draw()
        with autocast(images.device, precision):
            logits = model(images[chosen])
        F.cross_entropy(logits.float(), labels[chosen]).backward()
        optimizer.step(task.lr * min((step + 1) / rising, 1) * (1 + math.cos(math.pi * falling)) / 2)
    depth.restore()
    with torch.no_grad(), autocast(images.device, precision):
        _settle(model, images[: task.images // task.batch * task.batch].split(task.batch)[:_SETTLING])


def _settle(model: Classifier, batches: Sequence[Tensor]) -> None:
    """Take batch norm's statistics anew, as plain averages: after so few steps the running ones lag behind."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for images in batches:
        model(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.inference_mode()
def _accuracy(model: Classifier, task: Task, precision: str, images: Tensor, labels: Tensor) -> float:
    model.eval()
    with autocast(images.device, precision):
        logits = torch.cat([model(part) for part in images.split(task.batch)])
    return int((logits.argmax(1) == labels).sum()) / len(labels)


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(prog="python -m seg.training.pretrain", description=__doc__)
    parser.add_argument("--backbone", required=True, help=", ".join(BACKBONES))
    parser.add_argument("--images", type=int, required=True, help="pictures to train on")
    parser.add_argument("--size", type=int, required=True, help="their height and width, pixels")
    parser.add_argument("--epochs", type=int, required=True, help="passes over them")
    parser.add_argument("--batch", type=int, required=True, help="pictures a step")
    parser.add_argument("--lr", type=float, required=True, help="highest learning rate of Adam")
    parser.add_argument("--seed", type=int, required=True, help="of weights, pictures and order")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads; they decide the bits")
    parser.add_argument("--out", type=Path, required=True, help="safetensors to write")
    arguments = vars(parser.parse_args())
    threads, out = arguments.pop("threads"), arguments.pop("out")
    pretrain(Task(**arguments), threads, out)


if __name__ == "__main__":
    run_stage(main)
