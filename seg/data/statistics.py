"""Stage `statistics`: pixels and images of each class of a training pack, channel moments, class weights."""

from pathlib import Path

import numpy as np

from seg.data.class_weights import inverse_weights
from seg.data.pack_format import memory_map, read_pack_info
from seg.results import Statistics
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import write_text

_CHUNK = 16  # images read at a time


def channel_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (C,) of each channel of images (N, H, W, C) uint8, scaled to [0, 1].

    Computed from exact integer histograms, a few images at a time.
    """
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), _CHUNK):
        chunk = np.asarray(images[start : start + _CHUNK])
        for channel in range(len(counts)):
            counts[channel] += np.bincount(chunk[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ levels
    return mean, np.sqrt((share * (levels - mean[:, None]) ** 2).sum(1))


def write_statistics(pack: Path, out: Path) -> None:
    """Write the statistics of the pack with the `.json` file `pack` to `out`, see `seg.results.Statistics`."""
    info = read_pack_info(pack)
    mean, deviation = channel_moments(memory_map(pack, "images"))
    pixels, images = ([info[key][i] for i in info["scored"]] for key in ("id_pixels", "id_images"))
    copied = Statistics.model_fields.keys() & info.keys() - {"schema_version"}  # of the pack, not of the statistics
    values = {key: info[key] for key in copied}
    values |= {"pixels": pixels, "class_images": images, "weights": inverse_weights(np.array(pixels)).tolist()}
    values |= {"mean": mean.tolist(), "std": deviation.tolist()}
    write_text(out, Statistics.model_validate(values, strict=False).text())


def main() -> None:
    """Count the classes and channel values of a training pack."""
    parser = StageParser("seg.data.statistics", main.__doc__)
    parser.add_argument("--pack", type=Path, required=True, help=".json file of the pack")
    parser.add_output("--out", ".json", "JSON file to write")
    write_statistics(**vars(parser.parse_stage()))


if __name__ == "__main__":
    run_stage(main)
