"""What label files mean: keys of a description, by the values or the outlines of some of the files."""

from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from seg.datasets.polygons import coco_images, read_annotations
from seg.recognition.arrangement import SPLIT_WORD
from seg.recognition.class_names import NamedClasses, named_classes
from seg.recognition.mask_kinds import LabelKeys, mask_keys, read_some

_MOST_JSON = 20  # files that may be of COCO, the largest ones
_OTHERS = "pixels without one are background"


def label_keys(root: Path, pattern: str, labels: list[str], files: list[str]) -> LabelKeys:
    """What labels mean.

    Args:
        root: directory of the dataset.
        pattern: of the labels.
        labels: files that it matches.
        files: all files, among which some may name the classes.

    Raises:
        ValueError: none of them can be read, or they mean nothing that a description can say.
    """
    given = named_classes(root, files)
    describe = {".json": _labelme, ".txt": _yolo}.get(PurePosixPath(pattern).suffix.lower(), mask_keys)
    found = describe(root, pattern, labels, given)
    if describe is mask_keys and "classes.yaml" in files:
        return LabelKeys({"labels": pattern}, ["the classes are those of classes.yaml"], [])
    return found


def coco_keys(root: Path, files: list[str]) -> tuple[LabelKeys, set[str]] | None:
    """What the objects of COCO mean, and the stems of their images; `None` if no file contains any."""
    read: dict[str, dict[str, Any]] = {}
    stems: set[str] = set()
    largest = sorted((file for file in files if file.endswith(".json")), key=lambda file: -_size(root / file))
    for file in largest[:_MOST_JSON]:
        with suppress(ValueError, OSError):
            stems |= coco_images(root / file).keys()
            read.setdefault(SPLIT_WORD.sub("{split}", file), read_annotations(root / file))
    if not read:
        return None
    pattern, content = next(iter(read.items()))
    used = {row["category_id"] for row in content["annotations"]}
    kinds = {str(row.get("supercategory")) for row in content["categories"]}  # a class of its own in Roboflow
    rows = [row for row in content["categories"] if row["id"] in used or row["name"] not in kinds]
    names = list(dict.fromkeys(str(row["name"]) for row in rows))
    keys = _outlines(pattern, "coco", names if "background" in names else ["background", *names])
    return LabelKeys(keys, [f"objects of COCO in {pattern}; {_OTHERS}"], []), stems


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _outlines(pattern: str, encoding: str, names: list[str]) -> dict[str, Any]:
    return {"labels": {"files": pattern, "encoding": encoding}, "classes": names, "background": "background"}


def _labelme(root: Path, pattern: str, labels: list[str], _: NamedClasses | None) -> LabelKeys:
    read, unknown = read_some(root, labels, read_annotations)
    foreign = next((file for file, each in read.items() if "shapes" not in each), None)
    if foreign is not None:
        raise ValueError(f"{root / foreign}: is no file of LabelMe or COCO; export masks, COCO, LabelMe or YOLO")
    names = {str(shape["label"]) for content in read.values() for shape in content["shapes"]}
    names.discard("background")
    keys = _outlines(pattern, "labelme", ["background", *sorted(names)])
    return LabelKeys(keys, [f"polygons of LabelMe; {_OTHERS}"], unknown)


def _yolo(root: Path, pattern: str, labels: list[str], given: NamedClasses | None) -> LabelKeys:
    read, unreadable = read_some(root, labels, partial(Path.read_text, encoding="utf-8-sig"))
    rows = [line.split() for text in read.values() for line in text.splitlines() if line.strip()]
    if rows and all(len(row) == 5 for row in rows):
        raise ValueError(f"{root}: labels {pattern} are boxes, expected polygons; export segmentation")
    most = max((int(row[0]) for row in rows if row and row[0].isdigit()), default=0)
    names = given.names if given else [f"class {i}" for i in range(most + 1)]
    keys = _outlines(pattern, "yolo", names if "background" in names else [*names, "background"])
    unknown = [] if given else ["names of the classes"]
    return LabelKeys(keys, [f"polygons of YOLO; {_OTHERS}"], [*unknown, *unreadable])
