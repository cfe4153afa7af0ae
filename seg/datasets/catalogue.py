"""Datasets that can be downloaded: `origin` of the descriptions in `seg/datasets/catalogue/<name>.yaml`.

A dataset has one or more sources, each of them complete. `seg.datasets.download` uses the first available one.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import field
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from seg.config.description import catalogue_rows, downloadable
from seg.datasets.login import Login
from seg.system.console import nearest_of_all
from seg.system.fetch import Archive
from seg.system.files import sha256

_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_STRICT)
class Source:
    """Archives that together contain the dataset.

    Attributes:
        archives: archives, all of which are required.
        prefix: leading directories that are removed from members' names, possibly patterns (`*/CamVid`); other members
            are not extracted.
    """

    archives: tuple[Archive, ...]
    prefix: str = ""

    def __str__(self) -> str:
        return " and ".join(archive.name for archive in self.archives)


@dataclass(frozen=True, config=_STRICT)
class Dataset:
    """Description of a dataset.

    Attributes:
        name: name of the dataset and of its directory.
        version: release of the dataset.
        licence: terms of use.
        citation: publication to cite.
        homepage: web page of the owners.
        sources: alternatives, in order of preference.
        counts: number of files by pattern (`train/*.png`; `*` does not match `/`); other files are not extracted.
        digests: SHA-256 by pattern, over one line `<sha256>  <name>` per matching file, as printed by `sha256sum`,
            sorted by name.
        labels: name of the label by pattern of images, with `{}` for the stem of the image; images without a label are
            not extracted.
        access: how to get access from the owners; `None` if access is open.
        login: login that downloads require; `None` if they require none.
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
        """First source whose archives are all in `folder`, else the first whose missing archives can be downloaded.

        Does not use the network: an archive can be downloaded if it has a URL and, if required, a login is configured.

        Raises:
            ValueError: there is none; the message says which archives to get, from where, and where to put them.
        """
        absent = [
            [archive for archive in source.archives if not (folder / archive.name).exists()] for source in self.sources
        ]
        for source, archives in zip(self.sources, absent, strict=True):
            if not archives:
                return source
        if self.login is None or self.login.credentials():
            for source, archives in zip(self.sources, absent, strict=True):
                if all(archive.urls for archive in archives):
                    return source
        choices = " or ".join(str(Source(tuple(archives))) for archives in absent)
        access = f" ({self.access})" if self.access else ""
        login = f"; or, for an automatic download, {self.login}" if self.login else ""
        raise ValueError(
            f"{self.name}: get {choices} from {self.homepage}{access}, licence: {self.licence}, "
            f"put them into {folder} and run again{login}"
        )

    def wanted(self, source: Source, member: str, root: Path | None = None, into: str = "") -> str | None:
        """Path of an archive's member in the dataset's directory; `None` if the member is not extracted.

        Args:
            source: source of the archive.
            member: name in the archive.
            root: directory with extracted labels, to select only the images that have one; `None` to select all other
                files.
            into: see `seg.system.fetch.Archive`.
        """
        parts, prefix = PurePosixPath(member).parts, PurePosixPath(source.prefix).parts
        inner = PurePosixPath(into, *(parts[-1:] if into else parts[len(prefix) :]))
        pattern = next((pattern for pattern in self.counts if path_matches(inner, pattern)), None)
        if pattern is None or not all(map(fnmatchcase, parts, prefix)):
            return None
        label = self.labels.get(pattern)
        has_label = label is not None and root is not None and (root / label.format(inner.stem)).exists()
        return str(inner) if has_label or (label is None and root is None) else None

    def miscounted(self, root: Path) -> list[str]:
        """Differences of the files in `root` from `counts`, one line each."""
        counts = {pattern: sum(path.is_file() for path in root.glob(pattern)) for pattern in self.counts}
        return [
            f"got {counts[pattern]} files {pattern}, expected {expected}"
            for pattern, expected in self.counts.items()
            if counts[pattern] != expected
        ]

    def is_extracted(self, root: Path) -> bool:
        """Whether a user has extracted the dataset to `root`; its content is not compared."""
        return root.is_dir() and not self.miscounted(root)

    def faults(self, root: Path) -> list[str]:
        """Differences of the files in `root` from `counts` and `digests`, one line each."""
        faults = self.miscounted(root)
        for pattern, expected_digest in self.digests.items():
            names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
            listing = "".join(f"{sha256(root / name)}  {name}\n" for name in names)
            digest = hashlib.sha256(listing.encode()).hexdigest()
            if digest != expected_digest:
                faults.append(f"SHA-256 of {pattern} is {digest}, expected {expected_digest}")
        return faults


def path_matches(name: PurePosixPath, pattern: str) -> bool:
    """Whether a path has the parts of a pattern."""
    parts = PurePosixPath(pattern).parts
    return len(name.parts) == len(parts) and all(map(fnmatchcase, name.parts, parts))


DATASETS: dict[str, Dataset] = {name: Dataset(name=name, **catalogue_rows(name)["origin"]) for name in downloadable()}


def find_dataset(name: str) -> Dataset:
    """Dataset of the catalogue. Raises ValueError for an unknown name, with the nearest known one."""
    if name in DATASETS:
        return DATASETS[name]
    raise ValueError(f"dataset '{name}' is unknown; {nearest_of_all(name, DATASETS)}")


def missing(names: Iterable[str], archives: Path, raw: Path) -> list[str]:
    """One line per dataset that is neither in its directory below `raw` nor available, see `Dataset.choose`.

    Uses neither the network nor the archives' content, so it is fast enough to run before any job starts.
    """
    problems = []
    for name in names:
        folder = raw / name
        try:
            if not (folder / "manifest.json").exists():
                find_dataset(name).choose(archives)
        except ValueError as error:
            if not (name in DATASETS and DATASETS[name].is_extracted(folder)):
                problems.append(f"{error}{_incomplete(name, folder)}")
    return problems


def _incomplete(name: str, folder: Path) -> str:
    """What is missing in a directory that a user has extracted a part of the dataset to."""
    if name not in DATASETS or not folder.is_dir() or not any(folder.iterdir()):
        return ""
    fault = DATASETS[name].miscounted(folder)[0]
    return f"; or, if the files in {folder} are your selection ({fault}), give them another name, with layout: {name}"
