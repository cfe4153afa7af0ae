"""Augmented, normalized batches from a pack: flip, rotation and random resized crop of image and labels."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from benchmarks.scenes import street_pack
from benchmarks.timing import Row, compare, report
from seg.config.recipe import Augmentation, Crop, Interval, Rotation
from seg.data.loader import Loader, scaled
from seg.data.pack_format import Pack

WORKERS = 2  # processes of the DataLoader; the loader of seg uses one thread in addition to the main one
BATCHES = 12  # per epoch; one epoch is timed
DEGREES, AREA, ASPECT = 15.0, (0.25, 1.0), (0.75, 4 / 3)
AUGMENTATION = Augmentation(
    flip=1.0,
    rotation=Rotation(p=1.0, degrees=DEGREES),
    crop=Crop(p=1.0, area=Interval(low=AREA[0], high=AREA[1]), aspect=Interval(low=ASPECT[0], high=ASPECT[1])),
)


class Streets(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The same samples from a memory map, with torchvision's transforms applied per sample."""

    def __init__(self, pack: Path, height: int, width: int) -> None:
        self.images, self.labels = (
            np.load(pack.with_name(f"train.{part}.npy"), mmap_mode="r") for part in ("images", "labels")
        )
        fill = {tv_tensors.Image: 0, tv_tensors.Mask: 255}
        self.transform = v2.Compose(
            [
                v2.RandomHorizontalFlip(1.0),
                v2.RandomRotation(DEGREES, InterpolationMode.BILINEAR, fill=fill),
                v2.RandomResizedCrop((height, width), AREA, ASPECT),
                v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
                v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
            ]
        )

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        image = torch.from_numpy(self.images[index].copy()).permute(2, 0, 1)
        label = torch.from_numpy(self.labels[index].copy())
        return self.transform(tv_tensors.Image(image), tv_tensors.Mask(label))


def measure() -> list[Row]:
    """Batches per second, compared with torchvision.transforms.v2 in a DataLoader with two workers."""
    return _measured(512, 1024, batch=4, target=4) + _measured(224, 224, batch=16, target=8)


def _measured(height: int, width: int, batch: int, target: float) -> list[Row]:
    samples, generator = BATCHES * batch, np.random.default_rng(0)
    with TemporaryDirectory() as folder:
        path = street_pack(Path(folder), samples, height, width)
        loader = Loader(Pack(path), torch.device("cpu"), workers=1)
        streets = Streets(path, height, width)
        data_loader = DataLoader(streets, batch, shuffle=True, num_workers=WORKERS, persistent_workers=True)

        def run_seg() -> None:
            order = generator.permutation(samples)
            for images, labels, _ in loader.batches(order, batch, augmentation=AUGMENTATION):
                assert scaled(images, "imagenet").shape[2:] == labels.shape[1:]

        def run_torchvision() -> None:
            for images, labels in data_loader:
                assert images.shape[2:] == labels.shape[1:]

        what = f"augmented, normalized batches of {batch}, {height}x{width}"
        references = {f"torchvision v2, {WORKERS} workers": (run_torchvision, target)}
        return compare(what, run_seg, references, unit="batches/s", amount=BATCHES, rounds=5)


if __name__ == "__main__":
    report(measure)
