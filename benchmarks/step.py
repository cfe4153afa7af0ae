"""A training step, from pack to update, compared with a plain float32 loop over the same network."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
import torch.nn.functional as F

from benchmarks.scenes import street_pack
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


def measure() -> list[Row]:
    """Measure the FCN and the U-Net of the study cityscapes_fcn."""
    return _measured("fcn", 224, steps=4) + _measured("unet", 128, steps=2)


def _measured(name: str, side: int, steps: int) -> list[Row]:
    """Time an epoch of `steps` steps; both loops read each batch from a pack and scale it."""
    chosen = recipe(name)
    with TemporaryDirectory() as folder:
        path = street_pack(Path(folder), BATCH * steps, side, side)
        pack = Pack(path)
        network = build_model(name, len(pack.classes), {})
        optimizer = torch.optim.Adam(network.parameters(), chosen.lr)

        def plain() -> None:
            for start in range(0, len(pack), BATCH):
                images, labels = pack.read(np.arange(start, start + BATCH))
                scaled = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().float() / 255
                optimizer.zero_grad()
                loss = F.cross_entropy(network(scaled), torch.from_numpy(labels).long(), ignore_index=IGNORE)
                loss.backward()
                optimizer.step()

        return compare(
            f"training step, {name} {side}x{side}, batch {BATCH}",
            training_epoch(chosen, path),
            {"plain fp32 loop": (plain, 1.9)},
            unit="images/s",
            amount=len(pack),
            rounds=7,
        )


def training_epoch(chosen: Recipe, pack: Path) -> Callable[[], list[float]]:
    """Return a function that trains for one epoch on the CPU and returns the loss of each step."""
    device = torch.device("cpu")
    loader, _, class_weights, model, _ = open_inputs(chosen, pack, pack, None, device, workers=0)
    step = TrainStep(chosen, model, class_weights, device)
    step.train_mode()

    def epoch() -> list[float]:
        order = epoch_order(len(loader.pack), chosen.seed, epoch=0)
        batches = loader.batches(order, chosen.batch, augmentation=chosen.augmentation)
        return [float(step([batch], chosen.lr)) for batch in batches]

    return epoch


def recipe(name: str) -> Recipe:
    """Recipe of one epoch of a network of cityscapes_fcn, without augmentation, like the plain loop."""
    return Recipe(
        model=make_model(name),
        weights=None,
        frozen=False,
        loss="cross_entropy",
        optimizer="adam",
        lr=1e-4,
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


if __name__ == "__main__":
    report(measure)
