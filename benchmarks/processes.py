"""Calls that run in a process of their own, so that each side of a comparison has the environment of its users."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any
from unittest.mock import patch

# What the workflow's commands set: freed memory stays with the process (glibc, mallopt(3)). See docs on performance.
WORKFLOW = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "-1"}


@contextmanager
def in_process(
    prepare: Callable[..., Callable[[], Any]], *arguments: object, environment: Mapping[str, str] | None = None
) -> Iterator[Callable[[], Any]]:
    """A call of `prepare(*arguments)()` in a new process, which prepares once and returns the result of each call.

    Args:
        prepare: a function of a module; it and its arguments are pickled.
        arguments: of `prepare`.
        environment: variables to set before the process starts.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    with patch.dict(os.environ, environment or {}):
        process = context.Process(target=_serve, args=(theirs, prepare, arguments))
        process.start()
    theirs.close()

    def call() -> Any:
        ours.send(None)
        return ours.recv()

    try:
        yield call
    finally:
        ours.close()
        process.join()


def _serve(requests: Connection, prepare: Callable[..., Callable[[], Any]], arguments: tuple[object, ...]) -> None:
    call = prepare(*arguments)
    try:
        while True:
            requests.recv()
            requests.send(call())
    except EOFError:  # the benchmark closed its end
        return
