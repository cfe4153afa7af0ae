"""Stage `download`: download, verify and extract the archives of a dataset, and write its manifest.

Archives that exist already are used instead of the network. Downloads are kept; interrupted downloads resume.
"""

import argparse
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from urllib3 import Retry

from seg.datasets.archives import unpack
from seg.datasets.catalogue import Dataset, Source, find_dataset, missing, path_matches
from seg.datasets.manifest import write_manifest
from seg.system.console import run_stage, say
from seg.system.fetch import DEFAULT_RETRY, Archive, DownloadError, fetch_archive
from seg.system.files import full_disk_named, remove_leftovers, replaced

_MOVE = "move these files elsewhere, or give a dataset of your own another name"


def download_dataset(dataset: Dataset, archives: Path, out: Path, retry: Retry = DEFAULT_RETRY) -> None:
    """Write a dataset to the directory of its manifest, which is replaced as a whole or not at all.

    Args:
        dataset: dataset to write.
        archives: directory of existing archives and of downloads.
        out: manifest to write, in the dataset's directory.
        retry: attempts per mirror.

    Raises:
        ValueError: no source is available, a login is not accepted, an archive has the wrong content, or the directory
            contains other files.
        OSError: a download failed, or from the file system, such as a full disk.
    """
    target = out.parent.resolve()  # may be a link to another disk
    remove_leftovers(target)
    try:
        source = dataset.choose(archives)
    except ValueError:
        if not dataset.is_extracted(target):
            _refuse_foreign(dataset, target, out.name)
            raise
        for wrong in dataset.faults(target):
            problem = f"{out.parent}: {wrong}; this is not {dataset.name} ({dataset.version}), replace it"
            raise ValueError(problem) from None
        _write_manifest(dataset, target / out.name, "extracted by the user")
        say(f"{dataset.name}: {sum(dataset.counts.values())} files that were in {out.parent} already")
        return
    _refuse_foreign(dataset, target, out.name)
    absent = [archive for archive in source.archives if not (archives / archive.name).exists()]
    found = {archives / archive.name: archive for archive in source.archives if archive not in absent}
    faults = {path: fault for path, archive in found.items() if (fault := archive.fault(path))}
    if faults:
        raise ValueError("\n".join(f"{path}: {fault}; delete or replace the file" for path, fault in faults.items()))
    _fetch_absent(dataset, absent, archives, retry)
    try:
        with full_disk_named(target.parent), replaced(target) as fresh:
            _fill(dataset, source, archives, fresh, out.name)
    except ValueError as error:
        unverified = [archives / archive.name for archive in absent if not archive.has_digest]
        for path in unverified:
            path.unlink()
        deleted = [f"{path}: deleted; run again to download it again" for path in unverified]
        raise ValueError("\n".join([str(error), *deleted])) from None
    say(f"{dataset.name}: {sum(dataset.counts.values())} files from {source} in {out.parent}")


def _fetch_absent(dataset: Dataset, absent: list[Archive], archives: Path, retry: Retry) -> None:
    """Download archives, in one session if the dataset requires a login."""
    login = dataset.login.open(retry) if dataset.login and absent else nullcontext()
    with login as session, full_disk_named(archives):
        for archive in absent:
            try:
                fetch_archive(archive, archives, retry, session)
            except DownloadError as error:
                where = f"{dataset.name}, {dataset.homepage}, licence: {dataset.licence}"
                raise OSError(f"{error}; it is part of {where}") from None


def _fill(dataset: Dataset, source: Source, archives: Path, folder: Path, manifest: str) -> None:
    """Extract a source's archives into an empty directory, verify the files and write the manifest."""
    for root in (None, folder) if dataset.labels else (None,):  # labels first, as they select the images
        for archive in source.archives:
            wanted = partial(dataset.wanted, source, root=root, into=archive.into)
            unpack(archives / archive.name, folder, wanted, sum(dataset.counts.values()))
    if faults := dataset.faults(folder):
        expected = f"this is not {dataset.name} ({dataset.version}), replace it"
        raise ValueError("\n".join(f"{source}: {fault}; {expected}" for fault in faults))
    _write_manifest(dataset, folder / manifest, [asdict(archive) for archive in source.archives])


def _write_manifest(dataset: Dataset, path: Path, source: str | list[dict[str, Any]]) -> None:
    about = {key: getattr(dataset, key) for key in ("name", "version", "licence", "citation")}
    write_manifest(path, {**about, "source": source})


def _refuse_foreign(dataset: Dataset, target: Path, manifest: str) -> None:
    """Raise ValueError if the directory to replace contains files that are not part of the dataset."""
    if not target.exists():
        return
    own = (manifest, f".{manifest}.*.part")
    files = (path.relative_to(target) for path in target.rglob("*") if path.is_symlink() or not path.is_dir())
    foreign = [
        file.as_posix()
        for file in files
        if not any(file.match(pattern) for pattern in own)
        and not any(path_matches(PurePosixPath(file), pattern) for pattern in dataset.counts)
    ]
    if foreign:
        more = f" and {len(foreign) - 3} more" if foreign[3:] else ""
        raise ValueError(
            f"{target}: would be replaced, but contains {', '.join(sorted(foreign)[:3])}{more}, not part of "
            f"{dataset.name}; {_MOVE}"
        )
    if not (target / manifest).exists() and any(target.iterdir()) and (faults := dataset.faults(target)):
        raise ValueError(f"{target}: would be replaced, but is not {dataset.name}: {faults[0]}; {_MOVE}")


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(prog="python -m seg.datasets.download", description=__doc__)
    parser.add_argument("--dataset", required=True, action="append", help="name of a file in seg/datasets/catalogue")
    parser.add_argument("--archives", type=Path, required=True, help="directory of archives and downloads")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--out", type=Path, help="manifest to write, in the dataset's directory")
    task.add_argument(
        "--check",
        type=Path,
        metavar="RAW",
        help="download nothing; report datasets that are neither in RAW nor available; --dataset may be repeated",
    )
    args = parser.parse_args()
    if args.check:
        if problems := missing(args.dataset, args.archives, args.check):
            raise ValueError("\n".join(problems))
    elif len(args.dataset) > 1:
        parser.error("--out requires exactly one --dataset")
    else:
        download_dataset(find_dataset(args.dataset[0]), args.archives, args.out)


if __name__ == "__main__":
    run_stage(main)
