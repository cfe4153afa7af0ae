"""Pairs of images and labels of a dataset, found by the patterns of its description."""

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from seg.config.description import Description, ImageForm, LabelFiles, SplitName, Splits, describe
from seg.datasets.faults import group_faults
from seg.datasets.listing import list_files
from seg.datasets.patterns import Match, directories, find_matches, has_parent
from seg.datasets.polygons import coco_images
from seg.datasets.splits import (
    SPLITS,
    draw_fold,
    draw_split,
    halve,
    names_by_split,
    read_list,
    refuse_repeated,
    unit_hash,
)

_LISTS = ("{split}.txt", "{split}.csv")  # of a dataset whose description has none
_OWN_KEYS = ("dataset.yaml", "classes.yaml")


class ImagePair(NamedTuple):
    """An image file and its label file, with their common name and the group of images that were recorded together.

    The group is empty if the names do not tell it. `encoding` is that of `seg.config.description.LabelFiles`, `form`
    says how the image is read.
    """

    name: str
    image: Path
    label: Path
    group: str
    encoding: str | None = None
    form: ImageForm = ImageForm()

    @property
    def stem(self) -> str:
        """Name without directories."""
        return self.name.rpartition("/")[2]


class _Kind(NamedTuple):
    """Images or labels: files by the split in their path (empty without one) and by name, and their pattern."""

    files: dict[str, dict[str, str]]
    pattern: str
    root: Path

    def of(self, splits: Iterable[str]) -> dict[str, str]:
        """Files of these splits by name. Raises ValueError if two of them have the same name."""
        merged: dict[str, str] = {}
        problems = []
        for split in splits:
            files = self.files.get(split, {})
            problems += [_same_name(self.root, files[name], merged[name]) for name in merged.keys() & files]
            merged |= files
        if problems:
            raise ValueError("\n".join(group_faults(sorted(problems))))
        return merged

    def missing(self, name: str, ending: str = "*") -> str:
        """Path that a file of this name would have, with the directories of an existing one."""
        wanted = re.sub(r"\{stem(:[^{}]*)?\}", lambda _: name, self.pattern)
        existing = next((file for files in self.files.values() for file in files.values()), wanted)
        *directories, _ = existing.split("/")
        return "/".join([*directories, re.sub(r"\.\*$", f".{ending}", wanted.rpartition("/")[2])])


def find_pairs(description: Description, root: Path, split: SplitName) -> list[ImagePair]:
    """Pairs of images and labels of a split, sorted by name.

    Raises:
        ValueError: the split is empty; or an image has no label, a label has no image, or a listed file is missing: one
            line per error.
    """
    pairs, problems = match_pairs(description, root, split)
    if problems:
        raise ValueError("\n".join(group_faults(problems)))
    if not pairs:
        own = "images" in description.model_fields_set and description.layout == "folder"
        where = f"such as {description.images[0]}" if own else f"in the layout '{description.layout}'"
        raise ValueError(f"{root}: no image in split '{split}'; add images {where}")
    return pairs


def match_pairs(description: Description, root: Path, split: SplitName) -> tuple[list[ImagePair], list[str]]:
    """Pairs of a split whose files both exist, sorted by name, and one error message per other file.

    Raises:
        ValueError: the dataset's lists contradict each other, or two files have the same name.
    """
    paths = list_files(root)
    images, labels, encoding = _find_files(description, root, paths)
    group = partial(group_of, description.group)
    listed = _read_lists(description, root, paths, images)
    source: SplitName = "train" if description.splits.hold_out and split == "val" else split
    if listed is None:
        own_images, own_labels = _without_lists(description, root, images, labels, source)
    else:
        names = _listed(description, listed, labels, source)
        all_images, all_labels = images.of(images.files), labels.of(labels.files)
        own_images = {name: all_images.get(name) or images.missing(name) for name in names}
        own_labels = {name: all_labels.get(name) or labels.missing(name, "png") for name in names}
    if (share := description.splits.hold_out) and source == "train":
        own_images, own_labels = (
            {name: file for name, file in files.items() if (unit_hash(group(name) or name) < share) == (split == "val")}
            for files in (own_images, own_labels)
        )
    alone = [f"{root / own_images[name]}: image without a label" for name in sorted(own_images.keys() - own_labels)]
    alone += [f"{root / own_labels[name]}: label without an image" for name in sorted(own_labels.keys() - own_images)]
    problems = [f"{what}; add one or remove it" for what in alone]
    foreign = [name for name in sorted(own_images) if name.encode("utf-8", "replace").decode() != name]
    problems += [
        f"{root / own_images[name]}: its name is not UTF-8, which results are written in; rename it" for name in foreign
    ]
    both = sorted(own_images.keys() & own_labels.keys())
    form = description.form()
    pairs = [
        ImagePair(name, root / own_images[name], root / own_labels[name], group(name), encoding, form) for name in both
    ]
    own = description.group is not None and description.group != describe(description.layout).group
    if own and pairs and not any(pair.group for pair in pairs):  # a group of the catalogue fits the owners' names only
        problems.append(f"{root}: group '{description.group}' matches no name, such as {pairs[0].name}; correct it")
    absent = {path for pair in pairs for path in (pair.image, pair.label) if not path.is_file()}
    problems += [
        f"{path}: missing from split '{split}'; add the file or remove its name from the split's list"
        for path in sorted(absent)
    ]
    return [pair for pair in pairs if absent.isdisjoint((pair.image, pair.label))], problems


def files_read(description: Description, root: Path) -> list[str]:
    """Sorted names of all files that the description reads for any split.

    Raises:
        ValueError: `root` or a directory of images or labels is missing, or a link leads back to a directory around it.
        OSError: a directory cannot be read.
    """
    kinds = {"images": description.images, "labels": [row.files for row in description.labels]}
    for kind, patterns in kinds.items():
        if missing := missing_directory(description, root, patterns):
            raise ValueError(f"{missing}: {why_missing(missing)}; put the {kind} of the dataset there")
    paths = list_files(root)
    found = [find_matches(p, paths, description.splits.names) for patterns in kinds.values() for p in patterns]
    names = {match.file for matches in [*found, _list_matches(description, paths)] for match in matches}
    return sorted(names | (set(_OWN_KEYS) & set(paths)))


def missing_directory(
    description: Description, root: Path, patterns: list[str], splits: Iterable[SplitName] = SPLITS
) -> Path | None:
    """Directory of the first pattern, if none of any pattern exists."""
    names = [name for split in splits for name in description.splits.names[split]]
    places = [place for pattern in patterns for place in directories(pattern, names)]
    return None if any(_has_directory(root, place) for place in places) else root / places[0]


def _has_directory(root: Path, place: str) -> bool:
    """Whether a directory exists, in any letter case, as in patterns."""
    first, _, rest = place.partition("/")
    if (root / place).is_dir():
        return True
    below = [path for path in root.glob("*") if path.name.casefold() == first.casefold() and path.is_dir()]
    return any(not rest or _has_directory(path, rest) for path in below)


def why_missing(path: Path) -> str:
    """Why a path is no directory."""
    if path.is_symlink():
        return f"a link to {path.readlink()}, where no directory is"
    return "not a directory" if path.exists() else "no such directory"


def group_of(expression: str | None, name: str) -> str:
    """Group of an image: the first group of the expression where it matches, else the match; empty if it does not."""
    match = re.search(expression, name) if expression else None
    return (match[1] if match.re.groups else match[0]) or "" if match else ""


def _find_files(description: Description, root: Path, paths: list[str]) -> tuple[_Kind, _Kind, str | None]:
    """Images and labels among `paths`, each by the pattern that matches most, and the encoding of the labels."""
    names = description.splits.names
    matches = {pattern: find_matches(pattern, paths, names) for pattern in description.images}
    pattern = max(description.images, key=lambda pattern: len(matches[pattern]))
    images = matches[pattern]
    stems = {match.stem for match in images}
    label_matches = [_label_matches(root, row, paths, description.splits) for row in description.labels]
    common = [(len({match.stem for match in found} & stems), len(found)) for found in label_matches]
    best = common.index(max(common))
    row, labels = description.labels[best], label_matches[best]
    if description.combine:
        firsts = {(m.split, m.parent, m.stem): m for found in reversed(label_matches) for m in found}
        row, labels = description.labels[0], list(firsts.values())
    _refuse_several(root, [*images, *labels])
    nested = has_parent(pattern) and has_parent(row.files)
    return (
        _Kind(_by_name(root, images, nested), pattern, root),
        _Kind(_by_name(root, labels, nested), row.files, root),
        row.encoding,
    )


def _label_matches(root: Path, row: LabelFiles, paths: list[str], splits: Splits) -> list[Match]:
    matches = find_matches(row.files, paths, splits.names)
    if row.encoding != "coco":
        return matches
    return [match._replace(stem=stem) for match in matches for stem in coco_images(root / match.file)]


def _refuse_several(root: Path, matches: list[Match]) -> None:
    """Raise ValueError if a placeholder such as `{year}` stands for several values."""
    values: dict[str, set[str]] = {}
    for match in matches:
        for key, value in match.others:
            values.setdefault(key, set()).add(value)
    for key, found in values.items():
        if len(found) > 1:
            raise ValueError(
                f"{root}: got {', '.join(sorted(found)[:5])}, expected one {key} per dataset; move the others away"
            )


def _by_name(root: Path, matches: list[Match], nested: bool) -> dict[str, dict[str, str]]:
    """Files by split and name. Raises ValueError if two of a split have the same name."""
    files: dict[str, dict[str, str]] = {}
    problems = []
    for match in matches:
        name = f"{match.parent}/{match.stem}" if nested and match.parent else match.stem
        known = files.setdefault(match.split, {})
        if name in known:
            problems.append(_same_name(root, match.file, known[name]))
        known[name] = match.file
    if problems:
        raise ValueError("\n".join(group_faults(problems)))
    return files


def _same_name(root: Path, file: str, other: str) -> str:
    same_directory = PurePosixPath(file).parent == PurePosixPath(other).parent
    fix = "remove or rename one" if same_directory else "rename one, or give {parent} or **/ in both patterns"
    return f"{root / file}: has the same name as {PurePosixPath(other).name if same_directory else other}; {fix}"


def _read_lists(description: Description, root: Path, paths: list[str], images: _Kind) -> dict[str, list[str]] | None:
    """Names by split as listed; `None` if there are no lists, or directories or `draw` divide the dataset."""
    splits = description.splits
    if isinstance(splits.lists, dict):
        known = images.of(images.files)
        named = known or description.layout == "folder"
        return names_by_split(splits.lists, root, known) if named else {split: [] for split in SPLITS}
    if splits.draw or (splits.lists is None and "{split}" in images.pattern and any(images.files)):
        return None
    found = sorted(_list_matches(description, paths), key=lambda match: SPLITS.index(match.split))
    if not found:
        if splits.lists and description.layout == "folder":
            raise ValueError(f"{root}: no lists {splits.lists}; add them, or correct `splits.lists`")
        return {split: [] for split in SPLITS} if splits.lists else None
    _refuse_folds(description, root, found[0].file)
    known = images.of(images.files)
    lists = {match.file: read_list(root / match.file, known) for match in found}
    refuse_repeated(root, lists)
    return {split: [name for m in found if m.split == split for name in lists[m.file]] for split in SPLITS}


def _refuse_folds(description: Description, root: Path, divided_by: str) -> None:
    """Raise ValueError if the description has folds, but the dataset has splits."""
    if description.folds:
        fix = "remove folds, or give `splits: {draw: [train, val, test]}` to pool them"
        raise ValueError(f"{root}: got folds: {description.folds}, but {divided_by} divides the images; {fix}")


def _list_matches(description: Description, paths: list[str]) -> list[Match]:
    lists = description.splits.lists
    if isinstance(lists, dict):
        files = {entry for entries in lists.values() for entry in entries}
        return [Match(path, "", "", "", ()) for path in paths if path in files]
    patterns = [lists] if lists else _LISTS
    return [match for pattern in patterns for match in find_matches(pattern, paths, description.splits.names)]


def _listed(description: Description, lists: dict[str, list[str]], labels: _Kind, split: str) -> list[str]:
    """Names of a split; where no label of the test split exists, `halve` divides the validation split."""
    labelled = labels.of(labels.files)
    if split == "train" or not description.splits.halve or any(name in labelled for name in lists["test"]):
        return lists[split]
    return halve(lists["val"], partial(group_of, description.group))[split]


def _without_lists(
    description: Description, root: Path, images: _Kind, labels: _Kind, split: SplitName
) -> tuple[dict[str, str], dict[str, str]]:
    """Images and labels of a split by name, where directories or the hash of names divide the dataset."""
    pooled = description.splits.draw
    if divided := [kind.pattern for kind in (images, labels) if "{split}" in kind.pattern and not pooled]:
        _refuse_folds(description, root, divided[0])
    if "{split}" in images.pattern and not pooled:
        own = images.of([split])
        if "{split}" in labels.pattern:
            return own, labels.of([split])
        unsplit = labels.of([""])
        others = {name: file for other, files in images.files.items() if other != split for name, file in files.items()}
        if twice := sorted(own.keys() & others.keys() & unsplit.keys()):
            files = f"{own[twice[0]]} and of {others[twice[0]]}"
            raise ValueError(f"{root / unsplit[twice[0]]}: is the label of {files}; give {{split}} in `labels`, too")
        return own, {name: file for name, file in unsplit.items() if name in own or name not in others}
    if "{split}" in labels.pattern and not pooled:  # the labels are divided
        labelled = {name for files in labels.files.values() for name in files}
        all_images = images.of([""])
        own_labels = labels.of([split])
        return {
            name: file for name, file in all_images.items() if name in own_labels or name not in labelled
        }, own_labels
    all_images, all_labels = (kind.of(pooled if "{split}" in kind.pattern else [""]) for kind in (images, labels))

    groups = {name: group_of(description.group, name) or name for name in all_images | all_labels}
    if description.folds and groups:
        try:
            where = draw_fold(groups, description.folds, description.fold or 0)
        except ValueError as error:
            raise ValueError(f"{root}: {error}") from None
    else:
        where = {name: draw_split(group) for name, group in groups.items()}

    def drawn(files: dict[str, str]) -> dict[str, str]:
        return {name: file for name, file in files.items() if where[name] == split}

    if all_images and not drawn(all_images) and not pooled:
        raise ValueError(
            f"{root}: split '{split}' is empty, the hashes of all {len(all_images)} names select other splits; "
            "add images, or create the lists train.txt, val.txt and test.txt"
        )
    return drawn(all_images), drawn(all_labels)
