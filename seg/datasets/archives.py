"""Extraction of untrusted tar and zip archives, and replacement of a directory as a whole."""

import bz2
import errno
import gzip
import lzma
import os
import re
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

_Keep = Callable[[str], str | None]
# Limits of untrusted archives. Images hardly shrink when they are compressed, and few files have less than 512 bytes.
_RATIO = 200  # bytes of content per byte of the archive
_SMALL = 100_000_000  # bytes that every archive may contain
_MEMBER = 512  # bytes of the archive per member
_FEW = 20_000  # members that every archive may have
_READ = 1 << 18  # bytes: `tarfile` reads more at once only of extended headers, which it keeps in memory
_DECOMPRESSORS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}  # by the first bytes of a file
_BAD_BYTES = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError)


def unpack(archive: Path, into: Path, keep: _Keep, most: int | None = None) -> int:
    """Extract files of a tar (with any compression) or zip archive; directories are created as files need them.

    All members are checked before the first is written. Existing files are not overwritten. Memory use does not depend
    on the files' sizes. After an error the caller removes what has been written.

    Args:
        archive: archive; its format is detected from its content.
        into: directory to write to.
        keep: maps a member's name (`a/b.png`) to its path below `into`, or to `None` to skip it.
        most: number of files to extract at most.

    Returns:
        Number of files written.

    Raises:
        ValueError: the archive is truncated or corrupt; it contains more files than `most`, or more members or bytes
            than is plausible for its size; or names are unsafe on some system, members to extract are
            neither files nor directories, or two of them map to the same path: one line per error.
        OSError: from the file system.
    """
    with archive.open("rb") as file:
        zipped = file.read(2) == b"PK"
    try:
        return (_unpack_zip if zipped else _unpack_tar)(archive, into, keep, most)
    except _BAD_BYTES as error:
        if isinstance(error, OSError) and error.errno is not None:  # errors of decompressors have no number
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{archive}: truncated or corrupt ({reason}); delete it and download it again") from None


class _TarStream:
    """Content of a tar archive without its compression, for `tarfile`, which reads each block of 512 bytes by itself.

    Attributes:
        block: what was read last. `tarfile` takes a broken or missing header for the end of the archive; only if it has
            read a block of zeros, this is the end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.seek, self.tell = stream, stream.seek, stream.tell
        self.block = b""

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes. Raises ReadError for an extended header that would take too much memory."""
        if size > _READ:
            raise tarfile.ReadError(f"an extended header of more than {_READ} bytes")
        self.block = self._stream.read(size)
        return self.block


class _Content:
    """Counts members and bytes of an archive. Raises ValueError if they are not plausible for its size."""

    def __init__(self, archive: Path) -> None:
        self.archive, self.size = archive, archive.stat().st_size
        self.members = self.bytes = 0

    def add(self, size: int, members: int = 1) -> None:
        """Count a member of this size, or bytes without a member."""
        self.members += members
        self.bytes += size
        for count, most, what in (
            (self.members, _FEW + self.size // _MEMBER, "members"),
            (self.bytes, _SMALL + self.size * _RATIO, "bytes"),
        ):
            if count > most:
                raise ValueError(
                    f"{self.archive}: {self.size} bytes contain more than {most} {what}, which is not plausible for a"
                    " dataset; do not use this archive"
                )


def _unpack_tar(archive: Path, into: Path, keep: _Keep, most: int | None) -> int:
    content = _Content(archive)

    def members(tar: tarfile.TarFile) -> Iterator[tuple[str, str]]:
        for info in tar:
            content.add(info.size)
            yield info.name, _tar_kind(info)

    def place(info: tarfile.TarInfo, path: str) -> tarfile.TarInfo | None:
        if _tar_kind(info) != "file" or info.name not in targets:
            return None
        # Without mode and time, files get the user's defaults.
        info = info.replace(name=targets[info.name], mode=None, mtime=None, deep=False)  # type: ignore[arg-type]
        return tarfile.data_filter(info, path)

    with _opened(archive) as file:
        stream = _TarStream(file)
        with tarfile.open(fileobj=cast(BinaryIO, stream), mode="r:") as tar:
            targets = _checked(archive, into, members(tar), keep, most)
            if stream.block != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("no valid header" if stream.block else "no end of the archive")
            while rest := stream.read(_READ):
                content.add(len(rest), members=0)  # the checksum of a compressed file is at its end
            tar.extractall(into, filter=place)  # noqa: S202  # checked and filtered
    return len(targets)


def _opened(archive: Path) -> BinaryIO:
    """The content of an archive, decompressed."""
    with archive.open("rb") as file:
        start = file.read(6)
    opened: Callable[..., Any] = next((each for magic, each in _DECOMPRESSORS.items() if start.startswith(magic)), open)
    return cast(BinaryIO, opened(archive, "rb"))


def _tar_kind(info: tarfile.TarInfo) -> str:
    special = {tarfile.SYMTYPE: "a symbolic link", tarfile.LNKTYPE: "a hard link"}
    return "file" if info.isreg() else "directory" if info.isdir() else special.get(info.type, "a device")


def _unpack_zip(archive: Path, into: Path, keep: _Keep, most: int | None) -> int:
    content = _Content(archive)
    with zipfile.ZipFile(archive) as zipped:
        members = zipped.infolist()
        for info in members:
            content.add(info.file_size)
        targets = _checked(archive, into, ((info.orig_filename, _zip_kind(info)) for info in members), keep, most)
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


def _checked(
    archive: Path, into: Path, members: Iterable[tuple[str, str]], keep: _Keep, most: int | None
) -> dict[str, str]:
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
    if most is not None and len(targets) > most:
        faults = [f"contains {len(targets)} files of the dataset, expected at most {most}"]
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
