"""Lists of the names of each split: text with one name per line, and tables with a column of splits."""

import csv
import re
import unicodedata
from collections.abc import Collection, Mapping
from itertools import chain, zip_longest
from pathlib import Path, PurePosixPath

from seg.config.description import Description, SplitName
from seg.datasets.patterns import ENDINGS, Match, find_matches
from seg.datasets.splits import SPLITS

_USUAL = ("{split}.txt", "{split}.csv", "split.csv", "splits.csv")  # of a dataset whose description names none
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}  # byte order marks; that of UTF-8 is in "utf-8-sig"
Names = dict[str, list[str]]  # by split


def find_lists(description: Description, paths: list[str]) -> list[Match]:
    """Files of lists and tables among `paths`, in the order of their splits."""
    lists = description.splits.lists
    if isinstance(lists, dict):
        named = {entry for entries in lists.values() for entry in entries}
        return [Match(path, "", "", "", ()) for path in paths if path in named]
    patterns = [lists] if lists else _USUAL
    found = [match for pattern in patterns for match in find_matches(pattern, paths, description.splits.names)]
    return sorted(found, key=lambda match: SPLITS.index(match.split) if match.split else -1)


def read_lists(description: Description, root: Path, found: list[Match], known: Collection[str]) -> Names:
    """Names of each split.

    Args:
        description: of the dataset.
        root: its directory.
        found: see `find_lists`.
        known: names of its images.

    Raises:
        ValueError: a list is missing or is no text, or lists contradict each other.
    """
    lists = description.splits.lists
    if isinstance(lists, dict) and (known or description.layout == "folder"):
        return _of_mapping(lists, root, known)
    if not found and lists and description.layout == "folder":
        raise ValueError(f"{root}: no lists {lists}; add them, or correct `splits.lists`")
    words = description.splits.names
    listed = {
        match.file: {match.split: read_list(root / match.file, known)}
        if match.split
        else read_split_table(root / match.file, known, words)
        for match in found
    }
    _refuse_repeated(root, {file: list(chain(*names.values())) for file, names in listed.items()})
    return {split: [name for names in listed.values() for name in names.get(split, [])] for split in SPLITS}


def read_list(path: Path, known: Collection[str]) -> list[str]:
    """Names in a list, one per line: UTF-8 or UTF-16; blank lines do not count.

    A line is a name, with or without directories and ending, possibly followed by other columns, separated by commas,
    semicolons, tabs or blanks. A first line of column titles does not count.

    Args:
        path: the list.
        known: names of the dataset's images.

    Raises:
        ValueError: the file is no text.
    """
    lines = _lines(path)
    if lines and re.match("[,;]", lines[0]):  # the index that pandas writes has no title
        lines = [re.split("[,;]", line, maxsplit=1)[-1] for line in lines]
    names = [_name(line, known) for line in lines]
    titled = (
        len(names) > 1 and names[0] not in known and (path.suffix.lower() == ".csv" or re.search(r"[,;\t]", lines[0]))
    )
    return names[1:] if titled and set(names[1:]) & set(known) else names


def read_split_table(path: Path, known: Collection[str], words: Mapping[SplitName, list[str]]) -> Names:
    """Names of each split in a table with column titles.

    Args:
        path: CSV with any delimiter.
        known: names of the dataset's images, which tell the column of the names.
        words: names of each split, which tell the column of the splits; rows without one do not count.

    Raises:
        ValueError: the file is no text, or has no such columns.
    """
    lines = _lines(path)
    title = lines[0] if lines else ""
    rows = list(csv.reader(lines[1:], delimiter=max(",;\t", key=title.count)))
    by_word = {"": None} | {word: split for split, each in words.items() for word in each}
    columns = [[text.strip() for text in column] for column in zip_longest(*rows, fillvalue="")]
    lower = [[text.casefold() for text in column] for column in columns]
    candidates = {tuple(each) for each in lower if any(each) and set(each) <= by_word.keys()}
    if len(candidates) > 1:
        raise ValueError(f"{path}: got several columns of splits, expected one; remove the others")
    splits = next(iter(candidates), None)
    names = [[_name(text, known) for text in column] for column in columns if all(column)]
    best = max(names, key=lambda column: len(set(column).intersection(known)), default=[])
    if splits is None or not set(best).intersection(known):
        what = "a column of splits (train, val, test) and one of the images' names"
        raise ValueError(f"{path}: got the columns '{title[:60]}', expected {what}; correct it")
    found: Names = {split: [] for split in SPLITS}
    for name, text in zip(best, splits, strict=True):
        if split := by_word[text]:
            found[split].append(name)
    return found


def _lines(path: Path) -> list[str]:
    """Lines of a text in any Unicode encoding that are not blank."""
    content = path.read_bytes()
    try:
        text = content.decode(_MARKS.get(content[:2], "utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is neither UTF-8 nor UTF-16 ({error.reason}); save it as UTF-8") from None
    return [line.strip() for line in unicodedata.normalize("NFC", text).splitlines() if line.strip()]


def _of_mapping(entries: Mapping[SplitName, list[str]], root: Path, known: Collection[str]) -> Names:
    """Names of each split, from names and files that list them; a name of several splits belongs to the last."""
    found: Names = {}
    taken: set[str] = set()
    for split in reversed(SPLITS):
        names: list[str] = []
        for entry in entries.get(split, []):
            path = root / entry
            if path.suffix.lower() not in (".txt", ".csv"):
                names.append(entry)
            elif path.is_file():
                names += read_list(path, known)
            else:
                raise ValueError(f"{path}: no such list; add it, or correct `splits.lists`")
        found[split] = [name for name in dict.fromkeys(names) if name not in taken]
        taken.update(names)
    return found


def _refuse_repeated(root: Path, lists: Mapping[str, list[str]]) -> None:
    """Raise ValueError, one line per name, if a name is listed twice."""
    where: dict[str, list[str]] = {}
    for file, names in lists.items():
        for name in names:
            where.setdefault(name, []).append(file)
    lines = [
        f"{root}: '{name}' is listed in {' and in '.join(files)}; keep one"
        for name, files in sorted(where.items())
        if len(files) > 1
    ]
    if lines:
        raise ValueError("\n".join(lines))


def _name(line: str, known: Collection[str]) -> str:
    """The name in a line: the first of its readings that is known, else the first column without its ending."""
    first = re.split(r"[,;\t]|\s+", line)[0].strip("\"'")
    readings = [
        reading for text in (line, re.split(r"[,;\t]", line)[0].strip(" \"'"), first) for reading in _readings(text)
    ]
    return next((reading for reading in readings if reading in known), _readings(first)[1])


def _readings(text: str) -> tuple[str, str, str, str]:
    path = PurePosixPath(text.replace("\\", "/"))
    bare = path.with_suffix("") if path.suffix[1:].lower() in ENDINGS and path.name else path
    return text, str(bare), path.name, bare.name
