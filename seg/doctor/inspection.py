"""One reading of each image with its label: all that the findings about a dataset require."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import nullcontext, suppress
from functools import partial
from multiprocessing import get_context
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from seg.datasets.classes import ClassTable
from seg.datasets.decoding import image_header, viewable
from seg.datasets.images import UnknownValuesError, read_pair, read_pair_label
from seg.datasets.matching import ImagePair
from seg.datasets.polygons import POLYGONS
from seg.doctor.alignment import Agreement, measure_agreement
from seg.doctor.lost_samples import Clipping, measure_clipping
from seg.doctor.palettes import Palette, label_palette
from seg.system.signals import ignore_ending_signals

THUMB = 32  # pixels of a thumbnail's side
_POOL_PAYS = 64  # pairs; fewer take less time than starting a process
_MOST_VALUES = 64  # unknown values that are counted, per label
_FEWEST_SHADES = 3  # unknown values; fewer are taken for classes
_SOLID = 0.3  # share of pixels of unknown values that have four equal neighbours; nearly all in drawn labels


class Sample(NamedTuple):
    """What is kept of a pair.

    Attributes:
        pair: the files.
        size: width and height in pixels.
        pixels: SHA-256 of the decoded image.
        counts: pixels (256,) by class position.
        thumbnail: grey image (32, 32) uint8.
        agreement: of image and label; `None` if it cannot be told.
        lossy: whether the label is a JPEG.
        between: share of its border pixels whose value is between those of their neighbours.
        orientation: EXIF orientation of the image, 1 if it is upright, or if its label is an image, too.
        clipping: samples of the image outside of `range`; `None` if none are.
        drops_band: whether a band that is marked as transparency and not constant is not used.
        palette: colours of the label's values, if it is a palette image of ids.
    """

    pair: ImagePair
    size: tuple[int, int]
    pixels: str
    counts: np.ndarray
    thumbnail: np.ndarray
    agreement: Agreement | None
    lossy: bool
    between: float
    orientation: int
    clipping: Clipping | None
    drops_band: bool
    palette: Palette


class Rejected(NamedTuple):
    """A pair that cannot be used.

    Attributes:
        pair: the files.
        message: one line per error.
        unknown: pixels by label value (or colour as 0xRRGGBB) that the table lacks, the commonest ones.
        pixels: number of pixels of the label, 0 if it could not be read.
        shades: share of the pixels with unknown values, if they look like the result of interpolation or compression.
    """

    pair: ImagePair
    message: str
    unknown: dict[int, int]
    pixels: int
    shades: float = 0.0


def position_counts(samples: Iterable[Sample]) -> np.ndarray:
    """Pixels (256,) int64 by class position, over several pairs."""
    return sum((sample.counts for sample in samples), np.zeros(256, np.int64))


def inspect_all(pairs: list[ImagePair], table: ClassTable, train_ids: np.ndarray) -> Iterator[Sample | Rejected]:
    """Read all pairs, in their order, in as many processes as there are processors if that is faster.

    Raises:
        ValueError: a process was killed.
    """
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    parallel = workers > 1 and len(pairs) >= _POOL_PAYS
    new_pool = partial(ProcessPoolExecutor, workers, get_context("spawn"), _start_worker)
    read = partial(inspect_pair, table=table, train_ids=train_ids)
    try:
        with new_pool() if parallel else nullcontext() as pool:
            yield from pool.map(read, pairs, chunksize=8) if pool else map(read, pairs)
    except BrokenProcessPool:
        raise ValueError(
            "a process that reads images was killed, probably because memory ran out; free some and run again"
        ) from None


def _start_worker() -> None:
    ignore_ending_signals()
    cv2.setNumThreads(1)


def inspect_pair(pair: ImagePair, table: ClassTable, train_ids: np.ndarray) -> Sample | Rejected:
    """Read a pair once.

    Args:
        pair: the files.
        table: classes of the labels.
        train_ids: those of class positions (256,) uint8.
    """
    try:
        pixels, positions, drops_band = read_pair(pair, table)
    except ValueError as error:
        return _rejected(pair, table, str(error))
    painted = pair.encoding not in POLYGONS
    colour = viewable(pixels)
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    return Sample(
        pair,
        (positions.shape[1], positions.shape[0]),
        _digest(pixels),
        np.array(Image.fromarray(positions).histogram()),
        cv2.resize(grey, (THUMB, THUMB), interpolation=cv2.INTER_AREA),
        measure_agreement(colour, train_ids[positions]),
        painted and _is_lossy(pair),
        share_between(positions) if painted else 0.0,
        _orientation(pair),
        _clipping(pair, pixels),
        drops_band,
        label_palette(pair.label) if pair.encoding in (None, "ids") else {},
    )


def _digest(pixels: np.ndarray) -> str:
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)  # no copy: images may be large
    return digest.hexdigest()


def share_between(label: np.ndarray) -> float:
    """Share of pixels with different left and right (or upper and lower) neighbours whose value is between theirs."""
    between = borders = 0
    for values in (label, label.T):
        before, here, after = values[:, :-2], values[:, 1:-1], values[:, 2:]
        rising, falling = (before < here) & (here < after), (before > here) & (here > after)
        between += int(np.count_nonzero(rising | falling))
        borders += int(np.count_nonzero(before != after))
    return between / max(borders, 1)


def _is_lossy(pair: ImagePair) -> bool:
    with suppress(UnidentifiedImageError), Image.open(pair.label) as file:
        return file.format == "JPEG"
    return False  # MATLAB, or a TIFF that Pillow does not read


def _clipping(pair: ImagePair, pixels: np.ndarray) -> Clipping | None:
    if pair.form.range is None or (pixels.min() > 0 and pixels.max() < 255):
        return None  # without decoding it again
    clipping = measure_clipping(pair.image, pair.form)
    return clipping if clipping.share else None


def _orientation(pair: ImagePair) -> int:
    return image_header(pair.image).orientation if pair.encoding in POLYGONS else 1


def _rejected(pair: ImagePair, table: ClassTable, message: str) -> Rejected:
    unknown: dict[int, int] = {}
    pixels, shades = 0, 0.0
    try:
        read_pair_label(pair, table)
    except UnknownValuesError as error:
        values, counts = np.unique(error.codes[error.unknown], return_counts=True)
        most = np.argsort(-counts, kind="stable")[:_MOST_VALUES]
        unknown = {int(values[i]): int(counts[i]) for i in most}
        pixels = error.codes.size
        if len(values) >= _FEWEST_SHADES and (_is_lossy(pair) or _share_solid(error.codes, error.unknown) < _SOLID):
            shades = float(error.unknown.mean())
    except ValueError:
        pass
    return Rejected(pair, message, unknown, pixels, shades)


def _share_solid(codes: np.ndarray, unknown: np.ndarray) -> float:
    """Share of the unknown pixels whose four neighbours have the same value."""
    padded = np.pad(codes, 1, mode="edge")
    neighbours = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    same = np.logical_and.reduce([codes == other for other in neighbours])
    return float(same[unknown].mean())
