"""Which files of a directory are images and which are their labels, as two patterns of a description."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from itertools import combinations, product
from pathlib import PurePosixPath

from seg.config.description import Description
from seg.config.description_values import PLACEHOLDER
from seg.datasets.patterns import ENDINGS

SPLIT_NAMES = Description().splits.names
LABEL_WORDS = re.compile(
    r"mask|label|annot|truth|target|segm|matte|gtfine|gtcoarse|(?<![a-z])(gt|seg|ann)(?![a-z])", re.IGNORECASE
)
_INSTANCES = re.compile(r"instance|object|panoptic", re.IGNORECASE)
_BY_NAME = {name: split for split, names in SPLIT_NAMES.items() for name in names}
SPLIT_WORD = re.compile(
    rf"(?<![a-z])({'|'.join(sorted(_BY_NAME, key=len, reverse=True))})(?=sets?(?![a-z])|(?![a-z]))", re.IGNORECASE
)
_TAIL = re.compile(r"(?:[_. -]|(?<=\d)(?=[A-Za-z]))(?=[^_. -]*[A-Za-z])[^_. -]+$")  # such as _mask, or the m of 12m
_LEAD = re.compile(r"^[A-Za-z]+[_ -]?(?=.)")  # such as mask_
_MOST_PATTERNS = 40  # of images and of labels that are tried, those of most files first
_COMMON = 0.1  # share of the files of a pattern with the same tail or lead, which may be one of its kinds of files
_WORTH = 0.1  # share of the best number of pairs, above which words such as mask decide

_Key = tuple[str, str, str]  # split, directories and rest of the name


class FileKind:
    """Files that one pattern matches.

    Attributes:
        pattern: see `seg.config.description.Description`.
        files: file by the split, the directories of `**` and the name that the pattern finds in it.
        fixed: what stands before or after the name within the file's name, such as `_mask`.
    """

    def __init__(self, pattern: str, files: dict[_Key, str], fixed: tuple[str, str] = ("", "")) -> None:
        self.pattern, self.files, self.fixed = pattern, files, fixed
        self.words = PLACEHOLDER.sub("", pattern)
        self.divided, self.nested = "{split}" in pattern, "**/" in pattern
        self.any_image = pattern.endswith(".*")
        self._names: dict[tuple[bool, bool], set[_Key]] = {}

    @cached_property
    def paths(self) -> set[str]:
        """Names of the files."""
        return set(self.files.values())

    def names(self, divided: bool, nested: bool) -> set[_Key]:
        """Names, without the split or the directories if the other kind of file has none; empty if two are equal."""
        if (divided, nested) not in self._names:
            found = {(split if divided else "", parent if nested else "", name) for split, parent, name in self.files}
            self._names[divided, nested] = found if len(found) == len(self.files) else set()
        return self._names[divided, nested]

    def variants(self) -> Iterator["FileKind"]:
        """The kind itself, and those of its files whose names end or begin in the same way."""
        yield self
        ends: list[Callable[[str], Iterable[tuple[str, str]]]] = [_tails, _leads, _both]
        for fixed in ends:
            found = Counter(each for *_, name in self.files for each in fixed(name))
            for (lead, tail), count in found.most_common(6):
                if count >= max(2, _COMMON * len(self.files)):
                    inner = slice(len(lead), -len(tail) or None)
                    files = {
                        (split, parent, name[inner]): file
                        for (split, parent, name), file in self.files.items()
                        if name.startswith(lead) and name.endswith(tail) and len(name) > len(lead + tail)
                    }
                    yield FileKind(self.pattern.replace("{stem}", f"{lead}{{stem}}{tail}"), files, (lead, tail))

    def without(self, others: "FileKind") -> "FileKind | None":
        """The files that are none of `others`; `None` if a pattern cannot tell them apart."""
        if self.paths.isdisjoint(others.paths):
            return self
        lead, tail = others.fixed
        if self.fixed != ("", "") or not LABEL_WORDS.search(lead + tail):
            return None
        other = f"(?!{re.escape(lead)})[^/]+" if lead else f"(?:(?!{re.escape(tail)}[.])[^/])+"
        files = {key: file for key, file in self.files.items() if file not in others.paths}
        return FileKind(self.pattern.replace("{stem}", f"{{stem:{other}}}"), files)


def _tails(name: str) -> Iterator[tuple[str, str]]:
    """The last one, two or three parts of a name."""
    start = len(name)
    for _ in range(3):
        if not (match := _TAIL.search(name[:start])) or match.start() == 0:
            return
        start = match.start()
        yield "", name[start:]


def _leads(name: str) -> Iterator[tuple[str, str]]:
    if match := _LEAD.match(name):
        yield match[0], ""


def _both(name: str) -> Iterator[tuple[str, str]]:
    yield from ((lead, tail) for lead, _ in _leads(name) for _, tail in _tails(name.removeprefix(lead)))


def file_kinds(files: Iterable[str], endings: Iterable[str]) -> list[FileKind]:
    """Kinds of the files with these endings, those of most files first."""
    known = frozenset(endings)
    images = known & set(ENDINGS)
    found: dict[str, dict[_Key, str]] = {}
    several: dict[str, set[str]] = {}
    for file in files:
        path = PurePosixPath(unicodedata.normalize("NFC", file))
        ending = path.suffix[1:].lower()
        if ending not in known:
            continue
        for place, split, parent in _places(path.parts[:-1]):
            several.setdefault(place, set()).add(ending)
            for each in (ending, "*") if ending in images else (ending,):
                found.setdefault(f"{place}{{stem}}.{each}", {})[split, parent, path.stem] = file
        if len(path.parts) > 1:  # a directory for each image
            place = "/".join([*path.parts[:-2], "{stem}", path.name])
            found.setdefault(place, {})["", "", path.parts[-2]] = file
    kinds = [
        FileKind(pattern, members)
        for pattern, members in found.items()
        if ("{stem}/" not in pattern or len(members) > 1)
        and (not pattern.endswith(".*") or len(several[pattern.removesuffix("{stem}.*")]) > 1)
    ]
    return sorted(kinds, key=lambda kind: (-len(kind.files), kind.pattern))


def _places(folders: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Patterns of a file's directories, with its split and the directories that `**` stands for."""
    yield "".join(f"{folder}/" for folder in folders), "", ""
    words = {word.lower() for folder in folders for word in SPLIT_WORD.findall(folder)}
    split, parts = "", folders
    if len(words) == 1:
        split = _BY_NAME[words.pop()]
        parts = tuple(SPLIT_WORD.sub("{split}", folder) for folder in folders)
        yield "".join(f"{part}/" for part in parts), split, ""
    for start, end in combinations(range(len(parts) + 1), 2):
        if "{split}" not in "/".join(parts[start:end]):
            fixed = ["".join(f"{part}/" for part in some) for some in (parts[:start], parts[end:])]
            yield "**/".join(fixed), split, "/".join(folders[start:end])


def choose_files(files: list[str]) -> tuple[FileKind, FileKind] | None:
    """Images and labels: the two kinds of files with most names in common, where words such as mask are labels."""
    pictures = _with_variants(file_kinds(files, ENDINGS))
    labels = [*pictures, *_with_variants(file_kinds(files, ("json", "txt")))]
    pairs, most = [], 0
    for one, other in product(pictures, labels):
        if one is other or _common(one, other) <= _WORTH * most or (images := one.without(other)) is None:
            continue
        if common := _common(images, other):
            pairs.append((common, images, other))
            most = max(most, common)
    if not pairs:
        return None
    _, images, other = max((pair for pair in pairs if pair[0] >= _WORTH * most), key=lambda pair: _preference(*pair))
    return images, other


def _with_variants(kinds: list[FileKind]) -> list[FileKind]:
    found = [variant for kind in kinds[:_MOST_PATTERNS] for variant in kind.variants()]
    return sorted(found, key=lambda kind: -len(kind.files))[:_MOST_PATTERNS]


def _common(images: FileKind, labels: FileKind) -> int:
    shared = images.divided and labels.divided, images.nested and labels.nested
    return len(images.names(*shared) & labels.names(*shared))


def _preference(common: int, images: FileKind, labels: FileKind) -> tuple[object, ...]:
    """What makes a pair of patterns the likelier one, in this order."""
    named = bool(LABEL_WORDS.search(labels.words)) - bool(LABEL_WORDS.search(images.words))
    return (
        named,
        common,
        common - len(images.files),
        labels.pattern.rpartition(".")[2] in (*ENDINGS, "*"),
        -(images.divided != labels.divided) - (images.nested != labels.nested),
        not _INSTANCES.search(labels.words),
        -images.nested - labels.nested - len("".join(images.fixed + labels.fixed)) / 100,
        images.divided,
        not images.any_image,
        images.any_image == labels.any_image,
        images.pattern.endswith((".jpg", ".jpeg")),
        -images.pattern.count("**"),
        images.pattern.count("/") + labels.pattern.count("/"),
    )
