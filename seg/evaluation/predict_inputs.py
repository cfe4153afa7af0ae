"""Images to segment: files, directories and patterns, and the names of their outputs."""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seg.datasets.faults import group_faults
from seg.datasets.listing import list_files
from seg.datasets.patterns import ENDINGS
from seg.system.arguments import folded, same_file
from seg.system.console import describe_os_error
from seg.system.files import refuse_special


class Picture(NamedTuple):
    """An image file, and the path of its outputs without ending, relative to the output directory."""

    path: Path
    name: str


def find_pictures(given: Sequence[Path], out: Path) -> list[Picture]:
    """Images of files, directories (with those below) and patterns such as `photos/**/*.jpg`, each once.

    Names are relative to the deepest directory that contains everything given, so that images of one name in different
    directories have different outputs. Images of one directory that differ in their ending keep it in their names.
    Files below `out` do not count if it is in a directory that is searched.

    Raises:
        ValueError: a file is missing or no file, or a directory or pattern has no images: one line per error.
    """
    found: dict[Path, Path] = {}  # path as given, by absolute path
    bases, faults = [], []
    for each in given:
        try:
            base, paths = _search(each, out)
        except (OSError, ValueError) as error:
            faults.append(describe_os_error(error) if isinstance(error, OSError) else str(error))
            continue
        bases.append(base.resolve())
        for path in paths:
            found.setdefault(path.parent.resolve() / path.name, path)
    if faults:
        raise ValueError("\n".join(group_faults(faults)))
    top = os.path.commonpath(bases)
    relative = {path: absolute.relative_to(top) for absolute, path in found.items()}
    counts = Counter(str(name.with_suffix("")).casefold() for name in relative.values())
    return [
        Picture(path, name.as_posix() if counts[str(short).casefold()] > 1 else short.as_posix())
        for path, name in relative.items()
        for short in [name.with_suffix("")]
    ]


def _search(given: Path, out: Path) -> tuple[Path, list[Path]]:
    """Directory that names are relative to, and images of one argument."""
    if glob.has_magic(str(given)) and not given.exists():
        parts = given.parts
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        base = Path(*parts[:fixed])
        matches = [Path(name) for name in sorted(glob.glob(str(given), recursive=True))]  # noqa: PTH207  # `**` and `/`
        paths = [path for match in matches for path in (_below(match) if match.is_dir() else [match])]
        paths = [path for path in dict.fromkeys(paths) if _is_image(path)]
    elif given.is_dir():
        base, paths = given, [path for path in _below(given) if _is_image(path)]
    else:
        given.stat()
        if not given.is_file():
            raise ValueError(f"{given}: is a device, expected an image or a directory of images")
        return given.parent, [given]
    inner = out.resolve()
    if inner != base.resolve() and inner.is_relative_to(base.resolve()):
        paths = [path for path in paths if not path.parent.resolve().is_relative_to(inner)]
    if not paths:
        raise ValueError(f"{given}: no images there; expected files that end in {', '.join(ENDINGS)}")
    return base, paths


def _below(folder: Path) -> Iterator[Path]:
    return (folder / name for name in list_files(folder))


def _is_image(path: Path) -> bool:
    # Links to nothing count: their reader names them.
    return path.suffix.lower().lstrip(".") in ENDINGS and (path.is_file() or not path.exists())


def check_targets(
    model: Path, pictures: Sequence[Picture], out: Path, targets: Sequence[tuple[Path, str]], overwrite: bool
) -> None:
    """Check the files to write.

    Args:
        model: checkpoint.
        pictures: images to segment.
        out: directory of the files.
        targets: files, each with what it is written for.
        overwrite: replace existing files, but no image and not the model.

    Raises:
        ValueError: a file exists, would be written twice or would replace one that is read, or `out` contains an image.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out}: is a file, expected a directory; give another name")
    # An image may be a link itself, such as one into DVC's cache.
    paths = [each.path for each in pictures]
    folders = {path.parent: path for path in (*paths, *(path.resolve() for path in paths if path.exists()))}
    inside = [path for folder, path in folders.items() if same_file(out, folder)]
    if inside:
        raise ValueError(f"--out {out}: contains {inside[0].name}, which could be overwritten; use another directory")
    first: dict[str, str] = {}
    for target, source in targets:
        if (other := first.setdefault(folded(target), source)) != source:
            raise ValueError(f"{source}: would be written to {target}, as {other}; segment them separately")
    read = {(status.st_dev, status.st_ino) for path in (model, *paths)
            if path.exists() and (status := path.stat())}  # fmt: skip
    existing = []
    for target, _ in targets:
        refuse_special(target)
        if target.exists() and (target.stat().st_dev, target.stat().st_ino) in read:
            raise ValueError(f"{target}: is also read; use another --out")
        if target.exists() or target.is_symlink():
            existing.append(target)
    if existing and not overwrite:
        count = f" ({len(existing)} of {len(targets)} predictions exist)" if len(targets) > 1 else ""
        them = "it" if len(existing) == 1 else "them"
        raise ValueError(f"{existing[0]}: exists{count}; add --overwrite to replace {them}, or use another --out")
