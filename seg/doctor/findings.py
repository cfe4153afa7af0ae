"""Findings about a dataset, grouped by fault."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from seg.system.console import printable

_EXAMPLES = 3
# Kind, title and a part of the reader's messages `<file>: <fault>; <fix>`. The kinds are keys of `--json`.
_MESSAGES = (
    ("image_without_label", "images without a label", r"image without a label"),
    ("label_without_image", "labels without an image", r"label without an image"),
    ("broken_link", "links that lead to no file", r"a link to .*, where no file is"),
    ("listed_file_missing", "listed files that are missing", r"missing from split"),
    ("undecodable", "files that cannot be decoded", r"cannot be decoded"),
    ("exif_orientation", "images that EXIF turns against their labels", r"has EXIF orientation \d+, its image"),
    ("size_mismatch", "labels of another size than their image", r"label of \S+, image of \S+"),
    ("duplicate_across_splits", "images that are in two splits", r"same pixels as .* in split"),
    ("empty_split", "splits without images", r"no image in split|split '\w+' is empty"),
    ("no_scored_pixel", "splits without a pixel of a scored class", r"no pixel of its .* scored"),
    ("missing_directory", "missing directories", r"no such directory"),
    ("classes", "classes that cannot be read", r"^missing; create it with the names of the classes"),
    ("colours_without_classes", "labels that are RGB images, while no class has a colour", r"got colours .* 8-bit ids"),
    ("listed_twice", "names that are listed twice", r"is listed in"),
    ("same_name", "files of the same name", r"has the same name as"),
    ("bit_depth", "images of more than 8 bits per channel without a range", r"bits per channel with values from"),
    ("bands", "images with other bands than expected", r"has \d+ bands, expected|has \d+ of \d+ bands"),
    ("several_pages", "files of several pages or frames", r"has \d+ (pages|frames), expected one"),
    ("exif_orientation", "labels that may be turned against their image", r"has EXIF orientation"),
    ("transparent_label", "labels with transparent pixels", r"transparent pixels"),
)
_BETTER_FIXES = {
    "colours_without_classes": 'add colours: { "220 20 60": <class> }, or store the id of each pixel',
    "classes": "create it with the names of the classes in the order of their ids, or describe the dataset (seg init)",
    "missing_directory": "create it, choose another layout, or describe where the files are (seg init)",
}
_VARYING = re.compile(r"'[^']*'|\S+\.\w{2,4}\b|\d[\d.]*")
_MORE = re.compile(r"(\d+) more files: ")


class Finding(NamedTuple):
    """One fault of a dataset.

    Attributes:
        kind: identifier that does not change between versions.
        severity: `error` if it would stop or spoil a run, `warning` if it may be intended.
        title: the fault, without the number of files.
        lines: one per file, `<file>: <detail>`.
        number: number of files (or splits, or classes).
        fix: how to correct it.
    """

    kind: str
    severity: str
    title: str
    lines: Sequence[str]
    number: int
    fix: str

    @property
    def examples(self) -> Sequence[str]:
        """Lines that are shown: spread over all, because neighbours are often alike."""
        step = max(1, len(self.lines) // _EXAMPLES)
        return self.lines[::step][:_EXAMPLES]

    def content(self) -> dict[str, Any]:
        """As in `--json`."""
        return {
            "kind": self.kind,
            "severity": self.severity,
            "title": self.title,
            "count": self.number,
            "examples": list(self.examples),
            "lines": list(self.lines),
            "fix": self.fix,
        }


def findings(kind: str, severity: str, title: str, lines: Iterable[str], fix: str) -> list[Finding]:
    """A finding, if it concerns any file."""
    rows = list(map(printable, lines))
    return [Finding(kind, severity, title, rows, len(rows), fix)] if rows else []


def from_messages(messages: Iterable[str]) -> list[Finding]:
    """Errors of the reader, one finding per fault, in the order of their first message."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for line in dict.fromkeys(line for message in messages for line in message.splitlines()):
        text, _, fix = line.rpartition("; ")
        text, fix = (text, fix) if text else (fix, "")
        fault = text.partition(": ")[2] or text
        kind, title = next(
            ((kind, title) for kind, title, part in _MESSAGES if re.search(part, line.partition(": ")[2])),
            ("invalid", _VARYING.sub("…", fault)),
        )
        groups.setdefault((kind, title), []).append((text, fix))
    return [
        Finding(kind, "error", title, [text for text, _ in rows], _count(rows), _BETTER_FIXES.get(kind, rows[0][1]))
        for (kind, title), rows in groups.items()
    ]


def _count(rows: list[tuple[str, str]]) -> int:
    """Number of files: lines may stand for several."""
    return sum(int(more[1]) if (more := _MORE.match(text)) else 1 for text, _ in rows)
