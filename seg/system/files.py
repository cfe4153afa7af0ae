"""Files that are written whole or not at all, their digests, JSON, and locked directories."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any

from filelock import FileLock, Timeout

_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP)  # of flock(2) on file systems without locks, such as some NFS
_PREFIX = 50  # characters of a file's name in the name of its private directory: names have at most 255 bytes
_LOCK = ".lock"
_OLD_AFTER = 86_400  # seconds: no process takes so long from creating a directory to locking it
_OLD = ".old"  # in the private directory of `replaced`: the directory that is replaced


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


def file_mode(path: Path) -> int | None:
    """Type and permissions of an existing path, `None` if there is none.

    Raises:
        OSError: a directory on the way may not be searched; from Python 3.14 on, `Path.exists` hides this.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None


def refuse_special(path: Path) -> None:
    """Raise ValueError if a path to write is neither free nor a file. A link to a file is fine: it is replaced."""
    if path.is_symlink() and path.readlink().is_relative_to("/proc"):  # /dev/stdout
        kind = "a link to an open file"
    elif (mode := file_mode(path)) is not None and not S_ISREG(mode):
        kind = "a directory" if S_ISDIR(mode) else "a device"
    else:
        return
    raise ValueError(f"{path}: is {kind}, expected the name of a file to write; give another name")


def refuse_picture(option: str, path: Path, overwrite: bool) -> None:
    """Raise ValueError if the PNG that an option names has another ending, is no file, or exists and must be kept."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"{option} {path}: expected a name that ends in .png; give another name")
    refuse_special(path)
    if path.exists() and not overwrite:
        raise ValueError(f"{option} {path}: exists; add --overwrite to replace it, or give another name")


@contextmanager
def written_whole(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Yield temporary paths on the file systems of `paths`; rename them if the block succeeds, delete them otherwise.

    All are flushed to the disk before the first rename, so neither an exception, a full disk nor a power failure leaves
    a partial file under a final name. A link or a hard link at a final name is replaced; its other name is unchanged.

    Raises:
        ValueError: a path is a directory or a device.
        OSError: a file cannot be written; for a full disk, the message names the directory.
    """
    for path in paths:
        refuse_special(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    with full_disk_named(paths[0].parent), ExitStack() as folders:
        parts = tuple(folders.enter_context(_private_folder(path)) / path.name for path in paths)
        yield parts
        for part in parts:
            with part.open("rb+") as file:
                os.fsync(file.fileno())
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """Yield a new, empty directory; it replaces `folder` if the block succeeds, else it is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _private_folder(folder) as private:
        fresh, old = private / folder.name, private / _OLD
        fresh.mkdir()
        yield fresh
        os.sync()  # the files' content must reach the disk before their directory has its final name
        try:
            if folder.exists():
                folder.rename(old)
            fresh.rename(folder)
        finally:
            _move_back(private, folder)


@contextmanager
def _private_folder(path: Path) -> Iterator[Path]:
    """Yield a new directory beside `path`, deleted at the end.

    Its name is random and only this user can write to it, so nobody can place a link where a file is written. It is
    locked, so that a later run can distinguish a running process from a killed one.
    """
    remove_leftovers(path)
    try:
        folder = Path(tempfile.mkdtemp(".part", f".{path.name[:_PREFIX]}.", path.parent))
    except OSError as error:
        error.filename = str(path.parent)  # the user knows no other name
        raise
    with ExitStack() as deleted:  # twice, since a signal may interrupt the first time
        deleted.callback(shutil.rmtree, folder, ignore_errors=True)
        deleted.callback(shutil.rmtree, folder, ignore_errors=True)
        deleted.callback(_empty, folder, _lock(folder))
        yield folder


def _empty(folder: Path, lock: FileLock) -> None:
    """Delete what is in a private directory and release its lock.

    The file of the lock is deleted after the release: NFS keeps a deleted file under another name while it is open, so
    that its directory cannot be deleted.
    """
    with ExitStack() as released, suppress(OSError):
        released.callback(lock.release)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK:
                path.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Delete the directories that killed processes have left beside `path`.

    These are the directories of this user with an unused lock, and empty ones without a lock that are older than a day:
    a process was killed before it created the lock or after it deleted it. On a file system without locks, directories
    with a lock are kept, since they may be in use. A replacement by `replaced` that was killed between its two renames
    is undone.
    """
    for folder in path.parent.glob(f".{escape(path.name[:_PREFIX])}.*.part"):
        with suppress(FileNotFoundError, Timeout):  # deleted meanwhile, or in use
            status = folder.lstat()
            if not S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            if (folder / _LOCK).is_file():
                lock = _lock(folder)
                if lock.is_locked:
                    _move_back(folder, path)
                    _empty(folder, lock)
                    shutil.rmtree(folder, ignore_errors=True)
            elif time.time() - status.st_mtime > _OLD_AFTER:
                with suppress(OSError):  # not empty: no directory of this package
                    folder.rmdir()


def _move_back(private: Path, folder: Path) -> None:
    if (private / _OLD).exists() and not folder.exists():
        (private / _OLD).rename(folder)


def _lock(directory: Path) -> FileLock:
    """Acquired lock on the file `.lock` in a directory; not acquired on a file system without locks.

    Raises:
        Timeout: another process has locked the directory.
    """
    # Without the fallback of filelock to a lock that a killed process on another host would leave for ever.
    lock = FileLock(directory / _LOCK, mode=0o666, fallback_to_soft=False)
    try:
        lock.acquire(blocking=False)
    except OSError as error:
        if isinstance(error, Timeout) or error.errno not in _NO_LOCKS:
            raise
    return lock


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
    try:
        lock = _lock(directory)
    except Timeout:
        raise ValueError(f"{directory}: another process writes here; wait for it or stop it, then run again") from None
    try:
        yield
    finally:
        (directory / _LOCK).unlink(missing_ok=True)  # before the release: filelock acquires no lock on a deleted file
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
