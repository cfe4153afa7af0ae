"""What masks mean: keys of a description, by the values or colours of some of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, TypeVar

import numpy as np

from seg.datasets.images import colour_text, read_codes
from seg.doctor.palettes import Palette, label_palette, usual_colours
from seg.recognition.class_names import NamedClasses
from seg.recognition.doubts import MOST_VALUES, doubts, refuse_values

Sampled = TypeVar("Sampled")
_SAMPLES = 50  # files that are opened, spread over all
_NEARLY_ALL = 0.9  # of the pixels of black and white masks are one or the other
_FEWEST_SHADES = 3  # between the two, of which fewer may be classes
_BLACK_AND_WHITE = {"0 0 0": "background", "255 255 255": "foreground"}
_LOSSY = (".jpg", ".jpeg")
_SMALL = 32  # ids below are those of classes, where others may be brightnesses


class LabelKeys(NamedTuple):
    """Keys of a description about labels, what was assumed and what is not known."""

    keys: dict[str, Any]
    assumed: list[str]
    unknown: list[str]


class _Values(NamedTuple):
    """Pixels of a label by id or colour (0xRRGGBB), as `kind` tells, by brightness if it is grey, and its palette."""

    kind: str
    counts: Counter[int]
    greys: Counter[int] | None
    palette: Palette


def spread(files: Sequence[Sampled], most: int = _SAMPLES) -> list[Sampled]:
    """Some of the files, evenly over all."""
    return [files[int(i)] for i in np.linspace(0, len(files) - 1, min(most, len(files)))] if files else []


def mask_keys(root: Path, pattern: str, labels: list[str], given: NamedClasses | None) -> LabelKeys:
    """Classes of label images, by the values or colours of some of them."""
    read, unreadable = read_some(root, labels, _read_values)
    usual = usual_colours(each.palette for each in read.values())
    differ = any(each.palette.items() - usual.items() for each in read.values())
    if differ:
        read, _ = read_some(root, labels, partial(_read_values, encoding="colours"))
    if tones := _two_tones(pattern, read):
        return tones._replace(unknown=[*tones.unknown, *unreadable])
    examples = {each.kind: file for file, each in read.items()}
    if len(examples) > 1:
        ids, colours = root / examples["ids"], root / examples["colours"]
        raise ValueError(f"{ids}: has ids, but {colours} has colours; store all labels {pattern} in the same way")
    counts: Counter[int] = sum((each.counts for each in read.values()), Counter())
    kind = next(iter(examples))
    lossy = any(PurePosixPath(file).suffix.lower() in _LOSSY for file in read)
    if kind == "colours" and given and given.colours and (lossy or len(counts) > MOST_VALUES):
        keys = _colours(pattern, Counter(), given)
        return keys._replace(keys=keys.keys | {"nearest": True}, unknown=unreadable)
    refuse_values(f"{root}: labels {pattern}", counts, lossy, given is not None)
    found = (_ids if kind == "ids" else _colours)(pattern, counts, given)
    if differ:
        found.keys["labels"] = {"files": pattern, "encoding": "colours"}
        found.assumed.append("colours are the classes, for palettes give a value several colours")
    doubtful = doubts(kind, counts, [each.counts for each in read.values()], found.keys)
    return found._replace(unknown=[*found.unknown, *doubtful, *unreadable])


def _colours(pattern: str, counts: Counter[int], given: NamedClasses | None) -> LabelKeys:
    colours = [colour_text(code) for code in sorted(counts)]
    names = {colour: f"class {i}" for i, colour in enumerate(colours)}
    assumed, unknown = [f"{len(colours)} colours in the labels"], ["names of the classes"]
    if names.keys() == _BLACK_AND_WHITE.keys():
        names = _BLACK_AND_WHITE
    if given and given.colours:
        names = {" ".join(map(str, colour)): name for colour, name in zip(given.colours, given.names, strict=True)}
        assumed.append(f"their classes are those of {given.file}")
        others = [colour for colour in colours if colour not in names]
        unknown = [f"what the colours {', '.join(others[:5])} are"] if others else []
    keys = {"labels": pattern, "colours": names, "classes": list(dict.fromkeys(names.values()))}
    return LabelKeys(keys, assumed, unknown)


def _read_values(path: Path, encoding: str | None = None) -> _Values:
    """Values of a label. Raises ValueError as `read_codes` does."""
    codes, mode = read_codes(path, encoding)
    numbers, pixels = np.unique(codes, return_counts=True)
    counts = Counter(dict(zip(numbers.tolist(), pixels.tolist(), strict=True)))
    if mode in ("RGB", "RGBA"):
        grey = all(number == number % 256 * 0x010101 for number in counts)
        greys = Counter({number % 256: count for number, count in counts.items()})
        return _Values("colours", counts, greys if grey else None, {})
    return _Values("ids", counts, counts if mode == "L" else None, label_palette(path) if mode == "P" else {})


def _two_tones(pattern: str, read: dict[str, _Values]) -> LabelKeys | None:
    """Black and white masks with shades between, of antialiasing or JPEG."""
    if len({each.kind for each in read.values()}) > 1 or any(each.greys is None for each in read.values()):
        return None
    greys = sum((each.greys or Counter() for each in read.values()), Counter())
    lossy = all(PurePosixPath(file).suffix.lower() in _LOSSY for file in read)
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
        "colours": _BLACK_AND_WHITE,
        "nearest": True,
    }
    assumed = f"black is background, white foreground, and each of {len(shades)} shades between the nearer of the two"
    return LabelKeys(keys, [assumed], ["names of the classes"])


def _ids(pattern: str, counts: Counter[int], given: NamedClasses | None) -> LabelKeys:
    numbers = sorted(counts)
    binary = numbers in ([0, 255], [255])
    ids = [number for number in numbers if number != 255]
    names = given.names if given else []
    # Small or nearly contiguous: some classes may be in none of the labels that were read.
    upwards = bool(ids) and max(ids) < max(_SMALL, 2 * len(ids), len(names))
    border = upwards and not binary and 0 < counts[255] < counts.total() / 2
    ids = ids if border else numbers
    keys: dict[str, Any] = {"labels": pattern}
    assumed = [f"label values {', '.join(map(str, numbers))}"]
    fits = True
    if given and set(ids) <= set(given.values):
        keys["ids"] = dict(zip(given.values, names, strict=True))
    elif given and names and not given.values and min(ids) >= 0 and max(ids) < len(names):
        keys["classes"] = names
    elif binary:
        fits = len(names) in (1, 2)
        pair = ["background", *names][-2:] if fits else ["background", "foreground"]
        keys["ids"] = dict(zip((0, 255), pair, strict=True))
    else:
        fits = False
        classes = {i: f"class {i}" for i in ids}
        keys |= {"classes": list(classes.values())} if ids == list(range(max(2, len(ids)))) else {"ids": classes}
    if border:
        keys["ignore"] = 255
        assumed.append("255 is not scored")
    unknown = (
        f"names of the classes: {given.file} has {len(names)}, for other values" if given else "names of the classes"
    )
    return LabelKeys(keys, assumed, [] if given and fits else [unknown])


def read_some(root: Path, labels: list[str], read: Callable[[Path], Any]) -> tuple[dict[str, Any], list[str]]:
    """What `read` returns for some of the files, and what is not known of those where it raises ValueError."""
    values: dict[str, Any] = {}
    errors: dict[str, ValueError] = {}
    for file in spread(labels):
        try:
            values[file] = read(root / file)
        except ValueError as error:
            errors[file] = error
    if not values:
        raise next(iter(errors.values()))
    count = f"{len(errors)} labels, such as {next(iter(errors))}" if len(errors) > 1 else "".join(errors)
    return values, [f"what is in {count}, which cannot be read: `seg doctor` tells why"] if errors else []
