"""Train within this process or as the workflow does, and read what it leaves."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from seg.recipe import Recipe
from seg.training.checkpoint import load_checkpoint
from seg.training.train import Outputs, train


def outputs(folder: Path) -> Outputs:
    return Outputs(folder / "model.safetensors", folder / "history.csv", folder / "training.json", folder / "events")


def fit(folder: Path, recipe: Recipe, packs: Any, workers: int = 0) -> Outputs:
    """Train within this process."""
    train(recipe, packs[0], packs[1], None, outputs(folder), torch.device("cpu"), workers, "0123")
    return outputs(folder)


def command(folder: Path, recipe: Recipe, packs: Any, *more: str) -> subprocess.CompletedProcess[str]:
    """Train as a rule of the workflow does."""
    flags = {
        "recipe": recipe.json_line(),
        "train-pack": packs[0],
        "val-pack": packs[1],
        "device": "cpu",
        "code": "0123",
    }
    flags |= dict(zip(Outputs._fields, outputs(folder), strict=True))
    arguments = [str(part) for name, value in flags.items() for part in (f"--{name}", value)]
    line = [sys.executable, "-m", "seg.training.train", *arguments, *more]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def varied(recipe: Recipe, **update: Any) -> Recipe:
    return Recipe.model_validate(recipe.model_copy(update=update).model_dump())


def history(out: Outputs) -> list[dict[str, str]]:
    with out.history.open(newline="") as file:
        return list(csv.DictReader(file))


def bits(out: Outputs) -> tuple[bytes, bytes]:
    return out.model.read_bytes(), out.history.read_bytes()


def parameters(out: Outputs) -> Tensor:
    """All trained numbers of a checkpoint in a row."""
    return torch.cat([p.detach().flatten() for p in load_checkpoint(out.model).model.parameters()])


def write_pack(folder: Path, name: str, about: dict[str, Any], images: np.ndarray, labels: np.ndarray) -> Path:
    """A pack of these pixels, with what is not said of it taken from another's `about`."""
    count, height, width = labels.shape
    np.save(folder / f"{name}.images.npy", images)
    np.save(folder / f"{name}.labels.npy", labels)
    sizes = {"images": count, "height": height, "width": width, "names": [f"{name}_{i}" for i in range(count)]}
    (folder / f"{name}.json").write_text(json.dumps(about | sizes))
    return folder / f"{name}.json"


def write_colours(folder: Path, about: dict[str, Any], wrong: int) -> tuple[Path, Path]:
    """Packs (train, val) of 12 images 32x32, each of one class and its colour; in val so many have a wrong label."""
    generator = np.random.default_rng(0)
    colours = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 200]])
    truth = np.arange(12) % 3
    images = colours[truth][:, None, None] + generator.integers(-30, 30, (12, 32, 32, 3))
    said = np.where(np.arange(12) < wrong, (truth + 1) % 3, truth)
    packs = (
        write_pack(
            folder,
            name,
            about,
            images.astype(np.uint8),
            ids.astype(np.uint8)[:, None, None].repeat(32, 1).repeat(32, 2),
        )
        for name, ids in {"train": truth, "val": said}.items()
    )
    return tuple(packs)
