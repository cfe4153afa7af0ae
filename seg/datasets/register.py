"""Stage `register`: the manifest of a user's own dataset, outside of its directory, in which nothing is written.

Content decides whether the files are those that results were made from, so every start of Snakemake needs their
digests. A memory keeps each digest with size, mtime, ctime and inode of the file, and only files that differ in one of
these are read. Programs can keep the mtime of a file that they change (`rsync -a`, `cp -p`), but not the ctime.
"""

import errno
import os
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any

from seg.config.description import Description, read_description
from seg.datasets.manifest import fingerprint
from seg.datasets.matching import files_read
from seg.datasets.own_files import with_own_keys
from seg.system.arguments import StageParser
from seg.system.console import run_stage, say
from seg.system.files import read_json, sha256, write_json

# A file that has just changed may change again under the same ctime, which has a resolution of up to 2 s on some file
# systems. Digests of files that changed within this time, in nanoseconds, are not kept.
_TOO_RECENT = 3 * 10**9
_ANNOUNCED = 2**30  # bytes; reading more takes seconds

Memory = dict[str, list[Any]]  # size, mtime, ctime (nanoseconds), inode and SHA-256 of a file by its name


def own_contents(
    descriptions: Iterable[Description], root: Path, memory: Path | None = None, anew: bool = False
) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of every file that descriptions read, by name, as a manifest lists them.

    Args:
        descriptions: of all datasets that are packed from the directory.
        root: directory of the dataset.
        memory: file that keeps the digests between runs; if there is none or it is damaged, all files are read.
        anew: read all files.

    Raises:
        ValueError: a directory is missing, or a link leads back to a directory around it.
        OSError: a file cannot be read.
    """
    start = time.time_ns()
    known = {} if anew or memory is None else _recall(memory)
    names = {name for each in descriptions for name in files_read(with_own_keys(each, root), root)}
    found = _status(root, sorted(names))
    marks = {name: [at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino] for name, at in sorted(found.items())}
    changed = [name for name, mark in marks.items() if known.get(name, [])[:-1] != mark]
    if (size := sum(marks[name][0] for name in changed)) > _ANNOUNCED:
        say(f"{root}: reading {len(changed)} new or changed files, {size / 2**30:.1f} GiB")
    with ThreadPoolExecutor() as pool:  # hashing releases the interpreter lock
        digests = dict(zip(changed, pool.map(lambda name: sha256(root / name), changed), strict=True))
    entries = {name: [*mark, digests.get(name) or known[name][-1]] for name, mark in marks.items()}
    kept = {name: entry for name, entry in entries.items() if found[name].st_ctime_ns < start - _TOO_RECENT}
    if memory and kept != known:
        with suppress(OSError):
            write_json(memory, kept)
    _warn_of_unnoticed(root, [name for name in changed if name in known and _unnoticed(known[name], entries[name])])
    return {name: {"size": entry[0], "sha256": entry[-1]} for name, entry in entries.items()}


def _unnoticed(old: list[Any], new: list[Any]) -> bool:
    """Whether DVC takes a changed file for the old one: it compares size, mtime and inode."""
    return old[-1] != new[-1] and old[:2] + old[3:4] == new[:2] + new[3:4]


def _warn_of_unnoticed(root: Path, names: list[str]) -> None:
    if names and root.with_name(f"{root.name}.dvc").exists():
        others = f" and {len(names) - 1} others" if names[1:] else ""
        what = "changed, but not their size and time stamp, so DVC does not notice it"
        say(f"warning: {root}: {names[0]}{others} {what}; `touch` them before `dvc add`")


def _status(root: Path, names: Iterable[str]) -> dict[str, os.stat_result]:
    """Status of the files that paths or links lead to; without names that lead to no file."""
    found = {}
    for name in names:
        try:
            status = (root / name).stat()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ELOOP):
                raise
            continue
        if S_ISREG(status.st_mode):
            found[name] = status
    return found


def _recall(memory: Path) -> Memory:
    """Content of a memory; empty if it is missing or damaged."""
    with suppress(OSError, ValueError):
        content = read_json(memory)
        if isinstance(content, dict) and all(isinstance(entry, list) and len(entry) == 5 for entry in content.values()):
            return content
    return {}


def main() -> None:
    """Write the manifest of a user's own dataset."""
    parser = StageParser("seg.datasets.register", main.__doc__)
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument(
        "--dataset", nargs="+", default=["folder"], help="layouts or descriptions of the dataset (JSON)"
    )
    parser.add_argument("--root", type=Path, required=True, help="directory of the dataset")
    parser.add_argument("--content", help="expected digest of the content")
    parser.add_argument("--memory", type=Path, help="file that keeps digests between runs")
    parser.add_output("--out", ".json", "manifest to write")
    args = parser.parse_stage()
    files = own_contents(map(read_description, args.dataset), args.root, args.memory)
    own = "the user's own"
    about = {"name": args.name, "version": "unknown", "licence": own, "citation": "none", "source": own}
    if args.content not in (None, fingerprint({"files": files})):
        raise ValueError(f"{args.root}: files changed since the start of the run; run again")
    write_json(args.out, {**about, "files": files})


if __name__ == "__main__":
    run_stage(main)
