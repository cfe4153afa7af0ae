"""`manifest.json`: size and SHA-256 of each file of a dataset. The stage is for a user's own dataset."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seg.system.arguments import StageParser
from seg.system.console import run_stage
from seg.system.files import canonical_json, read_json, sha256, write_json


def covered(manifest: Path) -> list[str]:
    """Sorted names of all files in a manifest's directory, except the manifest and hidden files."""
    root = manifest.parent
    files = [file.relative_to(root) for file in root.rglob("*") if file.is_file() and file != manifest]
    return sorted(file.as_posix() for file in files if not any(part.startswith(".") for part in file.parts))


def write_manifest(path: Path, about: dict[str, Any]) -> None:
    """Write the manifest of all files in its directory.

    Args:
        path: manifest to write, in the dataset's directory.
        about: description of the dataset (name, version, licence, citation, source), written first.
    """

    def entry(name: str) -> dict[str, Any]:
        file = path.parent / name
        return {"size": file.stat().st_size, "sha256": sha256(file)}

    names = covered(path)
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        files = dict(zip(names, pool.map(entry, names), strict=True))
    write_json(path, {**about, "files": files})


def read_manifest(path: Path) -> dict[str, Any]:
    """Content of a manifest. Raises ValueError if the file is not a manifest."""
    content: dict[str, Any] = read_json(path)
    if "files" not in content:
        raise ValueError(f"{path}: lists no files; delete it and run again")
    return content


def fingerprint(manifest: dict[str, Any]) -> str:
    """SHA-256 of the names, sizes and digests of all files; the same for the same content."""
    return hashlib.sha256(canonical_json(manifest["files"]).encode()).hexdigest()


def main() -> None:
    """Write the manifest of a user's own dataset."""
    parser = StageParser("seg.datasets.manifest", main.__doc__)
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_output("--out", ".json", "manifest to write, in the dataset's directory")
    args = parser.parse_stage()
    own = "the user's own"
    about = {"name": args.name, "version": "unknown", "licence": own, "citation": "none", "source": own}
    write_manifest(args.out, about)


if __name__ == "__main__":
    run_stage(main)
