"""Description of a directory of images and labels, guessed from its files: `seg init`."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import yaml

from seg.config.description import Description, complete, describe, layouts
from seg.datasets.decoding import image_header
from seg.datasets.images import label_size
from seg.datasets.listing import list_files
from seg.datasets.matching import ImagePair, match_pairs
from seg.datasets.patterns import ENDINGS, find_matches
from seg.recognition.arrangement import SPLIT_NAMES, FileKind, choose_files, file_kinds
from seg.recognition.divisions import divide_images, match_splits
from seg.recognition.foreign_labels import coco_fault, foreign_labels
from seg.recognition.image_forms import suggest_form
from seg.recognition.label_kinds import coco_keys, label_keys
from seg.recognition.mask_kinds import LabelKeys, spread
from seg.recognition.several_masks import refuse_other_masks, several_masks
from seg.system.console import describe_os_error, printable

_PAIRS = 8  # whose sizes are compared
_LARGEST = 512  # pixels of the suggested size's longer side


class Recognised(NamedTuple):
    """Keys of a description, split and size (height, width) that are scored, and what was assumed and is not known."""

    keys: dict[str, Any]
    eval_split: str
    size: tuple[int, int]
    assumed: list[str]
    unknown: list[str]


def recognise(root: Path) -> Recognised:
    """Guess the description of a directory. Raises ValueError if it contains no images with labels that can be read."""
    try:
        return _recognise(root)
    except OSError as error:  # such as a directory without rights
        raise ValueError(describe_os_error(error)) from None
    except (AttributeError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{root}: cannot be described ({error}); write the rows by hand, see docs/how-to/own-dataset.md"
        ) from None
    except ValueError as error:  # such as names of classes that are used twice
        lines = str(error).splitlines()
        raise ValueError(
            "\n".join(line if line.startswith(str(root)) else f"{root}: {line}" for line in lines)
        ) from None


def _recognise(root: Path) -> Recognised:
    files = list_files(root)
    known = [] if _is_generic(root) else [name for name in layouts() if name != "folder"]
    for layout in known:
        with suppress(ValueError):
            if pairs := match_pairs(describe(layout), root, "train")[0]:
                size = _suggested_size(root, [pair.image.relative_to(root).as_posix() for pair in pairs])
                return _as_shipped(root, layout, files, size)
    images, pattern, labels = _images_and_labels(root, files)
    found = [match.file for match in find_matches(images, files, SPLIT_NAMES)]
    drawn = [match.file for match in find_matches(pattern, files, SPLIT_NAMES)]
    keys: dict[str, Any] = {"images": images, **labels.keys}
    assumed = [f"{len(found)} images {images}", *labels.assumed]
    form, form_assumed = suggest_form(root / file for file in dict.fromkeys([*spread(found, 8), *spread(found)]))
    assumed += form_assumed
    keys |= form
    eval_split = divide_images(root, keys, files, assumed)
    others = [file for file in files if PurePosixPath(file).suffix[1:].lower() in ENDINGS]
    others = sorted(set(others).difference(found, drawn))
    unknown = [f"what {len(others)} other images are, such as {others[0]}"] if others else []
    unknown += _other_splits(images, others)
    splits = list(match_splits(root, keys))
    unknown += _unlabelled(root, [line for *_, problems in splits for line in problems])
    unknown += [*_doubted_pairs(root, [pair for _, pairs, _ in splits for pair in pairs]), *_alike(keys)]
    return Recognised(keys, eval_split, _suggested_size(root, found), assumed, [*labels.unknown, *unknown])


def _as_shipped(root: Path, layout: str, files: list[str], size: tuple[int, int]) -> Recognised:
    keys: dict[str, Any] = {"layout": layout}
    assumed = [f"files are arranged as in '{layout}'"]
    return Recognised(keys, divide_images(root, keys, files, assumed), size, assumed, [])


def _is_generic(root: Path) -> bool:
    """Whether the default patterns match, such as `train/images` and `train/labels`: they tell no dataset."""
    try:
        return bool(match_pairs(Description(), root, "train")[0])
    except ValueError:
        return False


def _images_and_labels(root: Path, files: list[str]) -> tuple[str, str, LabelKeys]:
    """Patterns of the images and of their labels, and what the labels mean."""
    _refuse_names(root, files)
    pictures = file_kinds(files, ENDINGS)
    if not pictures:
        reason = foreign_labels(files) or f"got {_endings(files) or 'no files'}"
        raise ValueError(f"{root}: no images; {reason}; expected files such as .png or .jpg")
    if coco := coco_keys(root, files):
        keys, stems = coco
        images = max(pictures, key=lambda kind: _stems_found(kind, stems))
        if _stems_found(images, stems)[0]:
            return images.pattern, keys.keys["labels"]["files"], keys
    if (chosen := choose_files(files)) is None:
        none = f"{root}: no labels of the {len(pictures[0].files)} images {pictures[0].pattern}"
        if reason := coco_fault(root, files) or foreign_labels(files) or several_masks(files):
            raise ValueError(f"{none}; {reason}")
        places = [kind for kind in pictures if not re.search(r"\*|\{split\}|\{stem\}/", kind.pattern)]
        listed = ", ".join(f"{len(kind.files)} {kind.pattern}, such as {min(kind.paths)}" for kind in places[:5])
        raise ValueError(
            f"{none}; got {listed}{_endings(files, ' and files ')}; expected labels with the names of images, such as "
            "images/7.png and masks/7_mask.png; rename them, or write the rows by hand"
        )
    images, labels = chosen
    refuse_other_masks(root, images, labels, files)
    found = sorted(labels.paths)
    keys = label_keys(root, labels.pattern, found, files)
    return (
        images.pattern,
        labels.pattern,
        keys._replace(assumed=[f"{len(found)} labels {labels.pattern}", *keys.assumed]),
    )


def _endings(files: list[str], lead: str = "") -> str:
    """Endings of the files that are no images, those of most files first."""
    suffixes = Counter(PurePosixPath(file).suffix.lower() or "no ending" for file in files)
    others = [f"{ending} ({count})" for ending, count in suffixes.most_common() if ending[1:] not in ENDINGS]
    return f"{lead}{', '.join(others[:5])}" if others else ""


def _refuse_names(root: Path, files: list[str]) -> None:
    """Raise ValueError for a directory whose name no pattern can contain."""
    for folder in dict.fromkeys(file.rpartition("/")[0] for file in files):
        if re.search(r"[{}*?\\]", folder) or not folder.isprintable():
            fault = "braces, *, ?, backslashes or line breaks in a name, which patterns cannot have"
            raise ValueError(f"{printable(str(root / folder))}: {fault}; rename the directory")


def _stems_found(kind: FileKind, stems: set[str]) -> tuple[object, ...]:
    """How well a kind of files fits the images of a COCO file."""
    found = {name for *_, name in kind.files}
    return len(found & stems), -len(kind.files), kind.divided, -kind.pattern.count("**"), not kind.any_image


def _other_splits(images: str, others: list[str]) -> Iterator[str]:
    """Directories that have the place of splits, among images that no pattern matches, but another name."""
    matches = find_matches(images.replace("{split}", "{directory}"), others, {}) if "{split}" in images else []
    for name, count in Counter(dict(match.others)["directory"] for match in matches).most_common(3):
        row = f"`splits: {{names: {{test: [{name}]}}}}`"
        yield f"whether '{name}' ({count} images) is a split: if so, add it, as in {row}"


def _unlabelled(root: Path, problems: list[str]) -> Iterator[str]:
    """Images without a label, among the problems of all splits."""
    if alone := [line.partition(": ")[0] for line in problems if ": image without a label" in line]:
        yield f"where the labels of {len(alone)} images are, such as {PurePosixPath(alone[0]).relative_to(root)}"


def _doubted_pairs(root: Path, pairs: list[ImagePair]) -> Iterator[str]:
    """A label of another size than its image."""
    for pair in pairs[:_PAIRS]:
        with suppress(ValueError):
            image, label = image_header(pair.image)[:2], label_size(pair)
            if image != label:
                sizes = f"{label[1]}x{label[0]}, its image {image[1]}x{image[0]}"
                yield f"why {pair.label.relative_to(root)} is {sizes}; their sizes must be equal, so resize one"
                return


def _alike(keys: dict[str, Any]) -> Iterator[str]:
    """Names of classes that differ in their case only."""
    first: dict[str, str] = {}
    for name in complete(Description().merged(**keys)).class_names():
        if (other := first.setdefault(name.casefold(), name)) != name:
            yield f"whether '{other}' and '{name}' are one class"


def _suggested_size(root: Path, found: list[str]) -> tuple[int, int]:
    """Height and width in multiples of 32, with the commonest aspect and at most 512 pixels."""
    sizes: Counter[tuple[int, int]] = Counter()
    for file in spread(found):
        with suppress(ValueError):
            sizes[image_header(root / file)[:2]] += 1
    height, width = sizes.most_common(1)[0][0] if sizes else (256, 256)
    scale = min(1.0, _LARGEST / max(height, width))
    return max(32, round(height * scale / 32) * 32), max(32, round(width * scale / 32) * 32)


def rows_for_params(name: str, found: Recognised) -> str:
    """Rows of `params.yaml` as YAML: the dataset and a study of two variants, with comments on what was assumed."""
    dataset = {"size": list(found.size), "eval_split": found.eval_split, **found.keys}
    described = complete(Description().merged(**found.keys))
    names = [each for each in described.class_names() if each not in described.ignore]
    study = {
        "title": name,
        "source": "our own",
        "dataset": name,
        **({"classes": each} if (each := [name for name in names if name != "background"]) else {}),
        "defaults": {"loss": "cross_entropy", "batch": 8, "epochs": 20, "lr": 0.001},
        "variants": {"fcn": {"model": {"name": "fcn"}}, "u_lite": {"model": {"name": "u_lite"}}},
    }
    comments = [f"# assumed: {line}" for line in found.assumed] + [f"# not known: {line}" for line in found.unknown]
    rows = {"datasets": {name: dataset}, "studies": {name: study}}
    text = yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
    return "\n".join([*comments, text.rstrip()])
