"""Unpacking archives that nobody vouches for, and putting what they held in place as a whole."""

import lzma
import os
import re
import shutil
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, Self

_CHUNK = 1 << 20  # bytes held in memory at a time
_BAD_BYTES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)


class _Member(NamedTuple):
    name: str
    kind: str  # "file", "folder", or what else it is
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, into: Path, keep: Callable[[str], str | None]) -> int:
    """Unpack the files of a tar (of any compression) or zip archive; folders are made as files need them.

    Every member is checked before the first is written. A file that is there already is not overwritten. Memory does
    not grow with the files' sizes. On an error the caller removes what has been written.

    Args:
        archive: the archive; its kind is read from its content.
        into: folder to write to.
        keep: from a member's name (`a/b.png`) to its name below `into`, or `None` where it is not wanted.

    Returns:
        Number of files written.

    Raises:
        ValueError: a name leaves the folder or would on another system, a wanted member is neither file nor folder,
            two wanted ones fall on one name (one line each, all at once); or the archive is truncated or corrupt.
        OSError: as the disk says.
    """
    with _readable(archive):
        faults, targets = _judge(_members(archive), keep)
    if faults:
        raise ValueError("\n".join(f"{archive}: {fault}; do not use this archive" for fault in faults))
    with _readable(archive):
        for member in _members(archive):
            target = keep(_clean(member.name)) if member.kind == "file" else None
            if target is not None:
                _write(member, into / target)
    return len(targets)


def restore(folder: Path) -> None:
    """Undo what a run left that was killed while `replaced` put a new folder in the place of the old one."""
    if _old(folder).exists() and not folder.exists():
        _old(folder).rename(folder)


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new, empty folder beside `folder` that takes its place when the block ends well, and else is removed."""
    fresh, old = folder.with_name(f".{folder.name}.part"), _old(folder)
    shutil.rmtree(fresh, ignore_errors=True)  # what a killed run left
    try:
        fresh.mkdir(parents=True)
        yield fresh
        os.sync()  # in a power cut, no name may outlive the bytes that it stands for
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


def _judge(members: Iterable[_Member], keep: Callable[[str], str | None]) -> tuple[list[str], dict[str, str]]:
    """What is wrong with the members, a line each, and the wanted files by the name under which they would collide."""
    faults: list[str] = []
    targets: dict[str, str] = {}
    for member in members:
        if fault := _name_fault(member.name):
            faults.append(f"member {member.name!r} {fault}")
            continue
        target = keep(_clean(member.name))
        if target is None or member.kind == "folder":
            continue
        if member.kind != "file":
            faults.append(f"member {member.name!r} is {member.kind}, expected files and folders only")
            continue
        key = unicodedata.normalize("NFC", target).casefold()  # one name on a system that ignores case
        if key in targets:
            faults.append(f"member {member.name!r} falls on the same file as {targets[key]!r}")
        targets[key] = member.name
    for key, name in targets.items():
        for parent in PurePosixPath(key).parents:
            if str(parent) in targets:
                faults.append(f"member {name!r} lies below the file {targets[str(parent)]!r}")
    return faults, targets


def _name_fault(name: str) -> str | None:
    """Why a member's name is refused on every system, whichever it is unpacked on."""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if "\\" in name:
        return "has a backslash"
    if ".." in name.split("/"):
        return "climbs out by '..'"
    if not name.isprintable():
        return "has unprintable characters"
    return None


def _clean(name: str) -> str:
    """`./a//b/` as `a/b`."""
    return str(PurePosixPath(name))


def _write(member: _Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, target.open("xb") as file:
        shutil.copyfileobj(source, file, _CHUNK)


def _members(archive: Path) -> Iterator[_Member]:
    with archive.open("rb") as file:
        zipped = file.read(2) == b"PK"
    return _zip_members(archive) if zipped else _tar_members(archive)


class _StrictInfo(tarfile.TarInfo):
    """Refuses a broken or missing header where `tarfile` would silently take it for the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the end mark
                raise
            raise tarfile.ReadError(str(error)) from None


def _tar_members(archive: Path) -> Iterator[_Member]:
    with tarfile.open(archive, "r:*", tarinfo=_StrictInfo) as tar:
        while (info := tar.next()) is not None:
            kinds = {
                "file": info.isreg(),
                "folder": info.isdir(),
                "a symbolic link": info.issym(),
                "a hard link": info.islnk(),
            }
            kind = next((kind for kind, holds in kinds.items() if holds), "a device")
            yield _Member(info.name, kind, partial(_open_tarred, tar, info))
        while tar.fileobj is not None and tar.fileobj.read(_CHUNK):
            pass  # a compressed file's checksum stands at its very end


def _open_tarred(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = tar.extractfile(info)
    assert file is not None  # noqa: S101  # it is for what is neither file nor link
    return file


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            mode = info.external_attr >> 16  # Unix mode, 0 where another system packed it
            if info.is_dir():
                kind = "folder"
            elif stat.S_ISLNK(mode):
                kind = "a symbolic link"
            elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                kind = "a device"
            elif info.flag_bits & 1:
                kind = "encrypted"
            else:
                kind = "file"
            yield _Member(info.orig_filename, kind, partial(zipped.open, info))


@contextmanager
def _readable(archive: Path) -> Iterator[None]:
    """Turns what the readers raise on bad bytes into one line; the disk's own errors pass."""
    try:
        yield
    except _BAD_BYTES as error:
        if isinstance(error, OSError) and error.errno is not None:  # a decompressor's complaint has no number
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{archive}: truncated or corrupt ({reason}); delete it and get it anew") from None
