"""Command lines of stages, which state what is read and what is written."""

import unicodedata
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from seg.system.files import refuse_special

_Named = tuple[str, Path]  # option and its path


class StageParser(ArgumentParser):
    """Parser of `python -m <module>` that refuses to write onto a file that the stage reads, or one file twice.

    Options of type `Path` and those of `add_named_inputs` are read; those of `add_output` and `add_outputs` are
    written, and replaced if they exist.
    """

    def __init__(self, module: str, description: str | None) -> None:
        super().__init__(prog=f"python -m {module}", description=description)
        self._named: list[str] = []
        self._endings: dict[str, str] = {}
        self._suffixes: dict[str, tuple[str, ...]] = {}

    def add_named_inputs(self, option: str, metavar: str, **options: Any) -> None:
        """Add an option with values `NAME=PATH`. Nothing is written into a directory among them."""
        self._named.append(self.add_argument(option, metavar=metavar, **options).dest)

    def add_output(self, option: str, ending: str, description: str) -> None:
        """Add a required option: a file to write, whose name has this ending."""
        self._endings[self.add_outputs(option, ("",), description)] = ending

    def add_outputs(self, option: str, suffixes: tuple[str, ...], description: str) -> str:
        """Add a required option: a path that, with each of the suffixes, gives the files to write."""
        dest = self.add_argument(option, type=Path, required=True, help=description).dest
        self._suffixes[dest] = suffixes
        return dest

    def parse_stage(self) -> Namespace:
        """Parse the command line.

        Raises:
            ValueError: an output is an input, another output, a directory or a device, or has another ending: one line
                per error.
        """
        given = self.parse_args()
        outputs, inputs, folders, faults = [], [], [], []
        for dest, value in vars(given).items():
            option = f"--{dest.replace('_', '-')}"
            if dest in self._suffixes:
                ending = self._endings.get(dest, "")
                if not value.name.endswith(ending):
                    faults.append(f"{option} {value}: expected a name that ends in {ending}; give another name")
                outputs += [(option, Path(f"{value}{suffix}")) for suffix in self._suffixes[dest]]
            elif dest in self._named:
                folders += [(option, Path(text.partition("=")[2])) for text in value]
            elif isinstance(value, Path):
                inputs.append((option, value))
        faults += _faults(outputs, inputs, folders)
        if faults:
            raise ValueError("\n".join(faults))
        return given


def same_file(a: Path, b: Path) -> bool:
    """Whether two paths name one existing file, also through links, hard links or another letter case."""
    return a.exists() and b.exists() and a.samefile(b)


def folded(path: Path) -> str:
    """Absolute path as compared by a file system that ignores case."""
    return unicodedata.normalize("NFC", str(path.parent.resolve() / path.name)).casefold()


def _faults(outputs: list[_Named], inputs: list[_Named], folders: list[_Named]) -> Iterable[str]:
    seen: dict[str, str] = {}
    for option, path in outputs:
        try:
            refuse_special(path)
        except ValueError as error:
            yield f"{option} {error}"
            continue
        first = seen.setdefault(folded(path), option)
        if first != option:
            yield f"{option} {path}: is also written as {first}; give the outputs different names"
        read = [name for name, other in inputs + folders if same_file(path, other)]
        read += [name for name, folder in folders if folder.is_dir() and folder.resolve() in path.resolve().parents]
        if read:
            yield f"{option} {path}: would replace what is read as {read[0]}; give another name"
