"""Validation of a dataset on disk: all findings at once, with how to fix them."""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from seg.config.description import Description, SplitName
from seg.datasets.classes import ClassTable, class_table
from seg.datasets.listing import missing_directory
from seg.datasets.matching import ImagePair, match_pairs
from seg.datasets.own_files import with_own_keys
from seg.datasets.splits import SPLITS
from seg.doctor.findings import Finding, from_messages
from seg.doctor.inspection import Rejected, Sample, inspect_all, position_counts
from seg.doctor.pair_checks import check_rejected, check_samples

_OPTIONAL_SPLIT = "test"
_JSON_VERSION = 1
# Used if the dataset's table cannot be read
_ANY_IDS = ClassTable(tuple(map(str, range(256))), (), (), {i: i for i in range(256)})


class Diagnosis(NamedTuple):
    """Result of a validation.

    Attributes:
        root: directory of the dataset.
        table: classes; all ids if they cannot be read.
        samples: usable pairs by split.
        rejected: the others.
        findings: errors first.
    """

    root: Path
    table: ClassTable
    samples: dict[str, list[Sample]]
    rejected: dict[str, list[Rejected]]
    findings: list[Finding]

    @property
    def failed(self) -> bool:
        """Whether something would stop or spoil a run."""
        return any(finding.severity == "error" for finding in self.findings)

    def content(self) -> dict[str, Any]:
        """As printed by `--json`; docs/how-to/check-dataset.md documents the keys."""
        splits = {}
        for split, rows in self.samples.items():
            pixels = position_counts(rows)
            images = sum((sample.counts > 0 for sample in rows), np.zeros(256, np.int64))
            labelled = max(int(pixels[list(self.table.scored)].sum()), 1)
            splits[split] = {
                "images": len(rows),
                "sizes": [
                    {"width": width, "height": height, "images": count}
                    for (width, height), count in sorted(Counter(sample.size for sample in rows).items())
                ],
                "pixels": int(pixels.sum()),
                "classes": {
                    self.table.ids[i]: {
                        "pixels": int(pixels[i]),
                        "share": int(pixels[i]) / labelled,
                        "images": int(images[i]),
                    }
                    for i in self.table.scored
                },
            }
        return {
            "schema_version": _JSON_VERSION,
            "directory": str(self.root),
            "failed": self.failed,
            "splits": splits,
            "findings": [finding.content() for finding in self.findings],
        }


def examine(root: Path, description: Description) -> Diagnosis:
    """Decode and check all images and labels of a dataset.

    Args:
        root: directory of the dataset.
        description: of its files and classes.

    Raises:
        ValueError: the directory does not exist.
    """
    if not root.is_dir():
        raise ValueError(f"{root}: no such directory; give the dataset's directory")
    problems, table = [], _ANY_IDS
    try:
        description = with_own_keys(description, root)
        table = class_table(description, root)
    except ValueError as error:
        problems += str(error).splitlines()
    pairs: dict[str, list[ImagePair]] = {}
    for split in SPLITS:
        pairs[split], wrong = _pairs(root, description, split)
        problems += wrong
    read = _read([pair for members in pairs.values() for pair in members], table)
    samples = {
        split: [sample for pair in members if isinstance(sample := read[pair], Sample)]
        for split, members in pairs.items()
    }
    rejected = {
        split: [each for pair in members if isinstance(each := read[pair], Rejected)]
        for split, members in pairs.items()
    }
    findings = [
        *from_messages(problems),
        *check_rejected([each for rows in rejected.values() for each in rows], table),
        *check_samples(description, table, samples, str(root)),
    ]
    return Diagnosis(root, table, samples, rejected, sorted(findings, key=lambda finding: finding.severity != "error"))


def _read(pairs: list[ImagePair], table: ClassTable) -> dict[ImagePair, Sample | Rejected]:
    train_ids = table.train_ids() if table is not _ANY_IDS else np.arange(256, dtype=np.uint8)
    results = inspect_all(list(dict.fromkeys(pairs)), table, train_ids)
    bar = tqdm(results, total=len(pairs), unit=" images", disable=None, leave=False)  # none where no terminal is
    return {each.pair: each for each in bar}


def _pairs(root: Path, description: Description, split: SplitName) -> tuple[list[ImagePair], list[str]]:
    """Pairs of a split, and errors in its directories and lists."""
    lists = description.splits.lists
    kinds = [description.images, [row.files for row in description.labels], [lists] if isinstance(lists, str) else []]
    sources = description.splits.sources(split)
    places = [missing_directory(description, root, patterns, sources) for patterns in kinds if patterns]
    missing = [place for place in places if place]
    if split == _OPTIONAL_SPLIT and len(missing) == len(places):
        return [], []
    if missing:
        requires = (
            f"no such directory, but layout '{description.layout}' requires it; create it or choose another layout"
        )
        return [], [f"{path}: {requires}" for path in missing]
    try:
        pairs, problems = match_pairs(description, root, split)
    except ValueError as error:
        return [], [str(error)]
    if not pairs and not problems and split != _OPTIONAL_SPLIT:
        problems = [f"{root}: no image in split '{split}'; add images with their labels"]
    return pairs, problems
