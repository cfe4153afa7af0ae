"""Division of a dataset into training, validation and test images: by lists, halves, folds, or the hash of names."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

from seg.config.description import SplitName
from seg.datasets.patterns import ENDINGS

SPLITS: tuple[SplitName, ...] = ("train", "val", "test")
_VALIDATION_PART = 7  # of the images outside of the test fold, one in so many is for validation
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # byte order marks; that of UTF-8 is in "utf-8-sig"


def unit_hash(name: str) -> float:
    """Uniformly distributed hash of a name in [0, 1)."""
    digest = hashlib.sha256(f"0/{name}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:6]) / 2**48


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


def read_list(path: Path, known: Collection[str]) -> list[str]:
    """Names in a list, one per line: UTF-8 or UTF-16; blank lines do not count.

    A line is a name, with or without directories and ending, possibly followed by other columns, separated by commas,
    semicolons, tabs or blanks. A first line of column titles does not count.

    Args:
        path: the list.
        known: names of the dataset's images.

    Raises:
        ValueError: the file is no text.
    """
    content = path.read_bytes()
    try:
        text = content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is neither UTF-8 nor UTF-16 ({error.reason}); save it as UTF-8") from None
    lines = [line.strip() for line in unicodedata.normalize("NFC", text).splitlines()]
    names = [_name(line, known) for line in lines if line]
    titled = len(names) > 1 and names[0] not in known and (path.suffix == ".csv" or re.search(r"[,;\t]", lines[0]))
    return names[1:] if titled and set(names[1:]) & set(known) else names


def names_by_split(entries: Mapping[SplitName, list[str]], root: Path, known: Collection[str]) -> dict[str, list[str]]:
    """Names of each split; a name of several splits belongs to the last of them.

    Args:
        entries: names of images, and files `.txt` or `.csv` that list them, by split.
        root: directory of the dataset.
        known: names of the dataset's images.

    Raises:
        ValueError: a list does not exist or is no text.
    """
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for split in reversed(SPLITS):
        names: list[str] = []
        for entry in entries.get(split, []):
            path = root / entry
            if path.suffix not in (".txt", ".csv"):
                names.append(entry)
            elif path.is_file():
                names += read_list(path, known)
            else:
                raise ValueError(f"{path}: no such list; add it, or correct `splits.lists`")
        found[split] = [name for name in dict.fromkeys(names) if name not in taken]
        taken.update(names)
    return found


def refuse_repeated(root: Path, lists: Mapping[str, list[str]]) -> None:
    """Raise ValueError, one line per name, if a name is listed twice.

    Args:
        root: directory of the dataset, for the message.
        lists: names by list.
    """
    where: dict[str, list[str]] = {}
    for file, names in lists.items():
        for name in names:
            where.setdefault(name, []).append(file)
    twice = {name: files for name, files in sorted(where.items()) if len(files) > 1}
    if twice:
        lines = [f"{root}: '{name}' is listed in {' and in '.join(files)}; keep one" for name, files in twice.items()]
        raise ValueError("\n".join(lines))


def _name(line: str, known: Collection[str]) -> str:
    """The name in a line: the first of its readings that is known, else the first column without its ending."""
    first = re.split(r"[,;\t]|\s+", line)[0].strip("\"'")
    readings = [
        reading for text in (line, re.split(r"[,;\t]", line)[0].strip(" \"'"), first) for reading in _readings(text)
    ]
    return next((reading for reading in readings if reading in known), _readings(first)[1])


def _readings(text: str) -> tuple[str, str, str, str]:
    path = PurePosixPath(text.replace("\\", "/"))
    bare = path.with_suffix("") if path.suffix[1:].lower() in ENDINGS and path.name else path
    return text, str(bare), path.name, bare.name
