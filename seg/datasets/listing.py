"""Names of the files of a dataset. Directories may be links; hidden and system files never count."""

import os
from collections.abc import Iterable
from pathlib import Path

from seg.config.description import Description, SplitName
from seg.datasets.patterns import directories
from seg.datasets.splits import SPLITS

_SYSTEM = frozenset({"thumbs.db", "desktop.ini"})


def list_files(root: Path) -> list[str]:
    """Sorted names of all files below a directory, relative to it; without `manifest.json` at its top.

    Raises:
        ValueError: links lead back to a directory that contains them: one line per link.
        OSError: a directory cannot be read.
    """
    found: list[str] = []
    loops: list[Path] = []
    _add(root, "", found, loops)
    if loops:
        raise ValueError("\n".join(f"{path}: a link to a directory that contains it; remove it" for path in loops))
    return sorted(name for name in found if name != "manifest.json")


def _add(root: Path, folder: str, found: list[str], loops: list[Path]) -> None:
    """Add the files below `folder`, whose name ends in a slash if it is not empty."""
    with os.scandir(root / folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                continue
            if not entry.is_dir():
                found.append(f"{folder}{entry.name}")
            elif entry.is_symlink() and (root / folder).resolve().is_relative_to(Path(entry.path).resolve()):
                loops.append(Path(entry.path))
            else:
                _add(root, f"{folder}{entry.name}/", found, loops)


def missing_directory(
    description: Description, root: Path, patterns: list[str], splits: Iterable[SplitName] = SPLITS
) -> Path | None:
    """Directory of the first pattern, if none of any pattern exists."""
    names = [name for split in splits for name in description.splits.names[split]]
    places = [place for pattern in patterns for place in directories(pattern, names)]
    return None if any(_has_directory(root, place) for place in places) else root / places[0]


def _has_directory(root: Path, place: str) -> bool:
    """Whether a directory exists, in any letter case, as in patterns."""
    first, _, rest = place.partition("/")
    if (root / place).is_dir():
        return True
    below = [path for path in root.glob("*") if path.name.casefold() == first.casefold() and path.is_dir()]
    return any(not rest or _has_directory(path, rest) for path in below)


def why_missing(path: Path) -> str:
    """Why a path is no directory."""
    if path.is_symlink():
        return f"a link to {path.readlink()}, where no directory is"
    return "not a directory" if path.exists() else "no such directory"
