"""`manifest.json`: what a data set on disk consists of, file by file. As a stage, that of a user's own folder."""

import argparse
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from seg.system.console import run_stage
from seg.system.files import canonical_json, read_json, sha256, write_json


def covered(manifest: Path) -> list[str]:
    """Names of all files below a manifest's folder, sorted, except itself and what a dot hides."""
    root = manifest.parent
    files = [file.relative_to(root) for file in root.rglob("*") if file.is_file() and file != manifest]
    return sorted(file.as_posix() for file in files if not any(part.startswith(".") for part in file.parts))


def write_manifest(path: Path, about: dict[str, Any]) -> None:
    """Fingerprint every file that the manifest is to cover.

    Args:
        path: the manifest to write, in the data set's folder.
        about: what the data set is (name, version, licence, citation, source); it stands first in the file.
    """
    root = path.parent
    names = covered(path)
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        digests = list(pool.map(lambda name: sha256(root / name), names))
    files = {
        name: {"size": (root / name).stat().st_size, "sha256": digest}
        for name, digest in zip(names, digests, strict=True)
    }
    write_json(path, {**about, "files": files})


def read_manifest(path: Path) -> dict[str, Any]:
    """Content of a manifest. Raises ValueError where it is none."""
    content: dict[str, Any] = read_json(path)
    if "files" not in content:
        raise ValueError(f"{path}: lists no files; delete it and run the download again")
    return content


def fingerprint(manifest: dict[str, Any]) -> str:
    """SHA-256 over the names, sizes and digests of all files: the same for the same content anywhere."""
    return hashlib.sha256(canonical_json(manifest["files"]).encode()).hexdigest()


def main() -> None:
    """Take the files that lie beside a manifest as a data set of the user's own."""
    parser = argparse.ArgumentParser(prog="python -m seg.datasets.manifest", description=main.__doc__)
    parser.add_argument("--name", required=True, help="of the data set")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write, in the data set's folder")
    arguments = parser.parse_args()
    about = {
        "version": "as it lies on disk",
        "licence": "the user's own",
        "citation": "none",
        "source": "the user's own",
    }
    write_manifest(arguments.out, {"name": arguments.name, **about})


if __name__ == "__main__":
    run_stage(main)
