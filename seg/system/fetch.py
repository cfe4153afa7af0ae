"""Download of files from mirrors: retried, resumed, and verified before they get their final names."""

import hashlib
import logging
import os
import stat
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3 import Retry
from urllib3.exceptions import HTTPError, MaxRetryError, ProxyError, ReadTimeoutError, SSLError

from seg.system.files import read_json, write_json

DEFAULT_RETRY = Retry(
    3,
    allowed_methods=None,  # all
    status_forcelist=(408, 425, 429, 500, 502, 503, 504),
    backoff_factor=1.0,
    raise_on_status=False,
    respect_retry_after_header=False,  # a server could ask for hours
)
TIMEOUT = (20.0, 60.0)  # seconds to connect, and seconds without data
_CHUNK = 1 << 16  # bytes written at a time; a broken connection loses at most this many
_Get = Callable[..., requests.Response]

logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings about retries contain URLs with their secrets


@dataclass(frozen=True)
class Archive:
    """A file that is downloaded, or that the user provides.

    Attributes:
        name: file name in the directory of archives.
        sha256: 64 hexadecimal digits; `None` if it is not known, or if the host's packing of the same content varies.
        urls: mirrors, in the order in which they are tried; empty if the user must provide the file.
        md5: 32 hexadecimal digits; `None` if it is not known. Both digests are verified.
        into: directory for the files of the archive, in place of their own ones; empty: their own ones.
    """

    name: str
    sha256: str | None
    urls: tuple[str, ...] = ()
    md5: str | None = None
    into: str = ""

    @property
    def has_digest(self) -> bool:
        """Whether the content can be verified."""
        return bool(self.sha256 or self.md5)

    def fault(self, path: Path) -> str | None:
        """How the digests of the file at `path` differ from the expected ones; `None` if they do not."""
        if not path.is_file():  # a pipe has no end
            return "is a directory or a device, expected a file"
        faults = []
        for kind, title in (("sha256", "SHA-256"), ("md5", "MD5")):
            if expected := getattr(self, kind):
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, partial(hashlib.new, kind, usedforsecurity=False))
                if found.hexdigest() != expected:
                    faults.append(f"{title} is {found.hexdigest()}, expected {expected}")
        return " and ".join(faults) or None


def retrying_session(retry: Retry) -> requests.Session:
    """Session that retries requests until a response begins."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


class DownloadError(OSError):
    """A file cannot be downloaded from any mirror."""


class _MirrorError(Exception):
    """A mirror does not have the requested file."""


def fetch_archive(
    archive: Archive,
    folder: Path,
    retry: Retry = DEFAULT_RETRY,
    session: requests.Session | None = None,
    timeout: tuple[float, float] = TIMEOUT,
) -> None:
    """Download an archive into `folder` from the first mirror that has it.

    The data is written to `<name>.part`, which a later call resumes, and renamed once length and digests are verified.

    Args:
        archive: file to download.
        folder: directory to write to.
        retry: attempts per mirror; the count restarts when data arrives.
        session: session that is logged in at the host of the archive's URLs. Redirects are then not followed, as they
            could send its cookies to another host.
        timeout: seconds to connect, and seconds without data after which the connection is closed.

    Raises:
        DownloadError: no mirror has the file; the message gives the reason of each.
        OSError: from the file system.
    """
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{archive.name}.part"
    reasons = []
    with nullcontext(session) if session else retrying_session(retry) as client:
        get = partial(client.get, stream=True, timeout=timeout, allow_redirects=session is None)
        for url in archive.urls:
            try:
                _fetch_from(url, archive, part, retry, get)
            except (_MirrorError, requests.RequestException, HTTPError) as error:
                reason = describe_error(error)
                login = " despite the login" if session and reason.startswith("HTTP") else ""
                reasons.append(f"{without_credentials(url)}: {reason}{login}")
                continue
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.replace(folder / archive.name)
            _source(part).unlink(missing_ok=True)
            return
    fix = f"run again to resume, or put the file into {folder} by hand"
    raise DownloadError(f"{archive.name}: download failed ({'; '.join(reasons)}); {fix}")


def _fetch_from(url: str, archive: Archive, part: Path, retry: Retry, get: _Get) -> None:
    """Request the rest of the archive from one mirror until `part` is complete.

    `requests` retries only until a response begins; an interrupted body is resumed here.
    """
    left, most = retry, _size(part)
    while True:
        try:
            resumed = _request(url, archive, part, get)
        except HTTPError as error:
            left = retry if _size(part) > most else left.increment("GET", error=error)
            most = max(most, _size(part))
            left.sleep()
            continue
        if (fault := archive.fault(part)) is None:
            return
        _discard(part)
        if not resumed:  # else the two parts may be from different files: start again
            raise _MirrorError(f"{fault}; the download is deleted")


def _request(url: str, archive: Archive, part: Path, get: _Get) -> bool:
    """Request the rest of `part`, or the whole file if the mirror cannot resume it. Returns whether it was resumed."""
    start, headers = _size(part), {"Accept-Encoding": "identity"}
    source = read_json(_source(part)) if _source(part).exists() else {}
    validator = source.get("validator") if source.get("url") == without_credentials(url) else None
    if start and (validator or archive.has_digest):  # without either, parts of two files could be combined
        headers["Range"] = f"bytes={start}-"
        if validator:
            headers["If-Range"] = validator
    with get(url, headers=headers) as response:
        status, span = response.status_code, response.headers.get("Content-Range", "")
        if status == 416 and span == f"bytes */{start}":
            return True  # complete; an earlier run was killed before the rename
        usable = status == 200 or (status == 206 and span.startswith(f"bytes {start}-"))
        if status in (206, 416) and start and not usable:
            _discard(part)
            return _request(url, archive, part, get)
        if not usable:
            raise _MirrorError(f"HTTP {status}")
        kind, name = (response.headers.get(key, "") for key in ("Content-Type", "Content-Disposition"))
        if kind.startswith("text/html") and not name.startswith("attachment"):  # scripts send files as HTML attachments
            raise _MirrorError("got a web page, possibly a login form, instead of the file")
        if status == 200:
            _discard(part)  # before the new validator is written, so that a crash cannot pair old bytes with it
            weak = response.headers.get("ETag", "W/").startswith("W/")  # not valid in If-Range (RFC 9110, 13.1.5)
            validator = response.headers.get("Last-Modified" if weak else "ETag")
            write_json(_source(part), {"url": without_credentials(url), "validator": validator})
        _append(response, part, start if status == 206 else 0)
    return status == 206


def _append(response: requests.Response, part: Path, start: int) -> None:
    """Write the undecoded body of a response to `part`, starting at byte `start`."""
    length = response.headers.get("Content-Length")
    total = start + int(length) if length else None
    with (
        open(part, "ab", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW, 0o666)) as file,
        tqdm(total=total, initial=start, desc=part.stem, unit="B", unit_scale=True, disable=None) as bar,
    ):
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            file.write(chunk)
            bar.update(len(chunk))


def _source(part: Path) -> Path:
    """File with the URL and the validator of the data in `part`."""
    return part.with_name(f"{part.name}.json")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _source(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    """Bytes that can be resumed. Anything else under this name, such as a link to another file, is deleted first."""
    if not os.path.lexists(part):
        return 0
    status = part.lstat()
    if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 and status.st_uid == os.geteuid():
        return status.st_size
    _discard(part)
    return 0


def without_credentials(url: str) -> str:
    """URL without user, password, query and fragment, which may be secret."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def describe_error(error: Exception) -> str:
    """Short description of an error of `requests` or `urllib3`, whose messages contain the URL with its secrets."""
    if isinstance(error, _MirrorError):
        return str(error)
    cause = error.args[0] if isinstance(error, requests.RequestException) and error.args else error
    cause = cause.reason if isinstance(cause, MaxRetryError) else cause
    texts = {
        ReadTimeoutError: "no response in time",
        SSLError: "the certificate is not trusted",
        ProxyError: "the proxy refused the connection",
        HTTPError: "no connection, or it was interrupted",
    }
    return next((text for kind, text in texts.items() if isinstance(cause, kind)), type(error).__name__)
