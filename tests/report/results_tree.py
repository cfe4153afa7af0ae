"""A small results tree as written by the stages: three variants, two seeds, an absent class, a name with HTML."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

HOSTILE = '<script>alert("1, 2")</script>'
CLASSES = ("road", "building", "person", "train", HOSTILE)
PALETTE = ((128, 64, 128), (70, 70, 70), (220, 20, 60), (0, 80, 100), (250, 170, 30))
IMAGES = 24
# mIoU by variant and seed; the other scores follow from it
MIOU = {"baseline": (0.30, 0.34), "unet": (0.52, 0.50), "dice": (0.20, 0.20)}
PUBLISHED = """\
study,variant,split,metric,class,value,note
streets,baseline,val,pixel_accuracy,,0.7527,
streets,baseline,val,miou,,0.2210,
streets,baseline,val,iou,building,0.5819,
streets,baseline,val,iou,train,nan,class absent
streets,unet,val,miou,,0.51,
streets,unet,val,iou,person,1.3824,impossible: an IoU cannot exceed 1 (as printed)
streets,unet,val,loss,,0.9,
elsewhere,unet,test,miou,,0.99,another study's
"""
HISTORY = """\
epoch,lr,train_loss,val_loss,val_pixel_accuracy,val_miou,schema_version
1,0.005,2.5,,,,1
2,0.005,1.6,1.9,0.5,0.1,1
3,0.005,1.2,,,,1
4,0.005,1.0,1.4,0.6,0.2,1
"""
# The tree as on the source's own data, with the full budget
SOURCE: dict[str, Any] = {
    "dataset": "streets",
    "classes": 5,
    "scored": "streets",
    "split": "val",
    "epochs": {"baseline": 4, "unet": 4, "dice": 4},
}
NOTES = {
    "streets": ["Its <i>stride</i> is assumed."],
    "unet": ["lr 1e-4 is assumed"],
    "dice": ["lr 0.005 is assumed & <b>bold</b>", "lr 1e-4 is assumed"],
}


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def write_picture(path: Path) -> None:
    pixels = np.arange(8 * 32 * 3, dtype=np.uint8).reshape(8, 32, 3)
    Image.fromarray(pixels).save(path)


def confusion(miou: float, classes: Sequence[str] = CLASSES) -> np.ndarray:
    """One matrix per image (N, C, C) int64 with this mIoU in total: 1000 pixels per class, none of `train`.

    Wrong pixels are predicted as the next class. Every second image is harder, and the others as much easier.
    """
    there = [i for i, name in enumerate(classes) if name != "train"]
    matrices = np.zeros((IMAGES, len(classes), len(classes)), np.int64)
    easier = 20 * (-1) ** np.arange(IMAGES)
    for i, following in zip(there, [*there[1:], there[0]], strict=True):
        matrices[:, i, i] = round(1000 * miou) + 2 * easier
        matrices[:, i, following] = 500 - round(500 * miou) - easier
    return matrices


def scores(miou: float, classes: Sequence[str]) -> dict[str, Any]:
    """Scores at one size. The IoU of each class is the mIoU, of road 0.1 more, of person 0.1 less."""
    return {
        "pixel_accuracy": miou + 0.4,
        "mean_accuracy": miou + 0.05,
        "miou": miou,
        "frequency_weighted_iou": miou + 0.2,
        "image_accuracy": miou + 0.3,
        "image_miou": miou - 0.02,
        "boundary_iou": miou - 0.1,
        "calibration_error": 0.125,
        "iou": dict.fromkeys(classes, miou) | {"road": miou + 0.1, "person": miou - 0.1, "train": None},
        "class_boundary_iou": dict.fromkeys(classes, miou - 0.1) | {"road": miou, "train": None},
        "commonest": {"class": "road", "pixel_accuracy": 0.41, "miou": 0.0825},
    }


def write_run(directory: Path, miou: float, classes: Sequence[str] = CLASSES, loss: str = "cross_entropy") -> None:
    """Files of one seed. The mIoU at the size of the pack is 0.05 less than at the labels' own size."""
    seed = int(directory.name.removeprefix("seed"))
    metrics = {
        "schema_version": 1,
        "split": "val",
        "images": IMAGES,
        "names": [f"scene_{i:03}" for i in range(IMAGES)],
        "groups": [""] * IMAGES,
        "ordered": False,
        "classes": list(classes),
        "inference": {},
        "loss": 1.25 + seed / 2,
        "native": scores(miou, classes),
        "pack": scores(miou - 0.05, classes),
    }
    machine = {"cpu": "AMD EPYC 9R14", "cores": 2, "gpu": None, "system": "Linux 6.1"}
    training = {
        "schema_version": 2,
        "classes": list(classes),
        "palette": [list(colour) for colour in PALETTE],
        "weights": None,
        "parameters": 3_140_691,
        "trainable_parameters": 3_140_691,
        "epochs": 4,
        "scored_epoch": 4,
        "train_images": 100,
        "steps": 100,
        "resident_bytes": 0,
        "device": "cpu",
        "precision": "bf16",
        "seconds": 60.0 + 10 * seed,
        "images_per_second": 40.0,
        "peak_memory_bytes": 1_200_000_000 + seed,
        "machine": machine,
        "versions": {"python": "3.12.3", "torch": "2.14.1", "seg": "0.1.0"},
        "commit": "0123456789abcdef",
        "code": "89abcdef01234567",
        "recipe": {
            "loss": loss,
            "lr": 0.005,
            "epochs": 4,
            "schedule": {"name": "constant", "every": None},
            "seed": seed,
        },
        "started": "2031-02-03T04:05:06+00:00",
    }
    evaluation = {
        "schema_version": 1,
        "device": "cpu",
        "machine": machine,
        "precision": "bf16",
        "seconds": 0.43,
        "images_per_second": 55.5,
        "throughput_images_per_second": 77.5,
        "multiply_adds": 12_345_678_901,
        "latency_seconds": 0.020 + seed / 100,
        "latency_runs": 20 - seed,
        "peak_memory_bytes": 640_000_000,
    }
    write(directory / "metrics.json", metrics)
    np.save(directory / "confusion.npy", np.stack([confusion(miou, classes), confusion(miou - 0.05, classes)]))
    write(directory / "run.json", training)
    write(directory / "evaluation.json", evaluation)
    write(directory / "history.csv", HISTORY)
    write_picture(directory / "samples.png")


def write_statistics(path: Path) -> None:
    """Five scored ids, one of them without a pixel, and two ids that are not scored."""
    content = {
        "schema_version": 1,
        "dataset": "streets",
        "split": "train",
        "images": 10,
        "height": 20,
        "width": 50,
        "classes": list(CLASSES),
        "pixels": [5000, 2500, 400, 0, 100],
        "class_images": [10, 9, 4, 0, 1],
        "ids": ["unlabeled", "static", *CLASSES],
        "id_pixels": [1500, 500, 5000, 2500, 400, 0, 100],
        "id_images": [10, 7, 10, 9, 4, 0, 1],
        "scored": [2, 3, 4, 5, 6],
        "palette": [list(colour) for colour in PALETTE],
        "mean": [0.4, 0.41, 0.42],
        "std": [0.2, 0.21, 0.22],
        "weights": [0.5, 0.75, 1.5, 1.0, 1.25],
    }
    write(path, content)


def write_results(root: Path) -> Path:
    """Write `streets/<variant>/seed<k>/`, `published.csv` and `statistics.json`. Returns `root`."""
    for variant, mious in MIOU.items():
        for seed, miou in enumerate(mious):
            loss = "dice" if variant == "dice" else "cross_entropy"
            write_run(root / "streets" / variant / f"seed{seed}", miou, loss=loss)
    write(root / "published.csv", PUBLISHED)
    write_statistics(root / "statistics.json")
    return root
