"""Signals that end a process, raised as exceptions: temporary files are then deleted and locks released."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_Handlers = dict[signal.Signals, Any]
_REPEATED = 1.0  # seconds: a terminal and Snakemake may both send a signal to the same process
_PATIENCE = 10.0  # seconds in which held signals reach a safe point


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
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        return []
    every = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return [number for number in every if signal.getsignal(number) != signal.SIG_IGN]


def ignore_ending_signals() -> None:
    """Ignore the signals in a worker process: the process that started it decides when it ends."""
    for number in ending_signals():
        signal.signal(number, signal.SIG_IGN)


class SignalHandler:
    """Handler that raises `Interrupted`, once for signals in quick succession, so that the first can be handled.

    Args:
        held: keep the first signal in `number` instead; the code that holds it ends at its next safe point. A later
            one, after ten seconds, is raised: that point may never come, for example on a hung disk.

    Attributes:
        number: of the signal that is kept or was raised; 0 if there is none.
    """

    def __init__(self, held: bool) -> None:
        self.held, self.number = held, 0
        self._first = self._last = float("-inf")

    def __call__(self, number: int, _: FrameType | None) -> None:
        now = time.monotonic()
        quick, self._last = now - self._last < _REPEATED, now
        if quick or now - self._first < (_PATIENCE if self.held else 0):
            return
        kept, self.number, self._first = self.number, number, now
        if kept or not self.held:
            raise Interrupted(number)

    @contextmanager
    def raised(self) -> Iterator[None]:
        """Raise signals within the block, and one that is kept, at once."""
        self.held = False
        try:
            if self.number:
                raise Interrupted(self.number)
            yield
        finally:
            self.held = True


@contextmanager
def raised_signals() -> Iterator[None]:
    """Raise `Interrupted` in the main thread when a signal asks this process to end.

    The signals are ignored after the block, unless it raises an error: it has written its outputs or has been
    interrupted, and a signal while Python ends must not change the exit code. Snakemake deletes the outputs of a job
    with another exit code than 0.
    """
    before = _install(SignalHandler(held=False))
    try:
        yield
    except Exception:
        _restore(before)
        raise
    except BaseException:  # `Interrupted`, or `SystemExit` of Typer
        ignore_ending_signals()
        raise
    ignore_ending_signals()


@contextmanager
def held_signals() -> Iterator[SignalHandler]:
    """Keep a signal that asks this process to end, so that the block can end where its work is consistent.

    A signal that is still kept at the end of the block is raised there.
    """
    handler = SignalHandler(held=True)
    before = _install(handler)
    try:
        yield handler
    except Interrupted:  # the handler stays: it ignores signals in quick succession while the process ends
        raise
    except BaseException:
        _restore(before)
        raise
    with handler.raised():
        _restore(before)


def _install(handler: SignalHandler) -> _Handlers:
    return {number: signal.signal(number, handler) for number in ending_signals()}


def _restore(before: _Handlers) -> None:
    for number, handler in before.items():
        signal.signal(number, handler)
