"""Stage `native_labels`: the labels of a split at their own size, to score models on; see `seg.data.pack_format`."""

from pathlib import Path

import numpy as np

from seg.config.description import Description, SplitName
from seg.data.pack_format import NATIVE_VERSION
from seg.data.split_source import add_split_options, open_split, parse_split_stage
from seg.datasets.faults import group_faults
from seg.datasets.images import label_size, read_pair_label
from seg.datasets.manifest import fingerprint
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
    content, dataset, pairs, table = open_split(manifest, dataset, split, root or manifest.parent)
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
                    file.write(train_ids[label].tobytes())
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
    add_split_options(parser)
    parser.add_outputs("--out", (".native.json", ".native.npy"), "path of the pack's files without suffixes")
    write_native_labels(**parse_split_stage(parser))


if __name__ == "__main__":
    run_stage(main)
