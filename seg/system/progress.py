"""Progress of a training and of other work, printed to standard error."""

import sys
import time
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from seg.system.console import say

Tracked = TypeVar("Tracked")
_PRINT_INTERVAL = 30  # seconds, within an epoch


class Progress:
    """Loss, images per second and remaining time of a training.

    Args:
        epochs: number of epochs of the whole training.
        images: number of images to process, over all remaining epochs.
        enabled: whether this process prints; one process of a training does.
    """

    def __init__(self, epochs: int, images: int, *, enabled: bool = True) -> None:
        self.epochs, self.images, self.enabled = epochs, images, enabled
        self.start = self.printed = time.monotonic()
        self.seen = 0

    def stepped(self, epoch: int, step: int, samples: int, loss: float) -> None:
        """Count a step; print a line if the last one is older than 30 seconds."""
        self.seen += samples
        if time.monotonic() - self.printed > _PRINT_INTERVAL:
            self._print(f"epoch {epoch + 1}/{self.epochs} step {step + 1} loss {loss:.4f}")

    def epoch(self, row: dict[str, Any]) -> None:
        """Print the line of an epoch, given its row of the history."""
        line = f"epoch {row['epoch']}/{self.epochs} loss {row['train_loss']:.4f}"
        if "val_loss" in row:
            line += f" val {row['val_loss']:.4f} mIoU {row['val_miou']:.4f}"
        self._print(line)

    def _print(self, line: str) -> None:
        self.printed = time.monotonic()
        if self.seen:  # 0 if a resumed training starts with a validation
            elapsed = self.printed - self.start
            left = elapsed * (self.images / self.seen - 1)
            line += f" {self.seen / elapsed:.1f} images/s {int(left) // 60}:{int(left) % 60:02} left"
        if self.enabled:
            say(line)


def tracked(items: Sequence[Tracked], unit: str) -> Iterable[Tracked]:
    """The items, with a progress bar on standard error if that is a terminal."""
    bar: Iterable[Tracked] = tqdm(items, unit=unit, disable=None, leave=False, dynamic_ncols=True)
    return bar


def progress_bar(total: int, unit: str) -> "tqdm[Any]":
    """The same bar for work of so many units; call `update` with the number of those that are done."""
    return tqdm(total=total, unit=unit, disable=None, leave=False, dynamic_ncols=True)


def print_above(line: str) -> None:
    """Print a line to standard output, above the progress bars."""
    tqdm.write(line, file=sys.stdout)
