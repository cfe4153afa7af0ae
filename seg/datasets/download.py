"""Stage `download`: fetches a data set's archives, verifies and unpacks them and writes the manifest.

An archive that lies in the folder of archives is used instead of the network. What is fetched goes there too, so that
nothing is fetched twice; a broken transfer goes on where it stopped.
"""

import argparse
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path, PurePosixPath

from urllib3 import Retry

from seg.datasets.archives import replaced, restore, unpack
from seg.datasets.catalogue import dataset, missing
from seg.datasets.manifest import write_manifest
from seg.datasets.sources import Dataset, Source
from seg.system.console import run_stage, say
from seg.system.fetch import DEFAULT_RETRY, Archive, DownloadError, fetch
from seg.system.files import full_disk_named


def download(row: Dataset, archives: Path, out: Path, retry: Retry = DEFAULT_RETRY) -> None:
    """Put a data set into the folder of its manifest; that folder changes as a whole or not at all.

    Args:
        row: the data set.
        archives: folder where archives lie or are fetched to.
        out: the manifest to write; the data set's files are put beside it.
        retry: attempts per mirror.

    Raises:
        ValueError: no source can be had, a login is not accepted, an archive is not what it should be, or the folder
            holds foreign files.
        OSError: no mirror delivers, or the disk is full.
    """
    target = out.parent.resolve()  # it may be a link to a larger disk
    restore(target)
    _refuse_foreign(row, target, out.name)
    source = row.choose(archives)
    lying = [archive for archive in source.archives if (archives / archive.name).exists()]
    faults = [f"{path}: {fault}" for a in lying if (fault := a.fault(path := archives / a.name))]
    if faults:
        raise ValueError("\n".join(f"{fault}; delete the file or replace it" for fault in faults))
    absent = [archive for archive in source.archives if archive not in lying]
    _fetch(row, absent, archives, retry)
    try:
        with full_disk_named(target.parent), replaced(target) as fresh:
            _fill(row, source, archives, fresh, out.name)
    except ValueError as error:
        unvouched = [archives / archive.name for archive in absent if not archive.has_digest]
        for path in unvouched:
            path.unlink()
        removed = [f"{path}: removed; run again to fetch it anew" for path in unvouched]
        raise ValueError("\n".join([str(error), *removed])) from None
    say(f"{row.name}: {sum(row.counts.values())} files from {source} in {out.parent}")


def _fetch(row: Dataset, absent: list[Archive], archives: Path, retry: Retry) -> None:
    """Fetch what is absent, all in one session where the row needs a login."""
    login = row.login.open(retry) if row.login and absent else nullcontext()
    with login as session, full_disk_named(archives):
        for archive in absent:
            try:
                fetch(archive, archives, retry, session)
            except DownloadError as error:
                raise OSError(f"{error}; it is part of {row.name}, {row.homepage}, licence: {row.licence}") from None


def _fill(row: Dataset, source: Source, archives: Path, folder: Path, manifest: str) -> None:
    """Unpack a source's archives into an empty folder, verify what they held and write the manifest."""
    for root in (None, folder) if row.labels else (None,):  # labels first: they tell which images are wanted
        for archive in source.archives:
            unpack(archives / archive.name, folder, partial(row.wanted, source, root=root))
    faults = [f"{source}: {fault}; not {row.name} ({row.version}), get it anew" for fault in row.faults(folder)]
    if faults:
        raise ValueError("\n".join(faults))
    about = {key: getattr(row, key) for key in ("name", "version", "licence", "citation")}
    write_manifest(folder / manifest, {**about, "source": [asdict(archive) for archive in source.archives]})


def _refuse_foreign(row: Dataset, target: Path, manifest: str) -> None:
    """The folder is replaced as a whole, so nothing may lie in it that is not the data set's."""
    known = {PurePosixPath(folder).parts[0] for folder in row.counts} | {manifest, f".{manifest}.part"}
    foreign = sorted(path.name for path in target.iterdir() if path.name not in known) if target.exists() else []
    if foreign:
        mend = "move that away or choose another --out"
        raise ValueError(f"{target}: would be replaced, but holds {', '.join(foreign)}, no part of {row.name}; {mend}")


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(prog="python -m seg.datasets.download", description=__doc__)
    parser.add_argument("--dataset", required=True, action="append", help="row of seg/datasets/catalogue.py")
    parser.add_argument("--archives", type=Path, required=True, help="folder where archives lie or are fetched to")
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--out", type=Path, help="manifest to write, in the data set's folder")
    task.add_argument(
        "--check",
        type=Path,
        metavar="RAW",
        help="fetch nothing, but tell which data sets neither have a folder below RAW nor can be had; --dataset may "
        "be given several times",
    )
    args = parser.parse_args()
    if args.check:
        if problems := missing(args.dataset, args.archives, args.check):
            raise ValueError("\n".join(problems))
    elif len(args.dataset) > 1:
        parser.error("--out takes one --dataset")
    else:
        download(dataset(args.dataset[0]), args.archives, args.out)


if __name__ == "__main__":
    run_stage(main)
