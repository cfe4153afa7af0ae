"""Images that differ at the borders of their labels."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ["wall", "crack", "rust", "door", "pipe", "sign"]
SCENE_SPLITS = {"train": range(20), "val": range(20, 25), "test": range(25, 30)}


def scene(seed: int, height: int = 96, width: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) and label of boxes in the colours of their classes, with noise."""
    generator = np.random.default_rng(seed)
    label = np.zeros((height, width), np.uint8)
    for k in range(1, len(CLASSES)):
        top, left = generator.integers(0, height - 30), generator.integers(0, width - 30)
        label[top : top + generator.integers(12, 30), left : left + generator.integers(12, 30)] = k
    colours = generator.integers(60, 200, (len(CLASSES), 3))
    return np.clip(colours[label] + generator.normal(0, 12, (height, width, 3)), 0, 255).astype(np.uint8), label


def write_scenes(root: Path) -> None:
    """A directory of 30 images with labels and lists, in which the doctor finds nothing."""
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for k in range(30):
        image, label = scene(k)
        Image.fromarray(image).save(root / f"images/{k:02}.png")
        Image.fromarray(label).save(root / f"labels/{k:02}.png")
    (root / "classes.yaml").write_text(json.dumps(CLASSES))
    for split, numbers in SCENE_SPLITS.items():
        (root / f"{split}.txt").write_text("\n".join(f"{k:02}" for k in numbers))
