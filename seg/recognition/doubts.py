"""What may be wrong with the classes that the values of some masks suggest."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from seg.datasets.images import colour_text

_RARE = 0.001  # share of the pixels, below which a value may be a fault at borders
_MANY = 32  # values above which they may be instances or brightnesses
_LISTED = 5
_EQUAL = 0.05  # relative difference of shares, below which files show one and the same shape
MOST_VALUES = 255  # classes of a dataset


def refuse_values(labels: str, counts: Counter[int], lossy: bool, named: bool) -> None:
    """Raise ValueError if values are those of shades, or of one class only.

    Args:
        labels: what the message begins with.
        counts: pixels by value or colour.
        lossy: whether some files are JPEG, which changes values.
        named: whether a file names the classes.
    """
    if lossy or len(counts) > MOST_VALUES:
        expected = "PNG, for JPEG changes values" if lossy else "one of each of at most 255 classes, without shades"
        fix = "or give `colours` with `nearest: true` and `encoding: colours`"
        raise ValueError(f"{labels} have {len(counts)} values, expected {expected}; store masks so, {fix}")
    if len(counts) == 1 and not named and set(counts) != {255}:
        raise ValueError(f"{labels} have the value {next(iter(counts))} only, expected two classes or more")


def doubts(kind: str, counts: Counter[int], files: list[Counter[int]], keys: dict[str, Any]) -> Iterator[str]:
    """What is not known of the classes.

    Args:
        kind: `ids` or `colours` (0xRRGGBB).
        counts: pixels of all files by value or colour.
        files: the same of each file.
        keys: of the description.
    """
    if "nearest" in keys:
        return
    rare = sorted(value for value, count in counts.items() if count < _RARE * counts.total())
    if rare and len(counts) > 2:
        texts = [colour_text(code) if kind == "colours" else str(code) for code in rare]
        share = sum(counts[value] for value in rare) / counts.total()
        listed = ", ".join(texts[:_LISTED]) + ", ..." * (len(texts) > _LISTED)
        yield f"whether {kind} {listed} are classes: they have {share:.3%} of the pixels, as faults at borders do"
    if len(counts) > _MANY:
        yield f"whether {len(counts)} {kind} are classes: numbered objects and brightnesses are not"
    if len(files) > 2 and all(_nearly_equal([each[value] / each.total() for each in files]) for value in counts):
        yield f"whether {kind} are classes: each has the same share of all labels, as in masks of the field of view"
    if keys.get("ignore") == 255 and not any(each[255] and set(each) - {0, 255} for each in files):
        yield "whether 255 is a border: no label has it beside a class other than 0, so it may be a class"


def _nearly_equal(shares: list[float]) -> bool:
    return max(shares) - min(shares) <= _EQUAL * max(shares)
