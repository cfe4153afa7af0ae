"""Files of a split: by the directories, the lists or the hash of names that divide a dataset."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from seg.config.description import Description, SplitName
from seg.datasets.faults import group_faults
from seg.datasets.lists import Names, find_lists, read_lists
from seg.datasets.splits import draw_fold, draw_split, group_of, halve, unit_hash
from seg.system.console import printable

Files = dict[str, str]  # paths relative to the dataset's directory, by name


class FileSet(NamedTuple):
    """Images or labels: files by the split in their path (empty without one) and by name, and their pattern."""

    files: dict[str, Files]
    pattern: str
    root: Path

    @property
    def divided(self) -> bool:
        """Whether paths tell the split."""
        return "{split}" in self.pattern

    def of(self, splits: Iterable[str]) -> Files:
        """Files of these splits by name. Raises ValueError if two of them have the same name."""
        merged: Files = {}
        problems = []
        for split in splits:
            files = self.files.get(split, {})
            problems += [same_name(self.root, files[name], merged[name]) for name in merged.keys() & files]
            merged |= files
        if problems:
            raise ValueError("\n".join(group_faults(sorted(problems))))
        return merged

    def of_split(self, split: str) -> Files:
        """Files of a split; all, if paths do not tell it."""
        return self.of([split if self.divided else ""])

    def missing(self, name: str, ending: str = "*") -> str:
        """Path that a file of this name would have, with the directories of an existing one."""
        wanted = re.sub(r"\{stem(:[^{}]*)?\}", lambda _: name, self.pattern)
        existing = next((file for files in self.files.values() for file in files.values()), wanted)
        *directories, _ = existing.split("/")
        return "/".join([*directories, re.sub(r"\.\*$", f".{ending}", wanted.rpartition("/")[2])])


def same_name(root: Path, file: str, other: str) -> str:
    same_directory = PurePosixPath(file).parent == PurePosixPath(other).parent
    fix = "remove or rename one" if same_directory else "rename one, or give {parent} or **/ in both patterns"
    shown = printable(PurePosixPath(other).name if same_directory else other)
    return f"{printable(str(root / file))}: has the same name as {shown}; {fix}"


def files_of_split(
    description: Description, root: Path, paths: list[str], images: FileSet, labels: FileSet, split: SplitName
) -> tuple[Files, Files]:
    """Images and labels of a split by name, as lists, directories or the hash of names divide the dataset."""
    splits = description.splits
    source: SplitName = "train" if splits.hold_out and split == "val" else split
    divided = next((kind.pattern for kind in (images, labels) if kind.divided and not splits.draw), "")
    lists = [] if splits.draw else find_lists(description, paths)
    if splits.lists or (lists and not (images.divided and any(images.files))):
        if lists:
            _refuse_folds(description, root, lists[0].file)
        found = _listed(description, read_lists(description, root, lists, images.of(images.files)), labels, source)
        all_images, all_labels = images.of(images.files), labels.of(labels.files)
        own_images = {name: all_images.get(name) or images.missing(name) for name in found}
        own_labels = {name: all_labels.get(name) or labels.missing(name, "png") for name in found}
    elif divided:
        _refuse_folds(description, root, divided)
        own_images, own_labels = _in_directories(root, images, labels, source)
    else:
        own_images, own_labels = _drawn(description, root, images, labels, source)
    if splits.hold_out and source == "train":
        own_images, own_labels = (
            {
                name: file
                for name, file in files.items()
                if (unit_hash(group_of(description.group, name) or name) < splits.hold_out) == (split == "val")
            }
            for files in (own_images, own_labels)
        )
    return own_images, own_labels


def _refuse_folds(description: Description, root: Path, divided_by: str) -> None:
    """Raise ValueError if the description has folds, but the dataset has splits."""
    if description.folds:
        fix = "remove folds, or give `splits: {draw: [train, val, test]}` to pool them"
        raise ValueError(f"{root}: got folds: {description.folds}, but {divided_by} divides the images; {fix}")


def _listed(description: Description, lists: Names, labels: FileSet, split: str) -> list[str]:
    """Names of a split; where no label of the test split exists, `halve` divides the validation split."""
    labelled = labels.of(labels.files)
    if split == "train" or not description.splits.halve or any(name in labelled for name in lists["test"]):
        return lists[split]
    return halve(lists["val"], lambda name: group_of(description.group, name))[split]


def _in_directories(root: Path, images: FileSet, labels: FileSet, split: str) -> tuple[Files, Files]:
    """Images and labels in the directories of a split; if only one kind is divided, the other follows by name."""
    own_images, own_labels = images.of_split(split), labels.of_split(split)
    if images.divided == labels.divided:
        return own_images, own_labels
    kind, own, all_others = (images, own_images, own_labels) if images.divided else (labels, own_labels, own_images)
    elsewhere = {name: file for other, files in kind.files.items() if other != split for name, file in files.items()}
    if twice := sorted(own.keys() & elsewhere.keys() & all_others.keys()):
        what, key = ("label", "labels") if images.divided else ("image", "images")
        files = f"{own[twice[0]]} and of {elsewhere[twice[0]]}"
        raise ValueError(f"{root / all_others[twice[0]]}: is the {what} of {files}; give {{split}} in `{key}`, too")
    others = {name: file for name, file in all_others.items() if name in own or name not in elsewhere}
    return (own, others) if images.divided else (others, own)


def _drawn(
    description: Description, root: Path, images: FileSet, labels: FileSet, split: SplitName
) -> tuple[Files, Files]:
    """Images and labels of a split by the hash of names or groups, or by folds."""
    pooled = description.splits.draw
    all_images, all_labels = (kind.of(pooled if kind.divided else [""]) for kind in (images, labels))
    groups = {name: group_of(description.group, name) or name for name in all_images | all_labels}
    if description.folds and groups:
        try:
            where = draw_fold(groups, description.folds, description.fold or 0)
        except ValueError as error:
            raise ValueError(f"{root}: {error}") from None
    else:
        where = {name: draw_split(group) for name, group in groups.items()}
    own_images, own_labels = (
        {name: file for name, file in files.items() if where[name] == split} for files in (all_images, all_labels)
    )
    if all_images and not own_images and not pooled:
        raise ValueError(
            f"{root}: split '{split}' is empty, the hashes of all {len(all_images)} names select other splits; "
            "add images, or create the lists train.txt, val.txt and test.txt"
        )
    return own_images, own_labels
