"""Stage `download`: fetches a data set's archives, verifies and unpacks them and writes the manifest.

An archive that lies in the folder of archives is used instead of the network. What is fetched goes there too, so that
nothing is fetched twice; a broken transfer goes on where it stopped.
"""

import argparse
import os
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from seg.console import run_stage, say
from seg.data.archives import replaced, restore, unpack
from seg.data.datasets import Archive, Dataset, Source, dataset
from seg.data.manifest import write_manifest
from seg.files import full_disk_named, read_json, sha256, write_json

_CHUNK = 1 << 16  # bytes; what a broken connection loses at most
_PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses after which the same request may succeed


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        tries: requests in a row that bring nothing new before a mirror is given up.
        pause: seconds before the second of them; doubled before each further one.
        connect: seconds until a connection must stand.
        read: seconds without a byte after which a connection counts as broken.
    """

    tries: int = 4
    pause: float = 1.0
    connect: float = 20.0
    read: float = 60.0


class _BrokenError(Exception):
    """The transfer failed; another try may succeed."""


class _RefusedError(Exception):
    """This mirror does not have what is asked for."""


PATIENT = Patience()


def download(row: Dataset, archives: Path, out: Path, patience: Patience = PATIENT) -> None:
    """Put a data set into the folder of its manifest; that folder changes as a whole or not at all.

    Args:
        row: the data set.
        archives: folder where archives lie or are fetched to.
        out: the manifest to write; the data set's files are put beside it.
        patience: how long a server is waited for.

    Raises:
        ValueError: no source can be had, an archive is not what it should be, or the folder holds foreign files.
        OSError: no mirror delivers, or the disk is full.
    """
    target = out.parent.resolve()  # it may be a link to a larger disk
    restore(target)
    _refuse_foreign(row, target, out.name)
    source = row.choose(archives)
    lying = [archive for archive in source.archives if (archives / archive.name).exists()]
    for archive in lying:
        path = archives / archive.name
        if archive.sha256 and (got := sha256(path)) != archive.sha256:
            raise ValueError(f"{path}: SHA-256 is {got}, expected {archive.sha256}; delete the file or replace it")
    missing = [archive for archive in source.archives if archive not in lying]
    with full_disk_named(archives):
        for archive in missing:
            fetch(archive, archives, patience)
    try:
        with full_disk_named(target.parent), replaced(target) as fresh:
            _fill(row, source, archives, fresh, out.name)
    except ValueError as error:
        unvouched = [archives / archive.name for archive in missing if not archive.sha256]
        for path in unvouched:
            path.unlink()
        removed = [f"{path}: removed; run again to fetch it anew" for path in unvouched]
        raise ValueError("\n".join([str(error), *removed])) from None
    say(f"{row.name}: {sum(row.counts.values())} files from {source} in {out.parent}")


def _fill(row: Dataset, source: Source, archives: Path, folder: Path, manifest: str) -> None:
    """Unpack a source's archives into an empty folder, verify what they held and write the manifest."""
    for archive in source.archives:
        unpack(archives / archive.name, folder, partial(row.wanted, source))
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


def fetch(archive: Archive, folder: Path, patience: Patience = PATIENT) -> None:
    """Fetch an archive into `folder` from the first mirror that delivers it.

    It grows under the name `<name>.part`, which a later call resumes, and is renamed once its length and digest hold.

    Raises:
        OSError: no mirror delivers it, each with its reason; or the disk's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive.name}.part"
    reasons = []
    for url in archive.urls:
        try:
            _fetch_from(url, archive, part, patience)
        except _RefusedError as reason:
            reasons.append(f"{_public(url)}: {reason}")
            continue
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(folder / archive.name)
        _origin(part).unlink(missing_ok=True)
        return
    mend = f"run again to go on, or put the file into {folder} by hand"
    raise OSError(f"{archive.name}: no mirror delivers it ({'; '.join(reasons)}); {mend}")


def _fetch_from(url: str, archive: Archive, part: Path, patience: Patience) -> None:
    """Try one mirror until the archive is whole. Raises _RefusedError where it cannot be had there."""
    idle, most = 0, _size(part)
    while True:
        try:
            resumed = _request(url, archive, part, (patience.connect, patience.read))
            if not archive.sha256 or (got := sha256(part)) == archive.sha256:
                return
            _discard(part)
            reason = f"SHA-256 is {got}, expected {archive.sha256}; what came is removed"
            if not resumed:  # else the parts may be of two different files: once more from the start
                raise _RefusedError(reason)
        except _BrokenError as error:
            reason = str(error)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = _words(error)
        idle = 0 if _size(part) > most else idle + 1
        most = max(most, _size(part))
        if idle >= patience.tries:
            raise _RefusedError(reason)
        time.sleep(patience.pause * 2 ** max(idle - 1, 0))


def _request(url: str, archive: Archive, part: Path, timeout: tuple[float, float]) -> bool:
    """One request for what is missing of `part`; true where it was resumed."""
    start, headers = _size(part), {"Accept-Encoding": "identity"}
    origin = read_json(_origin(part)) if _origin(part).exists() else {}
    validator = origin.get("validator") if origin.get("url") == _public(url) else None
    if start and (validator or archive.sha256):  # without either, two different files might be joined
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        status, span = response.status_code, response.headers.get("Content-Range", "")
        if status == 416 and span == f"bytes */{start}":
            return True  # a run was killed between the last byte and the new name
        if status == 416 or (status == 206 and not span.startswith(f"bytes {start}-")):
            _discard(part)
            raise _BrokenError(f"HTTP {status} with the range '{span}', asked for from byte {start}")
        if status not in (200, 206):
            raise (_BrokenError if status in _PASSING else _RefusedError)(f"HTTP {status}")
        if status == 200:
            _discard(part)  # before its origin is written anew: no moment joins the one to the other
            weak = response.headers.get("ETag", "W/").startswith("W/")  # no use for If-Range (RFC 9110, 13.1.5)
            validator = response.headers.get("Last-Modified" if weak else "ETag")
            write_json(_origin(part), {"url": _public(url), "validator": validator})
        _append(response, part, start if status == 206 else 0)
    return status == 206


def _append(response: requests.Response, part: Path, start: int) -> None:
    """Write a response's body as it came over the wire to `part` from byte `start` on."""
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(total=total, initial=start, desc=part.stem, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))
    if total not in (None, _size(part)):  # urllib3 before 2 says nothing
        raise _BrokenError(f"{_size(part)} of {total} bytes came")


def _origin(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _origin(part).unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _public(url: str) -> str:
    """A URL without what may be a secret: user, password and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _words(error: Exception) -> str:
    """A network error in words of ours: the libraries' own repeat the URL with its secrets."""
    words = {
        requests.exceptions.Timeout: "no answer in time",
        requests.exceptions.SSLError: "its certificate is not trusted",
        requests.exceptions.ProxyError: "the proxy does not let it through",
        requests.exceptions.ConnectionError: "no connection, or it broke off",
        urllib3.exceptions.ReadTimeoutError: "no byte in time",
        urllib3.exceptions.ProtocolError: "the connection broke",
    }
    return next((text for kind, text in words.items() if isinstance(error, kind)), type(error).__name__)


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(prog="python -m seg.data.download", description=__doc__)
    parser.add_argument("--dataset", required=True, help="row of the table in seg/data/datasets.py")
    parser.add_argument("--archives", type=Path, required=True, help="folder where archives lie or are fetched to")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write, in the data set's folder")
    args = parser.parse_args()
    download(dataset(args.dataset), args.archives, args.out)


if __name__ == "__main__":
    run_stage(main)
