"""Names, values and colours of classes in the files that labelling tools write beside labels."""

import csv
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from seg.config.yaml_file import read_yaml
from seg.results import Colour

_LISTS = ("classes.txt", "labels.txt", "names.txt", "class_names.txt", "obj.names")
_IGNORED = "__ignore__"  # the first line of labelme's list, whose class has the value -1
_YAML = ("data.yaml", "dataset.yaml")
_TABLES = ("labelmap.txt", "label_colors.txt", "class_dict.csv", "_classes.csv", "classes.csv", "labels.csv")
_NAMES = ("name", "class", "label", "class_name")
_VALUES = ("pixel value", "value", "id", "index")


class NamedClasses(NamedTuple):
    """Classes that a file names, in its order.

    Attributes:
        file: the file.
        names: the classes.
        values: label value of each; empty if the file gives none.
        colours: colour of each in labels; empty if the file gives none.
    """

    file: str
    names: list[str]
    values: list[int]
    colours: list[Colour]


def named_classes(root: Path, files: Iterable[str]) -> NamedClasses | None:
    """Classes of the first file that names some, such as `classes.txt`, `data.yaml` or CVAT's `labelmap.txt`."""
    for file in files:
        name = PurePosixPath(file).name.lower()
        with suppress(ValueError, LookupError):
            if name in _LISTS:
                lines = (root / file).read_text(encoding="utf-8-sig").splitlines()
                names = [line.strip() for line in lines if line.strip()]
                return _numbered_names(file, names[1:] if names[:1] == [_IGNORED] else names)
            if name in _YAML and (names := _yaml_names(root / file)):
                return NamedClasses(file, names, [], [])
            if name in _TABLES and (found := _table(root / file, file)):
                return found
    return None


def _numbered_names(file: str, lines: list[str]) -> NamedClasses:
    """Classes of a list, whose lines may begin with their values, such as `1: crack`."""
    numbered = [re.fullmatch(r"(\d+)\s*[:,;=\s]\s*(\D.*)", line) for line in lines]
    values = [int(match[1]) for match in numbered if match]
    if lines and len(set(values)) == len(lines):
        return NamedClasses(file, [match[2] for match in numbered if match], values, [])
    return NamedClasses(file, lines, [], [])


def _yaml_names(path: Path) -> list[str]:
    content = read_yaml(path)
    rows = content.get("names") if isinstance(content, dict) else None
    rows = [rows[k] for k in range(len(rows))] if isinstance(rows, dict) else rows  # KeyError: not 0, 1, 2, ...
    return [str(row) for row in rows] if isinstance(rows, list) else []


def _table(path: Path, file: str) -> NamedClasses | None:
    """Classes of a table: with titles (name,r,g,b or value,class), CVAT's (name:r,g,b::) or CamVid's (r g b name)."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    if path.suffix.lower() == ".txt":
        rows = [row for line in lines if (row := _coloured(line))]
        return NamedClasses(file, [name for name, _ in rows], [], [colour for _, colour in rows]) if rows else None
    rows_by_title = [
        {title.strip().lower(): (text or "").strip() for title, text in row.items() if title}
        for row in csv.DictReader(lines)
    ]
    titles = list(rows_by_title[0]) if rows_by_title else []
    named = next((title for title in _NAMES if title in titles), None)
    if named is None:
        return None
    valued = next((title for title in _VALUES if title in titles), None)
    return NamedClasses(
        file,
        [row[named] for row in rows_by_title],
        [int(row[valued]) for row in rows_by_title] if valued else [],
        [(int(row["r"]), int(row["g"]), int(row["b"])) for row in rows_by_title]
        if {"r", "g", "b"} <= set(titles)
        else [],
    )


def _coloured(line: str) -> tuple[str, Colour] | None:
    if match := re.match(r"\s*([^:#]+):\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)", line):
        return match[1].strip(), (int(match[2]), int(match[3]), int(match[4]))
    if match := re.match(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S.*)", line):
        return match[4].strip(), (int(match[1]), int(match[2]), int(match[3]))
    return None
