"""A GPU of its own for every process: Snakemake counts how many may run at once, a lock says which one each has.

The locks are files in the system's temporary folder, one a GPU, and last as long as the process: however it ends, the
system lets go of them.
"""

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import torch

from seg.system.console import say
from seg.system.files import locked

_ASK_EVERY = 1.0  # seconds
_HELD: dict[int, int] = {}  # index of a GPU -> the open file whose lock this process keeps


def visible() -> list[str]:
    """UUIDs of the GPUs that this process may use, in torch's order.

    The driver has heeded CUDA_VISIBLE_DEVICES, by which people and schedulers choose; a UUID is the same under any.
    """
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def take(count: int = 1) -> list[int]:
    """Indices, in torch's order, of GPUs that no other process of ours has; waits for them. They are kept to the end.

    Raises:
        ValueError: more are wanted than there are.
    """
    names = visible()
    if count > len(names):
        raise ValueError(f"{count} GPUs are wanted, this process may use {len(names)}; lower `gpus` or run elsewhere")
    waiting = False
    while len(_HELD) < count:
        for index, name in enumerate(names):
            if index not in _HELD and len(_HELD) < count and (handle := _lock(name)) is not None:
                _HELD[index] = handle
        if len(_HELD) < count:
            for index in list(_HELD):  # all or none, or two that want all would wait for each other for ever
                os.close(_HELD.pop(index))
            if not waiting:
                say(f"waiting for {count} of {len(names)} GPUs: other trainings have them")
            waiting = True
            time.sleep(_ASK_EVERY)
    return sorted(_HELD)[:count]


def _lock(name: str) -> int | None:
    """The open lock file of a GPU that no other process has, or None."""
    path = Path(tempfile.gettempdir(), f"seg-gpu-{name}.lock")
    with suppress(FileExistsError):
        handle = os.open(path, os.O_CREAT | os.O_EXCL)
        os.fchmod(handle, 0o644)  # for other users too, whatever this one's umask
        os.close(handle)
    # Read-only suffices for a lock, and so another user's file does; a link laid there is not followed.
    return locked(path, os.O_RDONLY | os.O_NOFOLLOW)
