"""Stage `native_labels`: the labels of a split at their own size, to score models on; see `seg.data.pack_format`."""

from pathlib import Path

import numpy as np

from seg.data.pack_format import NATIVE_VERSION
from seg.datasets.images import image_size, read_label
from seg.datasets.layouts import class_table, find_pairs
from seg.datasets.manifest import fingerprint, read_manifest
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import sha256, write_json, written_whole


def write_native_labels(
    manifest: Path, layout: str, split: str, height: int, width: int, out: Path, root: Path | None = None
) -> None:
    """Write the labels of a split, beside its pack, that have another size than the pack.

    Args:
        manifest: manifest of the dataset.
        layout: layout of the dataset, see `seg.datasets.layouts`.
        split: `train`, `val` or `test`.
        height, width: size of the pack in pixels.
        out: path of the pack's files without suffixes.
        root: directory of the dataset; default: the manifest's.

    Raises:
        ValueError: the split is empty, or a label cannot be used: one line per error.
        OSError: from the file system, such as a full disk.
    """
    content = read_manifest(manifest)
    root = root or manifest.parent
    pairs = find_pairs(layout, root, split)
    table = class_table(layout, root)
    train_ids = table.train_ids()
    sizes = [image_size(pair.label) for pair in pairs]
    stored = [(pair, size) for pair, size in zip(pairs, sizes, strict=True) if size != (height, width)]
    with written_whole(out.with_name(f"{out.name}.native.npy")) as (part,):
        with part.open("wb") as file:
            shape = (sum(h * w for _, (h, w) in stored),)
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            for pair, _ in stored:
                file.write(train_ids[np.asarray(read_label(pair.label, table))].tobytes())
        digest = sha256(part)
    info = {
        "schema_version": NATIVE_VERSION,
        "dataset": content.get("name"),
        "layout": layout,
        "split": split,
        "classes": table.names,
        "manifest": fingerprint(content),
        "labels_sha256": digest,
        "names": [pair.name for pair in pairs],
        "sizes": sizes,
    }
    write_json(out.with_name(f"{out.name}.native.json"), info)


def main() -> None:
    """Keep the labels of a split at their own size."""
    parser = StageParser("seg.data.native_labels", main.__doc__)
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the dataset")
    parser.add_argument("--root", type=Path, help="directory of the dataset; default: the manifest's")
    parser.add_argument("--layout", required=True, help="layout of the dataset, see seg/datasets/layouts.py")
    parser.add_argument("--split", required=True, help="train, val or test")
    parser.add_argument("--height", type=int, required=True, help="of the pack, pixels")
    parser.add_argument("--width", type=int, required=True, help="of the pack, pixels")
    parser.add_outputs("--out", (".native.json", ".native.npy"), "path of the pack's files without suffixes")
    write_native_labels(**vars(parser.parse_stage()))


if __name__ == "__main__":
    run_stage(main)
