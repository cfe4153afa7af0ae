"""Pairs of images and labels of a dataset, found by the patterns of its description."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from seg.config.description import Description, SplitName, describe
from seg.config.description_values import LabelFiles
from seg.config.image_form import ImageForm
from seg.datasets.division import Files, FileSet, files_of_split, same_name
from seg.datasets.faults import group_faults
from seg.datasets.listing import list_files, missing_directory, why_missing
from seg.datasets.lists import find_lists
from seg.datasets.patterns import Match, find_matches, has_parent
from seg.datasets.polygons import coco_images
from seg.datasets.splits import group_of
from seg.system.console import printable

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
    own_images, own_labels = files_of_split(description, root, paths, images, labels, split)

    def shown(file: str) -> str:
        return printable(str(root / file))

    problems = [
        f"{shown(files[name])}: {what}{name_in_file.format(name)}; add one or remove it"
        for files, others, what, name_in_file in (
            (own_images, own_labels, "image without a label", ""),
            (own_labels, own_images, "label without an image", " '{}'" if encoding == "coco" else ""),
        )
        for name in sorted(files.keys() - others)
    ]
    problems += [
        f"{shown(file)}: its name is not UTF-8, which results are written in; rename it"
        for name, file in sorted(own_images.items())
        if name.encode("utf-8", "replace").decode() != name
    ]
    pairs, absent = [], set[Path]()
    form = description.form()
    for name in sorted(own_images.keys() & own_labels.keys()):
        image, label = root / own_images[name], root / own_labels[name]
        absent |= {path for path in (image, label) if not path.is_file()}
        if absent.isdisjoint((image, label)):
            pairs.append(ImagePair(name, image, label, group_of(description.group, name), encoding, form))
    problems += [_absent(path, split) for path in sorted(absent)]
    own = description.group is not None and description.group != describe(description.layout).group
    if own and pairs and not any(pair.group for pair in pairs):  # a group of the catalogue fits the owners' names only
        problems.append(f"{root}: group '{description.group}' matches no name, such as {pairs[0].name}; correct it")
    return pairs, problems


def _absent(path: Path, split: str) -> str:
    name = printable(str(path))
    if path.is_symlink():
        return f"{name}: a link to {path.readlink()}, where no file is; correct or remove it"
    return f"{name}: missing from split '{split}'; add the file or remove its name from the split's list"


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
    names = {match.file for matches in [*found, find_lists(description, paths)] for match in matches}
    return sorted(names | (set(_OWN_KEYS) & set(paths)))


def _find_files(description: Description, root: Path, paths: list[str]) -> tuple[FileSet, FileSet, str | None]:
    """Images and labels among `paths`, each by the pattern that matches most, and the encoding of the labels."""
    names = description.splits.names
    matches = {pattern: find_matches(pattern, paths, names) for pattern in description.images}
    pattern = max(description.images, key=lambda pattern: len(matches[pattern]))
    images = matches[pattern]
    stems = {match.stem for match in images}
    label_matches = [_label_matches(root, row, paths, names) for row in description.labels]
    common = [(len({match.stem for match in found} & stems), len(found)) for found in label_matches]
    best = common.index(max(common))
    row, labels = description.labels[best], label_matches[best]
    if description.combine:
        firsts = {(m.split, m.parent, m.stem): m for found in reversed(label_matches) for m in found}
        row, labels = description.labels[0], list(firsts.values())
    _refuse_several(root, [*images, *labels])
    nested = has_parent(pattern) and has_parent(row.files)
    return (
        FileSet(_by_name(root, images, nested), pattern, root),
        FileSet(_by_name(root, labels, nested), row.files, root),
        row.encoding,
    )


def _label_matches(root: Path, row: LabelFiles, paths: list[str], names: Mapping[SplitName, list[str]]) -> list[Match]:
    matches = find_matches(row.files, paths, names)
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


def _by_name(root: Path, matches: list[Match], nested: bool) -> dict[str, Files]:
    """Files by split and name. Raises ValueError if two of a split have the same name."""
    files: dict[str, Files] = {}
    problems = []
    for match in matches:
        name = f"{match.parent}/{match.stem}" if nested and match.parent else match.stem
        known = files.setdefault(match.split, {})
        if name in known:
            problems.append(same_name(root, match.file, known[name]))
        known[name] = match.file
    if problems:
        raise ValueError("\n".join(group_faults(problems)))
    return files
