"""Description of a directory of images and labels, guessed from its files: `seg init`."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
import yaml

from seg.config.description import Description, complete, describe, layouts
from seg.config.yaml_file import read_yaml
from seg.datasets.classes import ClassTable
from seg.datasets.decoding import decode_label, image_header, suggest_form
from seg.datasets.images import UnknownValuesError, read_label
from seg.datasets.listing import list_files
from seg.datasets.matching import match_pairs
from seg.datasets.patterns import ENDINGS, Match, find_matches
from seg.datasets.polygons import coco_images
from seg.datasets.splits import SPLITS
from seg.system.files import read_json

_SAMPLES = 50  # files that are opened, spread over all
_LABEL_WORDS = re.compile(r"mask|label|annot|gt|truth|seg|target|mat", re.IGNORECASE)
_SPLIT_NAMES = Description().splits.names
_DECODED = 8  # images whose values are read
_LARGEST = 512  # pixels of the suggested size's longer side
_NEARLY_ALL = 0.9  # of the pixels of black and white masks are one or the other
_FEWEST_SHADES = 3  # between the two, of which fewer may be classes
_TRIED = 8  # patterns of images, those of most files first
_SMALL = 32  # ids below are those of classes, where others may be brightnesses
_NO_CLASSES = ClassTable((), (), (), {1 << 40: 0})  # a value that no label has


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
    except (AttributeError, KeyError, TypeError, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{root}: cannot be described ({error}); write the rows by hand, see docs/how-to/own-dataset.md"
        ) from None


def _recognise(root: Path) -> Recognised:
    files = list_files(root)
    known = [] if _is_generic(root) else [name for name in layouts() if name != "folder"]
    for layout in known:
        with suppress(ValueError):
            if pairs := match_pairs(describe(layout), root, "train")[0]:
                size = _suggested_size(root, [pair.image.relative_to(root).as_posix() for pair in pairs])
                assumed = [f"files are arranged as in '{layout}'"]
                return Recognised({"layout": layout}, _eval_split(root, {"layout": layout}, assumed), size, assumed, [])
    patterns = _patterns(files)
    images, labels = _choose(root, files, patterns)
    keys: dict[str, Any] = {"images": images, **labels.keys}
    found = [match.file for match in find_matches(images, files, _SPLIT_NAMES)]
    assumed = [f"{len(found)} images {images}", *labels.assumed]
    keys |= _grouped(found, assumed) if "{split}" not in images else {}
    with suppress(ValueError):
        form = suggest_form(root / file for file in _spread(found, _DECODED))
        assumed += [f"{key} {value} of the images" for key, value in form.items()]
        keys |= form
    assumed.append(_division(files, images))
    used = {*found, *(match.file for match in find_matches(labels.pattern, files, _SPLIT_NAMES))}
    others = [file for file in files if PurePosixPath(file).suffix[1:].lower() in ENDINGS and file not in used]
    unknown = [f"what {len(others)} other images are, such as {others[0]}"] if others else []
    eval_split = _eval_split(root, keys, assumed)
    return Recognised(keys, eval_split, _suggested_size(root, found), assumed, [*labels.unknown, *unknown])


def _is_generic(root: Path) -> bool:
    """Whether the default patterns match, such as `train/images` and `train/labels`: they tell no dataset."""
    try:
        return bool(match_pairs(Description(), root, "train")[0])
    except ValueError:
        return False


class _Labels(NamedTuple):
    pattern: str
    keys: dict[str, Any]
    assumed: list[str]
    unknown: list[str]


def _patterns(files: Iterable[str]) -> Counter[str]:
    """Patterns of directories and endings, with `{split}` in place of the names of splits, and how many files match."""
    names = {name for group in _SPLIT_NAMES.values() for name in group}
    places: dict[str, Counter[str]] = {}  # endings by directory
    for file in files:
        path = PurePosixPath(file)
        parts = ["{split}" if part.lower() in names else part for part in path.parts[:-1]]
        ending = path.suffix[1:].lower()
        kind = "image" if ending in ENDINGS else ending
        places.setdefault("/".join([*parts, kind]), Counter())[path.suffix] += 1
    patterns: Counter[str] = Counter()
    for place, endings in places.items():
        folder, _, kind = place.rpartition("/")
        counts = dict(endings) | ({".*": endings.total()} if kind == "image" and len(endings) > 1 else {})
        for ending, count in counts.items():
            patterns[f"{folder}/{{stem}}{ending}" if folder else f"{{stem}}{ending}"] += count
    return patterns


def _choose(root: Path, files: list[str], patterns: Counter[str]) -> tuple[str, _Labels]:
    """Pattern of the images, and labels: the two kinds of files that share most stems."""
    pictures = [pattern for pattern in patterns if PurePosixPath(pattern).suffix[1:].lower() in (*ENDINGS, "*")]
    if not pictures:
        raise ValueError(f"{root}: no images; expected files such as .png or .jpg")
    plain = [pattern for pattern in pictures if not _LABEL_WORDS.search(pattern.replace("{stem}", ""))] or pictures
    plain.sort(key=lambda pattern: (-patterns[pattern], not pattern.lower().endswith((".jpg", ".jpeg"))))
    others = [pattern for pattern in patterns if pattern.lower().endswith((".json", ".txt"))]
    matches = {pattern: find_matches(pattern, files, _SPLIT_NAMES) for pattern in sorted({*pictures, *others})}
    stems = {match.stem for match in matches[plain[0]]}
    if coco := _coco_labels(root, files, stems):
        return plain[0], coco
    chosen = next((pair for images in plain[:_TRIED] if (pair := _labels_of(images, matches))), None)
    if chosen is None:
        raise ValueError(f"{root}: no labels of the {len(stems)} images {plain[0]}; expected files with the same names")
    images, pattern = chosen
    found = [match.file for match in find_matches(pattern, files, _SPLIT_NAMES)]
    assumed = [f"{len(found)} labels {pattern}"]
    describe_labels = {".json": _labelme_labels, ".txt": _yolo_labels}.get(
        PurePosixPath(pattern).suffix.lower(), _masks
    )
    labels = describe_labels(root, pattern, found, files)
    return images, labels._replace(assumed=[*assumed, *labels.assumed])


def _labels_of(images: str, matches: dict[str, list[Match]]) -> tuple[str, str] | None:
    """Patterns of the images and of their labels: the other files with most stems, or some of the images."""
    own = {match.file for match in matches[images]}
    stems = {match.stem for match in matches[images]}
    candidates = {
        pattern: _suffix((match.stem for match in found), stems)
        for pattern, found in matches.items()
        if own.isdisjoint(match.file for match in found)
    }
    best = max(candidates, key=lambda pattern: candidates[pattern][1], default=None)
    if best is not None and candidates[best][1]:
        return images, best.replace("{stem}", f"{{stem}}{candidates[best][0]}")
    return _labels_among(images, matches[images])


def _labels_among(pattern: str, found: list[Match]) -> tuple[str, str] | None:
    """Patterns of images and labels that one pattern matches, where names such as `a` and `a_mask` tell them apart."""
    stems = {match.stem for match in found}
    suffix, _ = _suffix((match.stem for match in found if _LABEL_WORDS.search(match.stem)), stems, shorter=1)
    if not _LABEL_WORDS.search(suffix):
        return None
    image_endings, label_endings = (
        {PurePosixPath(match.file).suffix for match in found if match.stem.endswith(suffix) == labels}
        for labels in (False, True)
    )
    labels = pattern.replace("{stem}", f"{{stem}}{suffix}")
    if len(image_endings) == len(label_endings) == 1 and image_endings != label_endings:
        return pattern.removesuffix(".*") + image_endings.pop(), labels.removesuffix(".*") + label_endings.pop()
    return pattern.replace("{stem}", f"{{stem:(?:(?!{re.escape(suffix)}[.])[^/])+}}"), labels


def _suffix(names: Iterable[str], stems: set[str], shorter: int = 0) -> tuple[str, int]:
    """What follows the stems of images in most names, of at least `shorter` characters, and in how many it does."""
    endings = Counter(name[len(stem) :] for name in names for stem in _prefixes(name[: len(name) - shorter], stems))
    return endings.most_common(1)[0] if endings else ("", 0)


def _prefixes(name: str, stems: set[str]) -> Iterator[str]:
    """The longest beginning of a name that is the stem of an image."""
    for end in range(len(name), 0, -1):
        if name[:end] in stems:
            yield name[:end]
            return


def _coco_labels(root: Path, files: list[str], stems: set[str]) -> _Labels | None:
    for file in (file for file in files if file.endswith(".json")):
        with suppress(ValueError):
            if stems & coco_images(root / file).keys():
                names = list(dict.fromkeys(str(row["name"]) for row in read_json(root / file)["categories"]))
                splits = "|".join(name for group in _SPLIT_NAMES.values() for name in group)
                pattern = re.sub(rf"(?<![a-zA-Z])({splits})(?![a-zA-Z])", "{split}", file)
                keys = {
                    "labels": {"files": pattern, "encoding": "coco"},
                    "classes": ["background", *names] if "background" not in names else names,
                    "background": "background",
                }
                return _Labels(pattern, keys, [f"objects of COCO in {pattern}; pixels without one are background"], [])
    return None


def _labelme_labels(root: Path, pattern: str, found: list[str], _: list[str]) -> _Labels:
    read, unknown = _readable(root, found, read_json)
    names = {str(shape["label"]) for content in read.values() for shape in content.get("shapes", [])}
    keys = {
        "labels": {"files": pattern, "encoding": "labelme"},
        "classes": ["background", *sorted(names)],
        "background": "background",
    }
    return _Labels(pattern, keys, ["polygons of LabelMe; pixels without one are background"], unknown)


def _yolo_labels(root: Path, pattern: str, found: list[str], files: list[str]) -> _Labels:
    read, unreadable = _readable(root, found, partial(Path.read_text, encoding="utf-8"))
    rows = [line.split() for text in read.values() for line in text.splitlines() if line.strip()]
    if rows and all(len(row) == 5 for row in rows):
        raise ValueError(f"{root}: labels {pattern} are boxes, expected polygons; export segmentation")
    most = max((int(row[0]) for row in rows if row and row[0].isdigit()), default=0)
    names = _names(root, files) or [f"class {i}" for i in range(most + 1)]
    keys = {
        "labels": {"files": pattern, "encoding": "yolo"},
        "classes": [*names, "background"],
        "background": "background",
    }
    unknown = [] if _names(root, files) else ["names of the classes"]
    return _Labels(pattern, keys, ["polygons of YOLO; pixels without one are background"], [*unknown, *unreadable])


def _masks(root: Path, pattern: str, found: list[str], files: list[str]) -> _Labels:
    """Classes of label images, by the values or colours of some of them."""
    read, unknown = _readable(root, found, _read_values)
    if tones := _two_tones(pattern, read):
        return tones._replace(unknown=[*tones.unknown, *unknown])
    examples = {each.kind: file for file, each in read.items()}
    if len(examples) > 1:
        ids, colours = root / examples["ids"], root / examples["colours"]
        raise ValueError(f"{ids}: has ids, but {colours} has colours; store all labels {pattern} in the same way")
    counts: Counter[int] = sum((each.counts for each in read.values()), Counter())
    numbers = sorted(counts)
    if len(numbers) > 255:
        raise ValueError(
            f"{root}: {len(numbers)} values in labels {pattern}; expected one of each class, without shades"
        )
    if "ids" in examples:
        labels = _ids(root, pattern, counts, files)
        return labels._replace(unknown=[*labels.unknown, *unknown])
    texts = [f"{value >> 16} {value >> 8 & 255} {value & 255}" for value in numbers]
    keys = {"labels": pattern, "colours": {text: f"class {i}" for i, text in enumerate(texts)}}
    keys["classes"] = list(keys["colours"].values())  # type: ignore[attr-defined]
    return _Labels(pattern, keys, [f"{len(texts)} colours in the labels"], ["names of the classes", *unknown])


class _Values(NamedTuple):
    """Pixels of a label by id or by colour (0xRRGGBB), which `kind` tells, and by brightness if it is grey."""

    kind: str
    counts: Counter[int]
    greys: Counter[int] | None


def _read_values(path: Path) -> _Values:
    """Values of a label. Raises ValueError as `read_label` does."""
    label = decode_label(path)
    image = None if isinstance(label, np.ndarray) else label
    if image and (image.mode == "RGB" or (image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255))):
        kind, codes = "colours", np.asarray(image.convert("RGB")).astype(np.int64) @ [65536, 256, 1]
    else:
        try:
            read_label(path, _NO_CLASSES)
        except UnknownValuesError as error:
            kind, codes = "ids", error.codes
    numbers, pixels = np.unique(codes, return_counts=True)
    counts = Counter(dict(zip(numbers.tolist(), pixels.tolist(), strict=True)))
    if kind == "colours":
        grey = all(number == number % 256 * 0x010101 for number in counts)
        return _Values(
            kind, counts, Counter({number % 256: count for number, count in counts.items()}) if grey else None
        )
    return _Values(kind, counts, counts if image and image.mode == "L" else None)


def _two_tones(pattern: str, read: dict[str, _Values]) -> _Labels | None:
    """Black and white masks with shades between, of antialiasing or JPEG."""
    if len({each.kind for each in read.values()}) > 1 or any(each.greys is None for each in read.values()):
        return None
    greys = sum((each.greys or Counter() for each in read.values()), Counter())
    lossy = all(PurePosixPath(file).suffix.lower() in (".jpg", ".jpeg") for file in read)
    margin = 64 if lossy else 1
    extreme = sum(count for grey, count in greys.items() if not margin <= grey <= 255 - margin)
    shades = greys.keys() - {0, 255}
    if max(greys) <= 255 - margin or extreme < _NEARLY_ALL * greys.total() or (shades and max(shades) < 128):
        return None
    if not lossy and len(shades) < _FEWEST_SHADES:
        return None
    keys = {
        "labels": {"files": pattern, "encoding": "colours"},
        "classes": ["background", "foreground"],
        "colours": {"0 0 0": "background", "255 255 255": "foreground"},
        "nearest": True,
    }
    assumed = f"black is background, white foreground, and each of {len(shades)} shades between the nearer of the two"
    return _Labels(pattern, keys, [assumed], ["names of the classes"])


def _ids(root: Path, pattern: str, counts: Counter[int], files: list[str]) -> _Labels:
    if "classes.yaml" in files:
        return _Labels(pattern, {"labels": pattern}, ["the classes are those of classes.yaml"], [])
    given = _names(root, files)
    numbers = sorted(counts)
    binary = numbers in ([0, 255], [255])
    ids = [number for number in numbers if number != 255]
    # Small or nearly contiguous: some classes may be in none of the labels that were read.
    upwards = bool(ids) and max(ids) < max(_SMALL, 2 * len(ids), len(given))
    border = upwards and not binary and 0 < counts[255] < counts.total() / 2
    ids = ids if border else numbers
    keys: dict[str, Any] = {"labels": pattern}
    assumed = [f"label values {', '.join(map(str, numbers))}"]
    if given and min(ids) >= 0 and max(ids) < len(given):
        keys["classes"] = given
    elif binary:
        keys["ids"] = {0: "background", 255: "foreground"}
    elif ids == list(range(len(ids))) and len(ids) > 1:
        keys["classes"] = [f"class {i}" for i in ids]
    else:
        keys["ids"] = {i: f"class {i}" for i in ids}
    if border:
        keys["ignore"] = 255
        assumed.append("255 is not scored")
    return _Labels(pattern, keys, assumed, [] if given else ["names of the classes"])


def _readable(root: Path, found: list[str], read: Callable[[Path], Any]) -> tuple[dict[str, Any], list[str]]:
    """What `read` returns for some of the files, and what is not known of those where it raises ValueError."""
    values: dict[str, Any] = {}
    errors: dict[str, ValueError] = {}
    for file in _spread(found):
        try:
            values[file] = read(root / file)
        except ValueError as error:
            errors[file] = error
    if not values:
        raise next(iter(errors.values()))
    count = f"{len(errors)} labels, such as {next(iter(errors))}" if len(errors) > 1 else "".join(errors)
    return values, [f"what is in {count}, which cannot be read: `seg doctor` tells why"] if errors else []


def _names(root: Path, files: list[str]) -> list[str]:
    """Names of classes in a file such as `classes.txt` or `data.yaml`; empty if there is none."""
    for file in files:
        name = PurePosixPath(file).name.lower()
        if name in ("classes.txt", "labels.txt", "names.txt", "class_names.txt", "obj.names"):
            lines = (root / file).read_text(encoding="utf-8-sig").splitlines()
            return [line.strip() for line in lines if line.strip()]
        if name in ("data.yaml", "dataset.yaml"):
            with suppress(ValueError):
                content = read_yaml(root / file)
                rows = content.get("names") if isinstance(content, dict) else None
                rows = list(rows.values()) if isinstance(rows, dict) else rows
                if isinstance(rows, list):
                    return [str(row) for row in rows]
    return []


def _grouped(found: list[str], assumed: list[str]) -> dict[str, str]:
    """`group` if most names have a number after an underscore or dash, which several share what precedes it."""
    expression = r"(.*)[_-]\d+$"
    stems = [PurePosixPath(file).stem for file in found]
    groups = {match[1] for stem in stems if (match := re.match(expression, stem))}
    if 2 < len(groups) < len(stems) / 2 and all(re.match(expression, stem) for stem in stems):
        assumed.append(f"names such as {stems[0]} are of one of {len(groups)} groups, which are not divided")
        return {"group": expression}
    return {}


def _division(files: list[str], images: str) -> str:
    if "{split}" in images:
        return "directories are the splits"
    lists = [file for file in files if re.fullmatch(r"(train|val|test)\.(txt|csv)", file)]
    if lists:
        return f"the splits are {', '.join(lists)}"
    return "no lists of splits: the hash of each name or group selects it, 70:15:15; `folds: 5` cross-validates instead"


def _eval_split(root: Path, keys: dict[str, Any], assumed: list[str]) -> str:
    """The split to score; where directories or lists give none for validation, `keys` divide their images anew."""
    described = complete(Description().merged(**keys))
    existing = []
    for split in SPLITS:
        with suppress(ValueError):
            existing += [split] if match_pairs(described, root, split)[0] else []
    if existing == ["train", "val"]:
        assumed.append("there are no test images: models are scored on the validation images")
        return "val"
    if existing and "val" not in existing and "{split}" in str(keys.get("images")):
        keys["splits"] = {"draw": existing}
        assumed.append("there are no validation images: the hash of each name or group divides all images, 70:15:15")
    return "test"


def _suggested_size(root: Path, found: list[str]) -> tuple[int, int]:
    """Height and width in multiples of 32, with the commonest aspect and at most 512 pixels."""
    sizes: Counter[tuple[int, int]] = Counter()
    for file in _spread(found):
        with suppress(ValueError):
            sizes[image_header(root / file)[:2]] += 1
    height, width = sizes.most_common(1)[0][0] if sizes else (256, 256)
    scale = min(1.0, _LARGEST / max(height, width))
    return max(32, round(height * scale / 32) * 32), max(32, round(width * scale / 32) * 32)


def _spread(files: list[str], most: int = _SAMPLES) -> list[str]:
    return [files[int(i)] for i in np.linspace(0, len(files) - 1, min(most, len(files)))] if files else []


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
