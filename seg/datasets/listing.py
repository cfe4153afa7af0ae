"""Names of the files of a dataset. Directories may be links; hidden and system files never count."""

import os
from pathlib import Path

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
