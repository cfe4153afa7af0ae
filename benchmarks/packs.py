"""Reading 512x1024 samples from a pack, compared with decoding image files."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from benchmarks.scenes import street, street_pack
from benchmarks.timing import Row, compare, report
from seg.config.description import describe
from seg.data.pack_format import Pack
from seg.datasets.classes import class_table

HEIGHT, WIDTH, BATCH = 512, 1024, 4
SIZE = (WIDTH, HEIGHT)  # in Pillow's order
DECODED, READ = 8, 128  # samples per round
SCENES = 4


def measure() -> list[Row]:
    """Compare with PNG of twice the size, and PNG and JPEG of the same size, with one thread each; labels are PNG."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        pack = Pack(street_pack(folder, READ, HEIGHT, WIDTH, SCENES))
        references: dict[str, tuple[Callable[[], object], float | None]] = {}
        for what, ending, scale in (
            ("PNG 2048x1024, resized", "png", 2),
            ("PNG 1024x512", "png", 1),
            ("JPEG 1024x512", "jpg", 1),
        ):
            files = list(_written(folder / f"{scale}{ending}", ending, scale))
            references[f"decoding {what}"] = partial(_decode, files), 20
        reading = compare(
            "samples of 512x1024 from a pack", lambda: _read(pack), references, unit="samples/s", amount=READ, rounds=5
        )
    # Fewer samples are decoded than read: scale the results of decoding to the same number.
    share = READ / DECODED
    return [
        row._replace(
            reference_rate=row.reference_rate / share,
            ratio=row.ratio * share,
            lowest=row.lowest * share,
            highest=row.highest * share,
        )
        for row in reading
    ]


def _written(folder: Path, ending: str, scale: int) -> Iterator[tuple[Path, Path]]:
    folder.mkdir()
    for seed in range(SCENES):
        image, label = folder / f"{seed}.{ending}", folder / f"{seed}_label.png"
        pixels, ids = street(seed, HEIGHT * scale, WIDTH * scale)
        Image.fromarray(pixels).save(image, quality=95)
        Image.fromarray(ids).save(label)
        yield image, label


def _read(pack: Pack) -> None:
    order = np.random.default_rng(0).permutation(READ)
    for start in range(0, READ, BATCH):
        pack.read(order[start : start + BATCH])


def _decode(files: list[tuple[Path, Path]]) -> None:
    table = class_table(describe("cityscapes")).train_ids()
    for k in range(DECODED):
        with Image.open(files[k % SCENES][0]) as image, Image.open(files[k % SCENES][1]) as label:
            pixels = np.asarray(image if image.size == SIZE else image.resize(SIZE, Image.Resampling.BILINEAR))
            ids = np.asarray(label if label.size == SIZE else label.resize(SIZE, Image.Resampling.NEAREST))
        assert pixels.shape[:2] == table[ids].shape


if __name__ == "__main__":
    report(measure)
