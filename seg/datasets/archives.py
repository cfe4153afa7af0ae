"""Extraction of untrusted tar and zip archives, and replacement of a directory as a whole."""

import errno
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Self

_Keep = Callable[[str], str | None]
_BAD_BYTES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)


def unpack(archive: Path, into: Path, keep: _Keep) -> int:
    """Extract files of a tar (with any compression) or zip archive; directories are created as files need them.

    All members are checked before the first is written. Existing files are not overwritten. Memory use does not depend
    on the files' sizes. After an error the caller removes what has been written.

    Args:
        archive: archive; its format is detected from its content.
        into: directory to write to.
        keep: maps a member's name (`a/b.png`) to its path below `into`, or to `None` to skip it.

    Returns:
        Number of files written.

    Raises:
        ValueError: the archive is truncated or corrupt; or names are unsafe on some system, members to extract are
            neither files nor directories, or two of them map to the same path: one line per error.
        OSError: from the file system.
    """
    with archive.open("rb") as file:
        zipped = file.read(2) == b"PK"
    try:
        return (_unpack_zip if zipped else _unpack_tar)(archive, into, keep)
    except _BAD_BYTES as error:
        if isinstance(error, OSError) and error.errno is not None:  # errors of decompressors have no number
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{archive}: truncated or corrupt ({reason}); delete it and download it again") from None


class _StrictInfo(tarfile.TarInfo):
    """Raises for a broken or missing header, which `tarfile` silently treats as the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):  # the end-of-archive block
                raise
            raise tarfile.ReadError(str(error)) from None


def _unpack_tar(archive: Path, into: Path, keep: _Keep) -> int:
    def place(info: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        if _tar_kind(info) != "file" or info.name not in targets:
            return None
        # Without mode and time, files get the user's defaults.
        info = info.replace(name=targets[info.name], mode=None, mtime=None, deep=False)  # type: ignore[arg-type]
        return tarfile.data_filter(info, path)

    with tarfile.open(archive, "r:*", tarinfo=_StrictInfo) as tar:
        targets = _checked(archive, into, ((info.name, _tar_kind(info)) for info in tar), keep)
        while tar.fileobj is not None and tar.fileobj.read(1 << 20):
            pass  # the checksum of a compressed file is at its end
        tar.extractall(into, filter=place)  # noqa: S202  # checked and filtered
    return len(targets)


def _tar_kind(info: tarfile.TarInfo) -> str:
    special = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}
    return "file" if info.isreg() else "directory" if info.isdir() else special.get(info.type, "a device")


def _unpack_zip(archive: Path, into: Path, keep: _Keep) -> int:
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        targets = _checked(archive, into, ((info.orig_filename, _zip_kind(info)) for info in members), keep)
        for info in members:
            if _zip_kind(info) == "file" and info.orig_filename in targets:
                info.filename = targets[info.orig_filename]
                zipped.extract(info, into)
    return len(targets)


def _zip_kind(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16  # Unix mode; 0 if packed on another system
    if info.is_dir():
        return "directory"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return "a symbolic link" if stat.S_ISLNK(mode) else "a device"
    return "encrypted" if info.flag_bits & 1 else "file"


def _checked(archive: Path, into: Path, members: Iterable[tuple[str, str]], keep: _Keep) -> dict[str, str]:
    """Paths below `into` of the files to extract, by member name.

    Stricter than `tarfile.data_filter` and `zipfile`, which strip or rename: refuses names that are unsafe on any
    system, and names that are equal on a file system that ignores case.
    """
    faults: list[str] = []
    targets: dict[str, str] = {}
    names: dict[str, str] = {}  # by path, as compared by a file system that ignores case
    for name, kind in members:
        if fault := _name_fault(name):
            faults.append(f"member {name!r} {fault}")
            continue
        target = keep(str(PurePosixPath(name)))
        if target is None or kind == "directory":
            continue
        if kind != "file":
            faults.append(f"member {name!r} is {kind}, expected only files and directories")
            continue
        key = unicodedata.normalize("NFC", target).casefold()
        if key in names:
            faults.append(f"member {name!r} has the same path as {names[key]!r}")
        names[key], targets[name] = name, target
    for key, name in names.items():
        parents = (names.get(str(parent)) for parent in PurePosixPath(key).parents)
        faults += [f"member {name!r} is below the file {parent!r}" for parent in parents if parent is not None]
    if faults:
        raise ValueError("\n".join(f"{archive}: {fault}; do not use this archive" for fault in faults))
    for target in targets.values():
        if (into / target).exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(into / target))
    return targets


def _name_fault(name: str) -> str | None:
    """Why a member's name is unsafe on some system; `None` if it is safe everywhere."""
    faults = {
        "is an absolute path": name.startswith("/") or re.match(r"[A-Za-z]:", name),
        "has a backslash": "\\" in name,
        "contains '..'": ".." in name.split("/"),
        "has unprintable characters": not name.isprintable(),
    }
    return next((fault for fault, found in faults.items() if found), None)
