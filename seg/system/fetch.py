"""Fetching a file from the first mirror that delivers it: resumed where it broke, verified before it has its name."""

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3
from tqdm import tqdm

from seg.system.files import read_json, write_json

PASSING = (408, 425, 429, 500, 502, 503, 504)  # HTTP statuses after which the same request may succeed
_CHUNK = 1 << 16  # bytes; what a broken connection loses at most
_READ = 1 << 20  # bytes read at once to take a digest


@dataclass(frozen=True)
class Archive:
    """A file to have: fetched, or laid there by the user.

    Attributes:
        name: file name in the folder of archives.
        sha256: of the file, 64 hexadecimal digits; `None` where a host packs the same content to other bytes each
            time, or nobody whom we trust states it.
        urls: mirrors, in the order in which they are tried; none where the user lays the file there.
        md5: of the file, 32 hexadecimal digits, where its owners state it; verified beside `sha256`.
    """

    name: str
    sha256: str | None
    urls: tuple[str, ...] = ()
    md5: str | None = None

    @property
    def vouched(self) -> bool:
        """Whether a digest tells that a file is this one."""
        return bool(self.sha256 or self.md5)

    def fault(self, path: Path) -> str | None:
        """How the digests of the file at `path` differ from the expected ones; `None` where they do not."""
        expected = {kind: digest for kind in ("sha256", "md5") if (digest := getattr(self, kind))}
        found = {kind: hashlib.new(kind, usedforsecurity=False) for kind in expected}
        with path.open("rb") as file:
            while found and (block := file.read(_READ)):
                for digest in found.values():
                    digest.update(block)
        names = {"sha256": "SHA-256", "md5": "MD5"}
        faults = [
            f"{names[kind]} is {digest.hexdigest()}, expected {expected[kind]}"
            for kind, digest in found.items()
            if digest.hexdigest() != expected[kind]
        ]
        return " and ".join(faults) or None


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

    @property
    def timeout(self) -> tuple[float, float]:
        """As `requests` takes it."""
        return self.connect, self.read

    def wait(self, idle: int) -> None:
        """Pause after the `idle`-th request in a row that brought nothing, and shortly where the last one did."""
        time.sleep(self.pause * 2 ** max(idle - 1, 0))


class UndeliveredError(OSError):
    """No mirror delivers a file."""


class _BrokenError(Exception):
    """The transfer failed; another try may succeed."""


class _RefusedError(Exception):
    """This mirror does not have what is asked for."""


PATIENT = Patience()


def fetch(
    archive: Archive, folder: Path, patience: Patience = PATIENT, session: requests.Session | None = None
) -> None:
    """Fetch an archive into `folder` from the first mirror that delivers it.

    It grows under the name `<name>.part`, which a later call resumes, and is renamed once its length and digests hold.

    Args:
        archive: what to fetch.
        folder: where to put it.
        patience: how long a server is waited for.
        session: logged in at the host of the archive's URLs. Where one is given no redirect is followed, for it could
            carry the session's cookies elsewhere.

    Raises:
        UndeliveredError: no mirror delivers it, each with its reason.
        OSError: the disk's own.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive.name}.part"
    reasons = []
    for url in archive.urls:
        try:
            _fetch_from(url, archive, part, patience, session)
        except _RefusedError as reason:
            reasons.append(f"{public(url)}: {reason}")
            continue
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(folder / archive.name)
        _origin(part).unlink(missing_ok=True)
        return
    mend = f"run again to go on, or put the file into {folder} by hand"
    raise UndeliveredError(f"{archive.name}: no mirror delivers it ({'; '.join(reasons)}); {mend}")


def _fetch_from(url: str, archive: Archive, part: Path, patience: Patience, session: requests.Session | None) -> None:
    """Try one mirror until the archive is whole. Raises _RefusedError where it cannot be had there."""
    idle, most = 0, _size(part)
    while True:
        try:
            resumed = _request(url, archive, part, patience.timeout, session)
            if (fault := archive.fault(part)) is None:
                return
            _discard(part)
            reason = f"{fault}; what came is removed"
            if not resumed:  # else the parts may be of two different files: once more from the start
                raise _RefusedError(reason)
        except _BrokenError as error:
            reason = str(error)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = words(error)
        idle = 0 if _size(part) > most else idle + 1
        most = max(most, _size(part))
        if idle >= patience.tries:
            raise _RefusedError(reason)
        patience.wait(idle)


def _request(
    url: str, archive: Archive, part: Path, timeout: tuple[float, float], session: requests.Session | None
) -> bool:
    """One request for what is missing of `part`; true where it was resumed."""
    start, headers = _size(part), {"Accept-Encoding": "identity"}
    origin = read_json(_origin(part)) if _origin(part).exists() else {}
    validator = origin.get("validator") if origin.get("url") == public(url) else None
    if start and (validator or archive.vouched):  # without either, two different files might be joined
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    get = session.get if session else requests.get
    with get(url, headers=headers, stream=True, timeout=timeout, allow_redirects=session is None) as response:
        status, span = response.status_code, response.headers.get("Content-Range", "")
        if status == 416 and span == f"bytes */{start}":
            return True  # a run was killed between the last byte and the new name
        if status == 416 or (status == 206 and not span.startswith(f"bytes {start}-")):
            _discard(part)
            raise _BrokenError(f"HTTP {status} with the range '{span}', asked for from byte {start}")
        if status not in (200, 206):
            login = " in spite of the login" if session else ""
            raise (_BrokenError if status in PASSING else _RefusedError)(f"HTTP {status}{login}")
        if _is_page(response):
            raise _RefusedError("a web page, such as one to log in, came instead of the file")
        if status == 200:
            _discard(part)  # before its origin is written anew: no moment joins the one to the other
            weak = response.headers.get("ETag", "W/").startswith("W/")  # no use for If-Range (RFC 9110, 13.1.5)
            validator = response.headers.get("Last-Modified" if weak else "ETag")
            write_json(_origin(part), {"url": public(url), "validator": validator})
        _append(response, part, start if status == 206 else 0)
    return status == 206


def _is_page(response: requests.Response) -> bool:
    """Whether it is to be looked at; a script that hands out a file may forget to say its type, but names it."""
    kind, name = (response.headers.get(key, "") for key in ("Content-Type", "Content-Disposition"))
    return kind.startswith("text/html") and not name.startswith("attachment")


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


def public(url: str) -> str:
    """A URL without what may be a secret: user, password and query."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def words(error: Exception) -> str:
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
