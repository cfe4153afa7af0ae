"""Data of the benchmarks: synthetic streets, and a pack of them."""

from functools import cache
from pathlib import Path

import numpy as np

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
