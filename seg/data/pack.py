"""Stage `pack`: a split of a dataset, decoded and resized once, see `seg.data.pack_format`."""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from seg.config.description import Description, SplitName
from seg.data.pack_format import PACK_VERSION, PIXEL_PARTS, pixel_shape
from seg.data.resizing import place, resize_image, resize_label
from seg.data.split_source import add_split_options, open_split, parse_split_stage
from seg.datasets.classes import ClassTable
from seg.datasets.faults import group_faults
from seg.datasets.images import read_pair, unlabelled
from seg.datasets.manifest import fingerprint
from seg.datasets.matching import ImagePair
from seg.system.arguments import StageParser
from seg.system.console import printable, run_stage, say
from seg.system.files import sha256, write_json, written_whole
from seg.system.signals import ignore_ending_signals


class _Target(NamedTuple):
    """Where workers write samples: files, and offset of the data in each; class table and size (pixels) of the pack."""

    table: ClassTable
    height: int
    width: int
    files: dict[str, Path]
    offset: int


def pack_split(
    manifest: Path,
    dataset: Description,
    split: SplitName,
    height: int,
    width: int,
    out: Path,
    workers: int = 1,
    root: Path | None = None,
) -> None:
    """Write the pack of a split.

    Args:
        manifest: manifest of the dataset.
        dataset: description of its files and classes.
        split: `train`, `val` or `test`.
        height, width: size of the pack's images in pixels.
        out: path of the pack's files without suffixes.
        workers: number of processes that decode; does not affect the result.
        root: directory of the dataset; default: the manifest's.

    Raises:
        ValueError: the split is empty, none of its pixels is labelled, or files cannot be used: one line per error.
        OSError: from the file system, such as a full disk.
    """
    root = root or manifest.parent
    content, dataset, pairs, table = open_split(manifest, dataset, split, root)
    paths = [out.with_name(f"{out.name}.{part}.npy") for part in PIXEL_PARTS]
    with written_whole(*paths) as parts:
        files = dict(zip(PIXEL_PARTS, parts, strict=True))
        offset = 0
        form = dataset.form().model_dump(mode="json")
        about = {"form": form, "height": height, "width": width}
        for part in PIXEL_PARTS:
            offset = _allocate(files[part], (len(pairs), *pixel_shape(about, part)))
        ids = _pack_all(_Target(table, height, width, files, offset), pairs, workers)
        if problems := unlabelled(split, table, len(pairs), ids[0]):
            raise ValueError("\n".join(f"{root}: {problem}" for problem in problems))
        digests = {f"{part}_sha256": sha256(path) for part, path in files.items()}
    info: dict[str, Any] = {
        "schema_version": PACK_VERSION,
        "dataset": content.get("name"),
        "layout": dataset.layout,
        "form": form,
        "split": split,
        "height": height,
        "width": width,
        "images": len(pairs),
        "classes": table.names,
        "palette": table.palette,
        "ids": table.ids,
        "scored": table.scored,
        "label_values": table.label_values(),
        "id_pixels": ids[0, : len(table.ids)].tolist(),
        "id_images": ids[1, : len(table.ids)].tolist(),
        "manifest": fingerprint(content),
        **digests,
        "names": [pair.name for pair in pairs],
        "groups": [pair.group for pair in pairs],
        "ordered": dataset.ordered,
    }
    write_json(out.with_name(f"{out.name}.json"), info)


def _allocate(path: Path, shape: tuple[int, ...]) -> int:
    """Create a .npy file of its full size, so that a full disk is reported at once. Returns the offset of the data."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        offset = file.tell()
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, offset + int(np.prod(shape)))
        return offset


def _pack_all(target: _Target, pairs: list[ImagePair], workers: int) -> np.ndarray:
    """Write all pairs. Returns the numbers of pixels and of images (2, 256) of each id."""
    ids = np.zeros((2, 256), np.int64)
    problems: list[str] = []
    reduced: list[Path] = []
    pack = partial(_pack_one, target)
    parallel = workers > 1 and len(pairs) >= 64  # fewer take less time than starting a process
    new_pool = partial(ProcessPoolExecutor, workers, get_context("spawn"), ignore_ending_signals)
    with new_pool() if parallel else nullcontext() as pool:
        results = pool.map(pack, enumerate(pairs), chunksize=8) if pool else map(pack, enumerate(pairs))
        for pair, result in zip(pairs, results, strict=True):
            if isinstance(result, str):
                problems.append(result)
            else:
                counts, drops_band = result
                ids += np.stack([counts, counts > 0])
                reduced += [pair.image] * drops_band
    if problems:
        raise ValueError("\n".join(group_faults(problems)))
    if reduced:
        say(
            f"warning: {len(reduced)} of {len(pairs)} images, such as {printable(str(reduced[0]))}, have a band that is"
            " marked as transparency and not used; if it is data, add channels: 4 to the dataset (grey: channels: 2)"
        )
    return ids


def _pack_one(target: _Target, numbered_pair: tuple[int, ImagePair]) -> tuple[np.ndarray, bool] | str:
    """Write a pair. Returns the pixels (256,) of each id and whether a band is dropped, or the errors, one per line."""
    index, pair = numbered_pair
    try:
        image, native, drops_band = read_pair(pair, target.table)
    except ValueError as error:
        return str(error)
    size = (target.height, target.width)
    placement = place(pair.form.resize, native.shape, size)
    label = resize_label(native, placement, size)
    pixels = {"images": resize_image(image, placement, size), "labels": target.table.train_ids()[label]}
    for part, values in pixels.items():
        with target.files[part].open("rb+") as file:
            file.seek(target.offset + index * values.nbytes)
            file.write(np.ascontiguousarray(values).data)
    return np.bincount(label.reshape(-1), minlength=256), drops_band


def main() -> None:
    """Decode and resize a split of a dataset into a pack."""
    parser = StageParser("seg.data.pack", main.__doc__)
    add_split_options(parser)
    suffixes = (".json", *(f".{part}.npy" for part in PIXEL_PARTS))
    parser.add_outputs("--out", suffixes, "path of the pack's files without suffixes")
    parser.add_argument("--workers", type=int, default=1, help="number of processes that decode")
    pack_split(**parse_split_stage(parser))


if __name__ == "__main__":
    run_stage(main)
