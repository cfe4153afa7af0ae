"""Data of the benchmarks: synthetic streets, and a pack of them."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from seg.config.description import describe
from seg.data.pack_format import PACK_VERSION, PIXEL_PARTS
from seg.datasets.classes import class_table
from seg.synthetic.streets import render_street
from seg.system.files import write_json


@cache
def street(seed: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) and ids on disk (H, W), uint8, in the layout of Cityscapes."""
    return render_street(np.random.default_rng(seed), height, width)


def street_pack(folder: Path, samples: int, height: int, width: int, scenes: int = 4) -> Path:
    """Write a pack of `samples` streets, of which `scenes` are distinct. Returns its `.json`."""
    table = class_table(describe("cityscapes"))
    streets = [street(seed, height, width) for seed in range(scenes)]
    images, ids = (np.stack([streets[i % scenes][part] for i in range(samples)]) for part in range(2))
    for part, values in zip(PIXEL_PARTS, (images, table.train_ids()[ids]), strict=True):
        np.save(folder / f"train.{part}.npy", values)
    about = {
        "schema_version": PACK_VERSION,
        "split": "train",
        "images": samples,
        "height": height,
        "width": width,
        "classes": table.names,
        "ids": table.ids,
    }
    about |= {"scored": table.scored, "id_pixels": np.bincount(ids.ravel(), minlength=len(table.ids)).tolist()}
    about |= {"form": {}, "label_values": table.label_values()}
    about |= {"palette": table.palette, "names": [f"street {i}" for i in range(samples)]}
    write_json(folder / "train.json", about)
    return folder / "train.json"


class Samples(Dataset[tuple[Any, Any]]):
    """The samples of a pack from memory maps, each as `transform(image, label)`.

    Args:
        pack: `.json` of the pack.
        transform: of `tv_tensors.Image` (3, H, W) and `tv_tensors.Mask` (H, W), both uint8.
    """

    def __init__(self, pack: Path, transform: Callable[..., tuple[Any, Any]]) -> None:
        self.images, self.labels = (
            np.load(pack.with_name(f"train.{part}.npy"), mmap_mode="r") for part in ("images", "labels")
        )
        self.transform = transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = torch.from_numpy(self.images[index].copy()).permute(2, 0, 1)
        label = torch.from_numpy(self.labels[index].copy())
        return self.transform(tv_tensors.Image(image), tv_tensors.Mask(label))
