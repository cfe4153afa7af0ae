"""The state of a training between two steps: one that was killed goes on from it and ends with the same bits.

The last two lie beside the outputs as `resume-<digest>-<number>.safetensors`. The digest is of all that decides the
result, so a training never goes on from the state of another. What each sample draws depends on (seed, epoch, sample)
alone, so torch's generators are all the random state there is.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from seg.system.console import say
from seg.system.files import written_whole
from seg.system.tensors import read_tensors, write_tensors

_KEPT = 2  # should the disk have damaged the last, the one before is there


@dataclass
class Course:
    """How far a training has come.

    Attributes:
        epoch: epochs that are finished.
        step: steps taken of the one after.
        loss: sum of its samples' losses so far.
        lr: learning rate of the last step.
        history: a row an epoch.
        best, best_loss: epoch with the lowest validation loss, and that loss; 0 and None before the first.
        waited: validations since.
        seconds: spent, but for what was lost.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    lr: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: int = 0
    best_loss: float | None = None
    waited: int = 0
    seconds: float = 0.0


class States:
    """The states of one training in a folder.

    Args:
        folder: of its outputs.
        digest: of all that decides its result.
    """

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest = folder, digest

    def save(self, tensors: dict[str, Tensor], course: Course) -> None:
        """Write a state whole or not at all, then delete what is older than the one before it."""
        files = self._files()
        number = self._number(files[-1]) + 1 if files else 1
        with written_whole(self._file(number)) as (part,):
            write_tensors(part, tensors, asdict(course))
        for file in files[: 1 - _KEPT]:
            file.unlink()

    def latest(self) -> int:
        """Number of the last state that is whole, 0 for none; a damaged one is set aside as `<name>.damaged`."""
        for file in reversed(self._files()):
            try:
                read_tensors(file)
            except ValueError as error:
                file.replace(file.with_name(f"{file.name}.damaged"))
                say(f"{file}: {error}; set aside as {file.name}.damaged")
            else:
                return self._number(file)
        return 0

    def read(self, number: int) -> tuple[dict[str, Tensor], Course]:
        """A state by its number."""
        tensors, content = read_tensors(self._file(number))
        return tensors, Course(**content)

    def clear(self) -> None:
        """Delete the states of this training and of any other in the folder: the outputs are there."""
        for file in self.folder.glob("resume-*.safetensors*"):
            file.unlink()

    def _file(self, number: int) -> Path:
        return self.folder / f"resume-{self.digest}-{number:06}.safetensors"

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"resume-{self.digest}-*.safetensors"), key=self._number)

    @staticmethod
    def _number(file: Path) -> int:
        return int(file.stem.rpartition("-")[2])
