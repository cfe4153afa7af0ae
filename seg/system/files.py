"""Files that are written whole or not at all, their digests, JSON, and locked directories."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)  # of flock(2) on file systems without locks, such as some NFS


def sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def full_disk_named(directory: Path) -> Iterator[None]:
    """Add the directory to the message of a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(f"{directory}: {error.strerror}; free some space and run again") from None


@contextmanager
def written_whole(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Yield temporary paths beside `paths`; rename them if the block succeeds, delete them otherwise.

    All are flushed to the disk before the first rename, so neither an exception, a full disk nor a power failure leaves
    a partial file under a final name. Temporary names are fixed, so the next run overwrites the files of a killed one.

    Raises:
        OSError: a file cannot be written; for a full disk, the message names the directory.
    """
    parts = tuple(path.with_name(f".{path.name}.part") for path in paths)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with full_disk_named(paths[0].parent):
            yield parts
            for part in parts:
                with part.open("rb+") as file:
                    os.fsync(file.fileno())
            for part, path in zip(parts, paths, strict=True):
                part.replace(path)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def restore(folder: Path) -> None:
    """Undo a replacement by `replaced` that was interrupted between its two renames."""
    if _old(folder).exists() and not folder.exists():
        _old(folder).rename(folder)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield a new, empty directory beside `folder`; it replaces `folder` if the block succeeds, else it is removed."""
    fresh, old = folder.with_name(f".{folder.name}.part"), _old(folder)
    shutil.rmtree(fresh, ignore_errors=True)  # of a killed run
    try:
        fresh.mkdir(parents=True)
        yield fresh
        os.sync()  # the files' content must reach the disk before their directory has its final name
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        restore(folder)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Lock a directory, created if missing, for this process alone.

    The lock is on the file `.lock` in the directory, so it also excludes other hosts if the file system supports locks.
    The file is deleted at the end. A killed process leaves it, without the lock; `.dvcignore` excludes it. On a file
    system without locks nothing is locked.

    Raises:
        ValueError: another process has locked the directory.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / ".lock"
    # Without the fallback of filelock to a lock that a killed process on another host would leave for ever.
    lock = FileLock(path, mode=0o666, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ValueError(f"{directory}: another process writes here; wait for it or stop it, then run again") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # before the release: filelock acquires no lock on a deleted file
        lock.release()


def write_text(path: Path, text: str) -> None:
    """Write `text` whole or not at all."""
    with written_whole(path) as (part,):
        part.write_text(text, encoding="utf-8")


def canonical_json(content: Any) -> str:
    """JSON in one line, the same for the same content: sorted keys, no spaces, NaN refused."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all. NaN is refused; write `None` for a missing value."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        ValueError: the file is not JSON; the message names it.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error}); delete it and run again") from None
