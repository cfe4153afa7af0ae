"""Layout of a user's own dataset: `images/` (PNG, JPEG, BMP, TIFF), `labels/` (PNG of ids) and `classes.yaml`.

An image and its label have the same name except for the suffix. The EXIF orientation of images is applied; labels are
read unchanged. `classes.yaml` lists the classes by id, starting at 0:

    classes:
      - background
      - { name: crack, colour: [220, 20, 60] }
    ignore: 255

`colour` and `ignore` are optional; without `ignore`, the file may contain only the list. `ignore` is an id that is not
scored, in the list or beyond it. Classes without a colour get one.

Files that the layout does not read (hidden ones, of other types, elsewhere) do not matter. Directories may be links.

Splits are the lists `train.txt`, `val.txt` and `test.txt`, with one name without suffix per line. Without lists, the
hash of each name selects the split, 70:15:15; an image stays in its split when others are added.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

from seg.config.messages import one_per_line
from seg.config.yaml_file import read_yaml
from seg.datasets.classes import ClassTable, bit_colour
from seg.datasets.layouts import SPLITS, draw_split

_SUFFIXES = {"images": (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"), "labels": (".png",)}  # by directory


def read_classes(root: Path) -> ClassTable:
    """Class table of `classes.yaml`. Raises ValueError with one line per error."""
    path = root / "classes.yaml"
    if not path.is_file():
        raise ValueError(f"{path}: missing; create it with the names of the classes, in the order of their ids")
    content = read_yaml(path)
    content = content if isinstance(content, dict) else {"classes": content}
    rows = content.get("classes")
    problems = [
        f"unknown key '{key}'; known are classes, ignore" for key in content if key not in ("classes", "ignore")
    ]
    if not isinstance(rows, list):
        problems.append(f"classes: got {rows!r}, expected a list such as '- background'")
        rows = []
    elif not 2 <= len(rows) <= 255:
        problems.append(f"classes: got {len(rows)}, expected 2 to 255")
    rows = [row if isinstance(row, dict) else {"name": row} for row in rows]
    problems += _row_errors(rows)
    ignore = content.get("ignore")
    if ignore is not None and not _is_byte(ignore):
        problems.append(f"ignore: got {ignore!r}, expected an id from 0 to 255")
    if problems:
        raise ValueError(one_per_line(f"{path}: {problem}" for problem in problems))
    given = [tuple(row["colour"]) if row.get("colour") else None for row in rows]
    free = (colour for colour in map(bit_colour, range(256)) if colour not in given)
    colours = [colour or next(free) for colour in given]
    scored = tuple(i for i in range(len(rows)) if i != ignore)
    return ClassTable(
        ids=tuple(row["name"] for row in rows),
        scored=scored,
        palette=tuple(colours[i] for i in scored),
        ignored=ignore if len(scored) == len(rows) else None,
    )


def find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and labels of a split by name.

    Raises:
        ValueError: two images have the same name, a name is listed twice, or without lists the split is empty.
    """
    images, labels = (_by_name(root / folder) for folder in _SUFFIXES)
    lists = [path for split in SPLITS if (path := root / f"{split}.txt").is_file()]
    if not lists:
        drawn_images, drawn_labels = (
            {name: file for name, file in files.items() if draw_split(name) == split} for files in (images, labels)
        )
        if images and not drawn_images:
            raise ValueError(
                f"{root}: split '{split}' is empty, the hashes of all {len(images)} names select other splits; "
                "add images, or create the lists train.txt, val.txt and test.txt"
            )
        return drawn_images, drawn_labels
    where: dict[str, list[str]] = {}  # lists by name
    for path in lists:
        for line in path.read_text(encoding="utf-8-sig").splitlines():  # some editors write a byte order mark
            if name := line.strip():
                where.setdefault(name, []).append(path.name)
    twice = {name: files for name, files in sorted(where.items()) if len(files) > 1}
    if twice:
        lines = [f"{root}: '{name}' is listed in {' and in '.join(files)}; keep one" for name, files in twice.items()]
        raise ValueError("\n".join(lines))
    names = [name for name, files in where.items() if files == [f"{split}.txt"]]
    return (
        {name: images.get(name, root / "images" / f"{name}.*") for name in names},
        {name: labels.get(name, root / "labels" / f"{name}.png") for name in names},
    )


def files_read(root: Path) -> dict[str, os.stat_result]:
    """Status of every file that the layout reads for any split, by its name relative to `root`.

    Raises:
        ValueError: a directory is missing, or a link in it leads back to it or to a directory around it.
        OSError: a directory or the status of a file cannot be read.
    """
    for folder in (root / name for name in _SUFFIXES):
        if not folder.is_dir():
            raise ValueError(f"{folder}: {why_missing(folder)}; put the {folder.name} of the dataset there")
    _entries(root)
    names = ["classes.yaml", *(f"{split}.txt" for split in SPLITS)]
    names += [f"{folder}/{name}" for folder in _SUFFIXES for name in _listed(root / folder)]
    status = {name: _status(root / name) for name in names}
    return {name: found for name, found in status.items() if found and S_ISREG(found.st_mode)}


def why_missing(folder: Path) -> str:
    """Why a path is no directory."""
    if folder.is_symlink():
        return f"a link to {folder.readlink()}, where no directory is"
    return "not a directory" if folder.exists() else "no such directory"


def _status(file: Path) -> os.stat_result | None:
    """Status of the file that a path or link leads to; none if there is no such file."""
    try:
        return file.stat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ELOOP):
            raise
        return None


def _listed(folder: Path) -> list[str]:
    """Sorted names in `images` or `labels` with the suffixes of these; none if there is no such directory."""
    names = _entries(folder) if folder.is_dir() else []
    return [name for name in names if name.lower().endswith(_SUFFIXES[folder.name])]


def _entries(folder: Path) -> list[str]:
    """Sorted names in a directory, without hidden ones. Raises ValueError if a link leads back to the directory."""
    with os.scandir(folder) as entries:
        links = {entry.name: entry.is_symlink() for entry in entries if not entry.name.startswith(".")}
    directories = (folder / name for name, is_link in sorted(links.items()) if is_link and (folder / name).is_dir())
    if loops := [path for path in directories if folder.resolve().is_relative_to(path.resolve())]:
        raise ValueError("\n".join(f"{path}: a link to a directory that contains it; remove it" for path in loops))
    return sorted(links)


def _by_name(folder: Path) -> dict[str, Path]:
    """Files by name without suffix. Raises ValueError if two have the same name."""
    files: dict[str, Path] = {}
    problems = []
    for path in map(folder.joinpath, _listed(folder)):
        if path.stem in files:
            problems.append(f"{path}: has the same name as {files[path.stem].name}; remove or rename one")
        files[path.stem] = path
    if problems:
        raise ValueError("\n".join(problems))
    return files


def _row_errors(rows: list[dict[str, Any]]) -> Iterator[str]:
    first: dict[Any, int] = {}
    for i, row in enumerate(rows):
        name, colour = row.get("name"), row.get("colour")
        for key in sorted(map(str, row.keys() - {"name", "colour"})):
            yield f"class {i}: unknown key '{key}'; known are name, colour"
        if not isinstance(name, str) or not name.strip():
            yield f"class {i}: got name {name!r}, expected text; put numbers and words such as no in quotes"
        elif first.setdefault(name, i) != i:
            yield f"class {i}: name '{name}' is already used by class {first[name]}; rename one"
        if colour is None:
            continue
        if not isinstance(colour, list) or len(colour) != 3 or not all(map(_is_byte, colour)):
            yield f"class {i}: got colour {colour!r}, expected red, green and blue such as [220, 20, 60]"
        elif first.setdefault(tuple(colour), i) != i:
            yield f"class {i}: colour {colour} is already used by class {first[tuple(colour)]}; choose another"


def _is_byte(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255  # excludes bool
