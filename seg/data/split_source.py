"""What the stages that read a split of a dataset have in common: options, and the files and classes of the split."""

from pathlib import Path
from typing import Any, NamedTuple

from seg.config.description import Description, SplitName, read_description
from seg.datasets.classes import ClassTable, class_table
from seg.datasets.manifest import read_manifest
from seg.datasets.matching import ImagePair, find_pairs
from seg.datasets.own_files import with_own_keys
from seg.system.arguments import StageParser


class SplitSource(NamedTuple):
    """A split of a dataset.

    Attributes:
        manifest: content of the dataset's manifest; of a fold, with the files of its own images only.
        dataset: its description, with the keys of its own files.
        pairs: images and labels of the split, sorted by name.
        table: classes of the labels.
    """

    manifest: dict[str, Any]
    dataset: Description
    pairs: list[ImagePair]
    table: ClassTable


def open_split(manifest: Path, dataset: Description, split: SplitName, root: Path) -> SplitSource:
    """Find the files of a split.

    Args:
        manifest: manifest of the dataset.
        dataset: description of its files and classes.
        split: `train`, `val` or `test`.
        root: directory of the dataset.

    Raises:
        ValueError: the manifest or the description is invalid, or the split is empty or incomplete: one line per error.
    """
    content, dataset = read_manifest(manifest), with_own_keys(dataset, root)
    if dataset.folds and dataset.fold is None:
        raise ValueError(
            f"{root}: got folds: {dataset.folds}, but no number of the fold; give folds in params.yaml, not in "
            "dataset.yaml, and name a fold in paths (seed0/fold0)"
        )
    pairs = find_pairs(dataset, root, split)
    if dataset.folds:  # a change of another image must not make the split another one
        own = {pair.image.relative_to(root).as_posix() for pair in pairs}
        content["files"] = {name: entry for name, entry in content["files"].items() if name in own}
    return SplitSource(content, dataset, pairs, class_table(dataset, root))


def add_split_options(parser: StageParser) -> None:
    """Add the options of a split and of the size of its pack."""
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the dataset")
    parser.add_argument("--root", type=Path, help="directory of the dataset; default: the manifest's")
    parser.add_argument("--dataset", required=True, help="layout or description of the dataset (JSON)")
    parser.add_argument("--split", required=True, help="train, val or test")
    parser.add_argument("--height", type=int, required=True, help="of the pack, pixels")
    parser.add_argument("--width", type=int, required=True, help="of the pack, pixels")


def parse_split_stage(parser: StageParser) -> dict[str, Any]:
    """Arguments of a stage with these options. Raises ValueError if the description is invalid."""
    arguments = vars(parser.parse_stage())
    return arguments | {"dataset": read_description(arguments["dataset"])}
