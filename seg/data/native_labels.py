"""Stage `native_labels`: the labels of a split at their own size, to score models on; see `seg.data.pack_format`."""

from pathlib import Path

import numpy as np

from seg.config.description import Description, SplitName, read_description
from seg.data.pack_format import NATIVE_VERSION
from seg.datasets.classes import class_table
from seg.datasets.faults import group_faults
from seg.datasets.images import label_size, read_pair_label
from seg.datasets.manifest import fingerprint, read_manifest
from seg.datasets.matching import find_pairs
from seg.datasets.own_files import with_own_keys
from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import sha256, write_json, written_whole


def write_native_labels(
    manifest: Path,
    dataset: Description,
    split: SplitName,
    height: int,
    width: int,
    out: Path,
    root: Path | None = None,
) -> None:
    """Write the labels of a split, beside its pack, that have another size than the pack.

    Args:
        manifest: manifest of the dataset.
        dataset: description of its files and classes.
        split: `train`, `val` or `test`.
        height, width: size of the pack in pixels.
        out: path of the pack's files without suffixes.
        root: directory of the dataset; default: the manifest's.

    Raises:
        ValueError: the split is empty, or a label cannot be used: one line per error.
        OSError: from the file system, such as a full disk.
    """
    root = root or manifest.parent
    content, dataset = read_manifest(manifest), with_own_keys(dataset, root)
    pairs = find_pairs(dataset, root, split)
    table = class_table(dataset, root)
    train_ids = table.train_ids()
    sizes = [label_size(pair) for pair in pairs]
    stored = [(pair, size) for pair, size in zip(pairs, sizes, strict=True) if size != (height, width)]
    with written_whole(out.with_name(f"{out.name}.native.npy")) as (part,):
        with part.open("wb") as file:
            shape = (sum(h * w for _, (h, w) in stored),)
            np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
            problems = []
            for pair, _ in stored:
                try:
                    label = read_pair_label(pair, table)
                except ValueError as error:
                    problems.append(str(error))
                else:
                    file.write(train_ids[np.asarray(label)].tobytes())
        if problems:
            raise ValueError("\n".join(group_faults(problems)))
        digest = sha256(part)
    info = {
        "schema_version": NATIVE_VERSION,
        "dataset": content.get("name"),
        "layout": dataset.layout,
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
    parser.add_argument("--dataset", required=True, help="layout or description of the dataset (JSON)")
    parser.add_argument("--split", required=True, help="train, val or test")
    parser.add_argument("--height", type=int, required=True, help="of the pack, pixels")
    parser.add_argument("--width", type=int, required=True, help="of the pack, pixels")
    parser.add_outputs("--out", (".native.json", ".native.npy"), "path of the pack's files without suffixes")
    arguments = vars(parser.parse_stage())
    write_native_labels(**arguments | {"dataset": read_description(arguments["dataset"])})


if __name__ == "__main__":
    run_stage(main)
