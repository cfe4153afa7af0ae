"""`manifest.json`: size and SHA-256 of each file of a dataset."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seg.datasets.listing import list_files
from seg.system.files import canonical_json, read_json, sha256, write_json


def write_manifest(path: Path, about: dict[str, Any]) -> None:
    """Write the manifest of all files in its directory.

    Args:
        path: manifest to write, in the dataset's directory.
        about: description of the dataset (name, version, licence, citation, source), written first.
    """
    write_json(path, {**about, "files": _contents(path)})


def differing(path: Path) -> list[str]:
    """Sorted names of the files in a manifest's directory that differ from it, are missing or were added."""
    listed, found = read_manifest(path)["files"], _contents(path)
    return sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))


def _contents(manifest: Path) -> dict[str, dict[str, Any]]:
    """Size and SHA-256, by name, of all files in a manifest's directory, except the manifest; see `list_files`."""
    root = manifest.parent
    names = [name for name in list_files(root) if name != manifest.name and (root / name).is_file()]
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        entries = pool.map(
            lambda file: {"size": file.stat().st_size, "sha256": sha256(file)}, map(root.joinpath, names)
        )
        return dict(zip(names, entries, strict=True))


def read_manifest(path: Path) -> dict[str, Any]:
    """Content of a manifest. Raises ValueError if the file is not a manifest."""
    content: dict[str, Any] = read_json(path)
    if "files" not in content:
        raise ValueError(f"{path}: lists no files; delete it and run again")
    return content


def fingerprint(manifest: dict[str, Any]) -> str:
    """SHA-256 of the names, sizes and digests of all files; the same for the same content."""
    return hashlib.sha256(canonical_json(manifest["files"]).encode()).hexdigest()
