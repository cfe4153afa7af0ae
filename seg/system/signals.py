"""Signals that end a process, raised as exceptions: temporary files are then deleted and locks released."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_REPEATED = 1.0  # seconds: a terminal and Snakemake may both send a signal to the same process


class Interrupted(BaseException):
    """A signal asked this process to end. It is no `KeyboardInterrupt`, which Typer handles itself.

    Args:
        number: of the signal.
        continuing: what the next run does, as the end of "run again".
    """

    def __init__(self, number: int, continuing: str = "") -> None:
        super().__init__(f"interrupted; run again{continuing}")
        self.number = number


def ending_signals() -> list[signal.Signals]:
    """Signals of Ctrl-C, `kill` and a closed terminal, without those that are ignored, such as SIGHUP under `nohup`."""
    every = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in every if signal.getsignal(number) != signal.SIG_IGN]


def ignore_ending_signals() -> None:
    """Ignore the signals in a worker process: the process that started it decides when it ends."""
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)


class _Raise:
    """Handler that raises `Interrupted`, once for signals in quick succession, so that the first can be handled."""

    def __init__(self) -> None:
        self.last = float("-inf")

    def __call__(self, number: int, _: FrameType | None) -> None:
        last, self.last = self.last, time.monotonic()
        if self.last - last < _REPEATED:
            return
        raise Interrupted(number)


@contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `Interrupted` in the main thread when a signal asks this process to end.

    The signals are ignored after the block, unless it raises an error: it has written its outputs or has been
    interrupted, and a signal while Python ends must not change the exit code. Snakemake deletes the outputs of a job
    with another exit code than 0.
    """
    handler = _Raise()
    before = {number: signal.signal(number, handler) for number in ending_signals()}
    try:
        yield
    except Exception:
        for number, previous in before.items():
            signal.signal(number, previous)
        raise
    except BaseException:  # `Interrupted`, or `SystemExit` of Typer
        ignore_ending_signals()
        raise
    ignore_ending_signals()
