"""Augmented, normalized batches from a pack: flip, rotation and random resized crop of image and labels.

The other libraries read the same samples from a memory map in a DataLoader with two workers.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import albumentations
import cv2
import numpy as np
import torch
from albumentations.pytorch import ToTensorV2
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from benchmarks.scenes import Samples, street_pack
from benchmarks.timing import Row, compare, report
from seg.config.recipe import Augmentation, Crop, Interval, Rotation
from seg.data.loader import SCALING, Loader, scaled
from seg.data.pack_format import Pack

WORKERS = 2  # processes of the DataLoader; the loader of seg uses one thread in addition to the main one
BATCHES = 12  # per epoch; one epoch is timed
DEGREES, AREA, ASPECT = 15.0, (0.25, 1.0), (0.75, 4 / 3)
MEAN, STD = SCALING["imagenet"]
AUGMENTATION = Augmentation(
    flip=1.0,
    rotation=Rotation(p=1.0, degrees=DEGREES),
    crop=Crop(p=1.0, area=Interval(low=AREA[0], high=AREA[1]), aspect=Interval(low=ASPECT[0], high=ASPECT[1])),
)


def torchvision_transform(height: int, width: int) -> Callable[..., tuple[Any, Any]]:
    """The augmentation with torchvision.transforms.v2."""
    fill = {tv_tensors.Image: 0, tv_tensors.Mask: 255}
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(1.0),
            v2.RandomRotation(DEGREES, InterpolationMode.BILINEAR, fill=fill),
            v2.RandomResizedCrop((height, width), AREA, ASPECT),
            v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
            v2.Normalize(list(MEAN), list(STD)),
        ]
    )


class Albumentations:
    """The augmentation with albumentations."""

    def __init__(self, height: int, width: int) -> None:
        crop = albumentations.RandomResizedCrop((height, width), AREA, ASPECT, mask_interpolation=cv2.INTER_NEAREST)
        rotation = albumentations.Rotate(
            (-DEGREES, DEGREES), border_mode=cv2.BORDER_CONSTANT, fill=0, fill_mask=255, p=1
        )
        scaling = albumentations.Normalize(MEAN, STD)
        self.transform = albumentations.Compose(
            [albumentations.HorizontalFlip(p=1), rotation, crop, scaling, ToTensorV2()]
        )

    def __call__(self, image: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cv2.setNumThreads(0)  # the workers are the parallelism
        done = self.transform(image=np.asarray(image.permute(1, 2, 0)), mask=np.asarray(label))
        return done["image"], done["mask"]


def measure() -> list[Row]:
    """Batches per second at two sizes."""
    return _measured(512, 1024, batch=4, aims=(4, 2.5)) + _measured(224, 224, batch=16, aims=(8, 2.5))


def _measured(height: int, width: int, batch: int, aims: tuple[float, float]) -> list[Row]:
    samples, generator = BATCHES * batch, np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        path = street_pack(Path(folder), samples, height, width)
        loader = Loader(Pack(path), torch.device("cpu"), workers=1)

        def run_seg() -> None:
            order = generator.permutation(samples)
            for images, labels, _ in loader.batches(order, batch, augmentation=AUGMENTATION):
                assert scaled(images, "imagenet").shape[2:] == labels.shape[1:]

        def epoch_of(transform: Callable[..., tuple[Any, Any]]) -> Callable[[], None]:
            data_loader = DataLoader(
                Samples(path, transform), batch, shuffle=True, num_workers=WORKERS, persistent_workers=True
            )

            def run() -> None:
                for images, labels in data_loader:
                    assert images.shape[2:] == labels.shape[1:]

            return run

        others = {
            "torchvision v2": torchvision_transform(height, width),
            "albumentations 2.0.8": Albumentations(height, width),
        }
        references = {
            f"{name}, {WORKERS} workers": (epoch_of(transform), aim)
            for (name, transform), aim in zip(others.items(), aims, strict=True)
        }
        what = f"augmented, normalized batches of {batch}, {height}x{width}"
        return compare(what, run_seg, references, unit="batches/s", amount=BATCHES, rounds=5)


if __name__ == "__main__":
    report(measure)
