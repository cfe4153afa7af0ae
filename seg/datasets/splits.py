"""Division of names into training, validation and test images: by the hash of names or groups, halves and folds."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from seg.config.description import SplitName

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_VALIDATION_PART = 7  # of the images outside of the test fold, one in so many is for validation


def unit_hash(name: str) -> float:
    """Uniformly distributed hash of a name in [0, 1)."""
    digest = hashlib.sha256(f"0/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48


def group_of(expression: str | None, name: str) -> str:
    """Group of an image: the first group of the expression where it matches, else the match; empty if it does not."""
    match = re.search(expression, name) if expression else None
    return (match[1] if match.re.groups else match[0]) or "" if match else ""


def draw_split(group: str) -> SplitName:
    """Split of a group of images, 70:15:15; depends only on the group's name."""
    drawn = unit_hash(group)
    return "train" if drawn < 0.7 else "val" if drawn < 0.85 else "test"


def halve(names: Iterable[str], group: Callable[[str], str]) -> dict[str, list[str]]:
    """Names in two halves, `test` and `val`, by the hash of their group, else of the name; no group is divided."""
    ordered = sorted(set(names), key=lambda name: (unit_hash(group(name) or name), name))
    middle = len(ordered) // 2
    while 0 < middle < len(ordered) and (before := group(ordered[middle - 1])) and before == group(ordered[middle]):
        middle += 1
    return {"test": ordered[:middle], "val": ordered[middle:]}


def divide(groups: Mapping[str, str], parts: int) -> dict[str, int]:
    """Part, from 0, of each name, so that no group is divided and the parts have about the same number of names.

    The largest groups are first, those of equal size in the order of their hashes, and each goes to the part with the
    fewest names. Depends only on the names and their groups. Parts of single names differ by at most one name.

    Args:
        groups: group by name; an ungrouped name is a group of its own.
        parts: number of parts.
    """
    sizes = [0] * parts
    where = {}
    counts = Counter(groups.values())
    for group in sorted(counts, key=lambda group: (-counts[group], unit_hash(group), group)):
        where[group] = sizes.index(min(sizes))
        sizes[where[group]] += counts[group]
    return {name: where[group] for name, group in groups.items()}


def draw_fold(groups: Mapping[str, str], folds: int, fold: int) -> dict[str, SplitName]:
    """Split of each name in a cross-validation: `test` in one fold, the others `train`, and a seventh of them `val`.

    Args:
        groups: group by name; an ungrouped name is a group of its own.
        folds: number of folds, see `divide`.
        fold: number of the test fold, from 0.

    Raises:
        ValueError: there are too few groups.
    """
    folded = divide(groups, folds)
    members = Counter(part for _, part in {(group, folded[name]) for name, group in groups.items()})
    if len(members) < folds or members.total() - max(members.values()) < 2:
        raise ValueError(
            f"got {members.total()} images or groups of images for {folds} folds, expected one or more in each fold "
            "and two outside of it; give fewer folds or more images, or correct `group`"
        )
    tested = {name for name, part in folded.items() if part == fold}
    others = {name: group for name, group in groups.items() if name not in tested}
    parts = divide(others, min(_VALIDATION_PART, len(set(others.values()))))
    sizes = Counter(parts.values())
    validation = min(sizes, key=lambda part: (sizes[part], part))
    where: dict[str, SplitName] = dict.fromkeys(groups, "train")
    where |= dict.fromkeys(tested, "test")
    return where | dict.fromkeys([name for name, part in parts.items() if part == validation], "val")
