"""Stage `pretrain`: trains a backbone to classify synthetic shapes, where published weights cannot be downloaded.

The backbone is trained under average pooling and one linear layer, and evaluated on held-out images; weights that
barely improve on chance are refused.
"""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from seg.data.loader import SCALING
from seg.models.backbones import ResNet
from seg.models.erfnet import ENCODER
from seg.models.erfnet import build as build_erfnet
from seg.models.weights import write_weights
from seg.synthetic.pretext import CLASSES, draw_shapes
from seg.system.arguments import StageParser
from seg.system.console import run_stage, say
from seg.system.machine import choose_device, versions
from seg.training.numerics import autocast, resolve_precision, set_up
from seg.training.optimisation import Optimizer

HELD_OUT = 240  # images to evaluate on, 20 per class
MIN_ACCURACY = 2 / len(CLASSES)  # twice chance, 4.7 standard deviations above it
_MIN_SIZE = 16  # pixels
_KEPT_BLOCKS = 0.25  # share of a ResNet's residual blocks used in a step; ERFNet always uses all
_WARM_UP = 0.2  # share of the steps in which the learning rate rises
_STATISTICS_BATCHES = 4  # for the final batch-norm statistics


class Task(NamedTuple):
    """What is trained, and for how long."""

    backbone: str  # key of `CLASSIFIERS`
    images: int  # for training
    size: int  # height and width of the images, pixels
    epochs: int  # passes over the images
    batch: int  # images per step
    lr: float  # highest learning rate
    seed: int  # of weights, images and order


class Classifier(nn.Module):
    """A backbone, average pooling and a linear layer: (N, 3, H, W) -> (N, 12).

    Attributes:
        kept: share of the residual blocks used in a training step.
    """

    def __init__(self, backbone: nn.Module, channels: int, kept: float = 1.0) -> None:
        super().__init__()
        self.kept = kept
        self.backbone = backbone
        self.linear = nn.Linear(channels, len(CLASSES))

    def forward(self, images: Tensor) -> Tensor:
        features = self.backbone(images)
        deepest = features if isinstance(features, Tensor) else features[-1]  # a ResNet returns one tensor per stride
        return self.linear(deepest.mean((2, 3)))


def _resnet(name: str) -> Classifier:
    backbone = ResNet(name)
    return Classifier(backbone, backbone.channels[-1], _KEPT_BLOCKS)


CLASSIFIERS: dict[str, Callable[[], Classifier]] = {
    **{name: partial(_resnet, name) for name in ("resnet34", "resnet50", "resnet101", "resnet152")},
    "erfnet": lambda: Classifier(build_erfnet(1).get_submodule("backbone"), ENCODER[-1][0]),
}


class _StochasticDepth:
    """Skips random residual blocks in each step (Huang et al. 2016), which makes ResNet-152 two to three times faster.

    The last batch norm of these blocks starts at zero (Goyal et al. 2017, section 5.1), so that few steps suffice at
    any depth. Blocks that change the size are always used: their shortcut alone reads a quarter of the positions.
    """

    def __init__(self, backbone: nn.Module, kept: float) -> None:
        blocks = [block for block in backbone.modules() if hasattr(block, "bn2")]
        self.blocks = [block for block in blocks if getattr(block, "downsample", None) is None]
        self.kept = kept
        for block in self.blocks:
            last = block.get_submodule("bn3" if hasattr(block, "bn3") else "bn2")
            nn.init.zeros_(last.get_parameter("weight"))

    def draw(self) -> None:
        """Draw the blocks to skip."""
        self.restore()
        for block, number in zip(self.blocks, torch.rand(len(self.blocks)).tolist(), strict=True):
            if number >= self.kept:
                block.forward = nn.Identity().forward

    def restore(self) -> None:
        """Use all blocks."""
        for block in self.blocks:
            vars(block).pop("forward", None)


def pretrain(task: Task, threads: int, out: Path) -> float:
    """Train a backbone and write its weights; returns the accuracy on held-out images.

    Raises:
        ValueError: the task is invalid, or the accuracy is below `MIN_ACCURACY`.
    """
    if task.backbone not in CLASSIFIERS:
        raise ValueError(f"--backbone {task.backbone}: unknown; known are {', '.join(CLASSIFIERS)}")
    if not 2 <= task.batch <= task.images:
        raise ValueError(f"--batch {task.batch}: expected 2 to {task.images}, the number of --images")
    if task.size < _MIN_SIZE:
        raise ValueError(f"--size {task.size}: expected at least {_MIN_SIZE} pixels, or shapes cannot be distinguished")
    device = choose_device()
    precision = resolve_precision("auto", device)
    set_up(threads, True, precision, device)
    torch.manual_seed(task.seed)
    model = CLASSIFIERS[task.backbone]().to(device).to(memory_format=torch.channels_last)
    _train(model, task, precision, *_images(task.images, task.size, task.seed, device))
    accuracy = _accuracy(model, task, precision, *_images(HELD_OUT, task.size, task.seed + 1, device))
    result = f"{task.backbone}: accuracy {accuracy:.1%} on {len(CLASSES)} shapes, chance is {1 / len(CLASSES):.1%}"
    if accuracy < MIN_ACCURACY:
        raise ValueError(
            f"{result}, expected at least {MIN_ACCURACY:.1%}; use more images or epochs, or another learning rate"
        )
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
    say(f"{result}; weights in {out}")
    return accuracy


def _images(count: int, size: int, seed: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Scaled images (count, 3, size, size) float32 in channels-last memory, and their classes (count,) int64."""
    pixels, labels = draw_shapes(count, size, seed)
    mean, std = (torch.tensor(values, device=device).view(3, 1, 1) for values in SCALING["imagenet"])
    scaled = (torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2) / 255 - mean) / std
    return scaled, torch.from_numpy(labels).to(device)


def _train(model: Classifier, task: Task, precision: str, images: Tensor, labels: Tensor) -> None:
    """Adam on cross entropy; the learning rate rises linearly, then follows half a cosine period down to 0."""
    depth = _StochasticDepth(model.backbone, model.kept)
    optimizer = Optimizer("adam", model)
    epoch_steps = task.images // task.batch
    steps = task.epochs * epoch_steps
    rising = _WARM_UP * steps
    model.train()
    for step in range(steps):
        start = step % epoch_steps * task.batch
        if start == 0:
            order = torch.randperm(task.images).to(images.device)
        chosen = order[start : start + task.batch]
        falling = max(step - rising, 0) / (steps - rising)
        depth.draw()
        with autocast(images.device, precision):
            logits = model(images[chosen])
        F.cross_entropy(logits.float(), labels[chosen]).backward()
        optimizer.step(task.lr * min((step + 1) / rising, 1) * (1 + math.cos(math.pi * falling)) / 2)
    depth.restore()
    # Batch-norm statistics as plain averages, because moving averages lag behind after few steps.
    batches = images[: epoch_steps * task.batch].split(task.batch)
    with autocast(images.device, precision):
        update_bn(batches[:_STATISTICS_BATCHES], model)


@torch.inference_mode()
def _accuracy(model: Classifier, task: Task, precision: str, images: Tensor, labels: Tensor) -> float:
    model.eval()
    with autocast(images.device, precision):
        logits = torch.cat([model(batch) for batch in images.split(task.batch)])
    return int((logits.argmax(1) == labels).sum()) / len(labels)


def main() -> None:
    """Train a backbone to classify synthetic shapes."""
    parser = StageParser("seg.training.pretrain", main.__doc__)
    parser.add_argument("--backbone", required=True, help=", ".join(CLASSIFIERS))
    parser.add_argument("--images", type=int, required=True, help="number of training images")
    parser.add_argument("--size", type=int, required=True, help="height and width of the images, pixels")
    parser.add_argument("--epochs", type=int, required=True, help="passes over the images")
    parser.add_argument("--batch", type=int, required=True, help="images per step")
    parser.add_argument("--lr", type=float, required=True, help="highest learning rate of Adam")
    parser.add_argument("--seed", type=int, required=True, help="of weights, images and order")
    parser.add_argument("--threads", type=int, required=True, help="CPU threads; affects floating-point results")
    parser.add_output("--out", ".safetensors", "safetensors file to write")
    arguments = vars(parser.parse_stage())
    threads, out = arguments.pop("threads"), arguments.pop("out")
    pretrain(Task(**arguments), threads, out)


if __name__ == "__main__":
    run_stage(main)
