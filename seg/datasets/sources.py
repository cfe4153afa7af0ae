"""What a row of the table of data sets is: where the files come from, and how they are recognised.

A row has one or more sources, each complete by itself; the first that can be had is taken (see
`seg.datasets.download`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from seg.datasets.login import Login
from seg.system.fetch import Archive
from seg.system.files import sha256


@dataclass(frozen=True)
class Source:
    """Archives which together hold the whole data set.

    Attributes:
        archives: all are needed.
        prefix: leading folders of every member that are stripped, each may be a pattern (`*/CamVid`); members
            elsewhere are not unpacked.
    """

    archives: tuple[Archive, ...]
    prefix: str = ""

    def __str__(self) -> str:
        return " and ".join(archive.name for archive in self.archives)


@dataclass(frozen=True)
class Dataset:
    """A row of the table.

    Attributes:
        name: the data set's name and that of its folder.
        version: which edition it is.
        licence: what its owners allow.
        citation: what to cite.
        homepage: where a person reads about it and gets it.
        sources: alternatives, the preferred one first.
        counts: number of files by pattern (`train/*.png`; `*` stays within a folder); what matches none is not
            unpacked.
        digests: SHA-256 by pattern, of the listing of the matching files: a line `<sha256>  <name>` each, as
            `sha256sum` prints it, sorted by name.
        labels: by pattern of images, the name of an image's label, with `{}` for the image's stem: images without a
            label are not unpacked.
        access: what a person must do before the owners hand it out; `None` where it is open.
        login: how the archives are fetched once a person may have them; `None` where no login is needed.
    """

    name: str
    version: str
    licence: str
    citation: str
    homepage: str
    sources: tuple[Source, ...]
    counts: Mapping[str, int]
    digests: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    access: str | None = None
    login: Login | None = None

    def choose(self, folder: Path) -> Source:
        """The first source whose archives lie in `folder`, else the first of which what is missing can be fetched.

        The network is not asked: what has a URL, and a login where it needs one, counts as fetchable.

        Raises:
            ValueError: there is none; the message says what to get, from where, under which licence, where to put it.
        """
        lacking = [[a for a in source.archives if not (folder / a.name).exists()] for source in self.sources]
        for source, absent in zip(self.sources, lacking, strict=True):
            if not absent:
                return source
        if self.login is None or self.login.credentials():
            for source, absent in zip(self.sources, lacking, strict=True):
                if all(archive.urls for archive in absent):
                    return source
        choices = " or ".join(" and ".join(archive.name for archive in absent) for absent in lacking)
        access = f" ({self.access})" if self.access else ""
        login = f"; or, to have it fetched, {self.login}" if self.login else ""
        raise ValueError(
            f"{self.name}: get {choices} from {self.homepage}{access}, licence: {self.licence}, "
            f"put that into {folder} and run again{login}"
        )

    def missing(self, folder: Path) -> str | None:
        """Why the data set can neither be unpacked from `folder` nor fetched, in one line; `None` where it can."""
        try:
            self.choose(folder)
        except ValueError as error:
            return str(error)
        return None

    def wanted(self, source: Source, member: str, root: Path | None = None) -> str | None:
        """Name below the data set's folder of an archive's member, `None` where it is not to be unpacked.

        Args:
            source: the archive's.
            member: name in the archive.
            root: folder that holds the labels already: then only images that have one are wanted, else all but them.
        """
        parts, prefix = PurePosixPath(member).parts, PurePosixPath(source.prefix).parts
        if len(parts) <= len(prefix) or not all(map(fnmatchcase, parts, prefix)):
            return None
        inner = PurePosixPath(*parts[len(prefix) :])
        pattern = next((pattern for pattern in self.counts if _matches(inner, pattern)), None)
        if pattern is None or (pattern in self.labels) != (root is not None):
            return None
        if root is not None and not (root / self.labels[pattern].format(inner.stem)).exists():
            return None
        return str(inner)

    def faults(self, root: Path) -> list[str]:
        """In what the files below `root` differ from `counts` and `digests`, a line each; empty where they do not."""
        faults = []
        for pattern, expected in self.counts.items():
            count = sum(path.is_file() for path in root.glob(pattern))
            if count != expected:
                faults.append(f"{count} files {pattern}, expected {expected}")
        for pattern, expected_digest in self.digests.items():
            names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
            listing = "".join(f"{sha256(root / name)}  {name}\n" for name in names)
            digest = hashlib.sha256(listing.encode()).hexdigest()
            if digest != expected_digest:
                faults.append(f"SHA-256 over {pattern} is {digest}, expected {expected_digest}")
        return faults


def _matches(name: PurePosixPath, pattern: str) -> bool:
    parts = PurePosixPath(pattern).parts
    return len(name.parts) == len(parts) and all(map(fnmatchcase, name.parts, parts))
