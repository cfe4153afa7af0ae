"""Patterns of file names with placeholders: which files match, and what their placeholders stand for."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from seg.config.description import SplitName
from seg.config.description_values import PLACEHOLDER

ENDINGS = ("png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif")  # of images, in any letter case
_ANY_IMAGE = rf"\.(?i:{'|'.join(ENDINGS)})"


class Match(NamedTuple):
    """A file that matches a pattern.

    Attributes:
        file: path relative to the dataset's directory.
        stem: what image and label have in common, in Unicode's normal form NFC.
        parent: directories that `{parent}` or `**` stands for.
        split: what `{split}` stands for; empty without it.
        others: the other placeholders.
    """

    file: str
    stem: str
    parent: str
    split: str
    others: tuple[tuple[str, str], ...]


def find_matches(pattern: str, files: Iterable[str], splits: Mapping[SplitName, Iterable[str]]) -> list[Match]:
    """Files that match a pattern, in the order of `files`.

    Args:
        pattern: see `seg.config.description.Description`.
        files: paths relative to the dataset's directory.
        splits: names of each split in `{split}`.
    """
    by_name = {name: split for split, names in splits.items() for name in names}
    expression = compile_pattern(pattern, by_name)
    found = []
    for file in files:
        if match := expression.fullmatch(file):
            fields = {key: value or "" for key, value in match.groupdict().items()}
            stem = unicodedata.normalize("NFC", fields.pop("stem", ""))
            parent = unicodedata.normalize("NFC", fields.pop("parent", "").rstrip("/"))
            split = by_name.get(fields.pop("split", "").casefold(), "")
            found.append(Match(file, stem, parent, split, tuple(sorted(fields.items()))))
    return found


def compile_pattern(pattern: str, splits: Iterable[str]) -> re.Pattern[str]:
    """Regular expression of a pattern, with one named group per placeholder."""
    body, ending = pattern, ""
    if pattern.endswith(".*"):
        body, ending = pattern[:-2], _ANY_IMAGE
    elif match := re.search(r"\.\w+$", pattern):
        body, ending = pattern[: match.start()], f"(?i:{re.escape(match[0])})"
    if "{stem" not in body and "*" in body.rpartition("/")[2]:
        head, _, tail = body.rpartition("*")
        body = f"{head}{{stem}}{tail}"
    seen: set[str] = set()
    parts = [_part(part, splits, seen) for part in PLACEHOLDER.split(body)]
    return re.compile("".join(parts) + ending)


def _part(part: str, splits: Iterable[str], seen: set[str]) -> str:
    """Regular expression of a part of a pattern: of a placeholder or of the text between two."""
    if not PLACEHOLDER.fullmatch(part):
        return re.escape(part)
    if part in ("*", "?"):
        return "[^/]*" if part == "*" else "[^/]"
    name, _, expression = part.strip("{}").partition(":") if part != "**/" else ("parent", "", "(?:[^/]+/)*")
    if name in seen:
        return expression if part == "**/" else f"(?P={name})"
    seen.add(name)
    known = {
        "split": f"(?i:{'|'.join(map(re.escape, splits))})",
        "stem": "[^/]+",
        "parent": "[^/]+(?:/[^/]+)*",
    }
    return f"(?P<{name}>{expression or known.get(name, '[^/]*')})"


def has_parent(pattern: str) -> bool:
    """Whether directories are part of a pattern's names."""
    return "{parent" in pattern or "**/" in pattern


def directories(pattern: str, names: Iterable[str]) -> list[str]:
    """Directories that a pattern's files are below, up to its first placeholder but `{split}`, once per name of it."""
    found = []
    for name in names:
        parts = pattern.replace("{split}", name).split("/")[:-1]
        fixed = next((k for k, part in enumerate(parts) if PLACEHOLDER.search(f"{part}/")), len(parts))
        found.append("/".join(parts[:fixed]) or ".")
    return list(dict.fromkeys(found))
