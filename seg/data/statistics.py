"""Statistics of a training pack: pixels and images of every class, moments of the channels, class weights."""

import argparse
from pathlib import Path

import numpy as np

from seg.data.pack_format import memory_map
from seg.system.console import run_stage
from seg.system.files import read_json, write_json

_CHUNK = 16  # images at once


def channel_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (3,) of each channel over all pixels of (N, H, W, 3) uint8, in [0, 1].

    From exact integer histograms, a few images at a time.
    """
    counts = np.zeros((3, 256), np.int64)
    for start in range(0, len(images), _CHUNK):
        chunk = np.asarray(images[start : start + _CHUNK])
        for channel in range(3):
            counts[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ levels
    return mean, np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))


def inverse_weights(pixels: np.ndarray) -> np.ndarray:
    """Class weights (C,) from pixel counts (C,): 1 / (count + 1), scaled to mean 1; 0 for classes without a pixel.

    The mean is over the classes that have pixels; where none has, all weigh 1. The inverse counts with a small number
    added are voc2012_fcn's (section 3.2.3); the number, the scale and the treatment of absent classes are ours.
    """
    present = np.asarray(pixels) > 0
    if not present.any():
        return np.ones(present.shape)
    weights = 1 / (np.asarray(pixels, np.float64) + 1)
    return np.where(present, weights / weights[present].mean(), 0)


def statistics(pack: Path, out: Path) -> None:
    """Write the statistics of a pack's `.json` to `out`."""
    about = read_json(pack)
    ids = np.array(about["id_pixels"], np.int64)
    id_images = np.array(about["id_images"], np.int64)
    scored = about["scored"]
    mean, deviation = channel_moments(memory_map(pack, "images"))
    copied = ("dataset", "split", "images", "height", "width", "classes", "palette", "ids", "scored")
    keep = (*copied, "id_pixels", "id_images")
    write_json(
        out,
        {key: about[key] for key in keep}
        | {
            "pixels": ids[scored].tolist(),
            "class_images": id_images[scored].tolist(),
            "mean": mean.tolist(),
            "std": deviation.tolist(),
            "weights": inverse_weights(ids[scored]).tolist(),
        },
    )


def main() -> None:
    """Count classes and channels of a training pack."""
    parser = argparse.ArgumentParser(prog="python -m seg.data.statistics", description=main.__doc__)
    parser.add_argument("--pack", type=Path, required=True, help=".json of the pack")
    parser.add_argument("--out", type=Path, required=True, help="JSON to write")
    statistics(**vars(parser.parse_args()))


if __name__ == "__main__":
    run_stage(main)
