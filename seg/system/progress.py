"""Progress of a training, printed to standard error."""

import time
from typing import Any

from seg.system.console import say

_LINE_EVERY = 30  # seconds between two lines within an epoch


class Progress:
    """Loss, images per second and time left of a training.

    Args:
        epochs: of the whole training.
        images: still to come, over all epochs.
        enabled: whether lines are printed; only one process of a training prints.
    """

    def __init__(self, epochs: int, images: int, *, enabled: bool = True) -> None:
        self.epochs, self.images, self.enabled = epochs, images, enabled
        self.start = self.said = time.monotonic()
        self.seen = 0

    def stepped(self, epoch: int, step: int, samples: int, loss: float) -> None:
        """Count a step; say a line if the last one is a while ago."""
        self.seen += samples
        if time.monotonic() - self.said > _LINE_EVERY:
            self._say(f"epoch {epoch + 1}/{self.epochs} step {step + 1} loss {loss:.4f}")

    def epoch(self, row: dict[str, Any]) -> None:
        """Say the line of an epoch."""
        line = f"epoch {row['epoch']}/{self.epochs} loss {row['train_loss']:.4f}"
        if "val_loss" in row:
            line += f" val {row['val_loss']:.4f} mIoU {row['val_miou']:.4f}"
        self._say(line)

    def _say(self, line: str) -> None:
        self.said = time.monotonic()
        if self.seen:  # none where a training goes on with a validation
            spent = self.said - self.start
            left = spent * (self.images / self.seen - 1)
            line += f" {self.seen / spent:.1f} images/s {int(left) // 60}:{int(left) % 60:02} left"
        if self.enabled:
            say(line)
