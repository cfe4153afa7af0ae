"""Assignment of GPUs: Snakemake limits how many stages run at once, locks decide which GPUs each of them uses.

There is one lock file per GPU in the system's temporary directory, or as many as processes may share a GPU (the
environment variable `SEG_TRAININGS_PER_GPU`). The system releases a lock when its process ends.
"""

import os
import stat
import tempfile
import time
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from seg.system.console import say

_POLL_INTERVAL = 1.0  # seconds
_HELD: dict[int, FileLock] = {}  # by index of the GPU


def visible() -> list[str]:
    """UUIDs of the GPUs that this process may use, in torch's order; CUDA_VISIBLE_DEVICES does not change them.

    A process sees one slice of a divided GPU (NVIDIA, Multi-Instance GPU), which CUDA_VISIBLE_DEVICES names.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    if chosen.startswith("MIG-"):
        return [chosen.partition(",")[0].replace("/", "-")]
    return [str(torch.cuda.get_device_properties(index).uuid) for index in range(torch.cuda.device_count())]


def take(count: int = 1, index: int | None = None) -> list[int]:
    """Wait for GPUs that no other seg process has locked, and lock them until this process ends.

    Args:
        count: number of GPUs.
        index: of the only GPU to take, in torch's order; by default the first that are free.

    Returns:
        Their indices, in torch's order.

    Raises:
        ValueError: more GPUs are requested than this process may use, or the index is not one of theirs.
    """
    names = dict(enumerate(visible()))
    if count > len(names):
        raise ValueError(f"{count} GPUs requested, this process may use {len(names)}; lower `gpus` or run elsewhere")
    if index is not None and index not in names:
        raise ValueError(f"--device cuda:{index}: this process may use cuda:0 to cuda:{len(names) - 1}")
    allowed = names if index is None else {index: names[index]}
    places = [(k, name, place) for place in range(_per_gpu()) for k, name in allowed.items()]  # free GPUs first
    waiting = False
    while len(_HELD) < count:
        for k, name, place in places:
            if k not in _HELD and len(_HELD) < count and (lock := _lock(f"{name}.{place}" if place else name)):
                _HELD[k] = lock
        if len(_HELD) < count:
            for k in list(_HELD):  # all or none, else two processes could wait for each other
                _HELD.pop(k).release()
            if not waiting:
                say(f"waiting for {count} of {len(allowed)} GPUs: other processes use them")
            waiting = True
            time.sleep(_POLL_INTERVAL)
    return sorted(_HELD)[:count]


def _per_gpu() -> int:
    text = os.environ.get("SEG_TRAININGS_PER_GPU", "1")
    if not text.isdecimal() or text == "0":
        raise ValueError(f"SEG_TRAININGS_PER_GPU: got '{text}', expected a number of at least 1")
    return int(text)


def _lock(name: str) -> FileLock | None:
    """Acquired lock of a GPU; `None` if another process has it."""
    before = os.umask(0)  # every user may lock, from the moment that directory and file exist
    try:
        lock = FileLock(_lock_directory() / f"{name}.lock", mode=0o666)
        lock.acquire(blocking=False)
    except Timeout:
        return None
    finally:
        os.umask(before)
    return lock


def _lock_directory() -> Path:
    """Directory of the lock files, writable by every user; created if missing.

    It has no sticky bit: in a sticky directory such as /tmp, Linux may refuse to open other users' files with O_CREAT
    (`fs.protected_regular`, proc_sys_fs(5)).

    Raises:
        ValueError: a file, or a directory with other permissions, has its name.
    """
    directory = Path(tempfile.gettempdir(), "seg-gpu-locks")
    directory.mkdir(exist_ok=True)
    mode = directory.lstat().st_mode
    if not stat.S_ISDIR(mode) or mode & 0o1777 != 0o777:  # the set-group-ID bit, which a parent passes on, is harmless
        raise ValueError(f"{directory}: got {stat.filemode(mode)}, expected a directory drwxrwxrwx; delete it")
    return directory
