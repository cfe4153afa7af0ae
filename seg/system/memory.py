"""Memory: what is available to this process, and work that ends with an error instead of being killed by Linux."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2

_SHARE = 0.95  # of the available memory; Linux only estimates it
_PROC, _GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# Limit, use and reclaimable part of a control group, version 2 (docs.kernel.org, cgroup-v2) and version 1 (cgroup-v1).
# The page cache is reclaimable also where it is active, as that of packs is, which are mapped into memory.
_FILES = {
    2: ("memory.max", "memory.current", ("active_file", "inactive_file", "slab_reclaimable")),
    1: ("memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")),
}
# Messages of PyTorch and oneDNN, which raise RuntimeError, and of OpenCV.
_FAILED = (
    *("can't allocate memory", "out of memory", "not enough memory", "could not create a", "bad_alloc"),
    "Insufficient memory",
)


class MemoryShortageError(ValueError):
    """More memory is required than is available."""


@contextmanager
def bounded_memory(task: str, fix: str, least: int | None) -> Iterator[None]:
    """Run the block with the memory that is available when it begins.

    Linux grants more memory than there is, and kills a process that uses it. The limit makes the allocation fail.

    Args:
        task: what requires the memory, for the message.
        fix: how to require less.
        least: bytes that the block requires at least, without which it does not begin; `None` for work on a GPU, whose
            library reports a shortage itself.

    Raises:
        MemoryShortageError: the block requires more.
    """
    free = available_memory() if least is not None else None
    if free is not None and least is not None and least > free:
        raise MemoryShortageError(f"{task}: requires at least {_gb(least)} of memory, {_gb(free)} are available; {fix}")
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    limits = {"v": _left_of(resource.RLIMIT_AS, "VmSize"), "d": _left_of(resource.RLIMIT_DATA, "VmData")}
    if free is not None:
        limit = _own_bytes("VmData") + round(_SHARE * free)
        resource.setrlimit(resource.RLIMIT_DATA, (limit if soft == resource.RLIM_INFINITY else min(limit, soft), hard))
    try:
        yield
    except (MemoryError, RuntimeError, cv2.error) as error:
        if not isinstance(error, MemoryError) and not any(text in str(error) for text in _FAILED):
            raise
        shortage = f"{task}: requires more memory than {_bound(free, limits)}; {fix}"
    else:
        return
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    raise MemoryShortageError(shortage)  # outside the handler, which keeps the tensors of the failed work


def available_memory() -> int | None:
    """Bytes that this process can still use: the least of the machine and of its control groups; `None` if unknown."""
    try:
        rows = dict(line.split(":") for line in (_PROC / "meminfo").read_text(encoding="utf-8").splitlines())
        free = [sum(int(rows[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree"))]
        groups = (_PROC / "self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, LookupError, ValueError):  # not Linux
        return None
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if not controllers or "memory" in controllers.split(","):
            version, root = (1, _GROUPS / "memory") if controllers else (2, _GROUPS)
            folder = root / path.lstrip("/")
            free += [_left(place, version) for place in (folder, *folder.parents) if place.is_relative_to(root)]
    return max(0, min(free))


def _gb(size: int) -> str:
    return f"{size / 1e9:.2g} GB"


def _left(group: Path, version: int) -> int:
    """Bytes that a control group can still use."""
    limit, used, reclaimable = _FILES[version]
    with suppress(OSError, LookupError, ValueError):  # no such file, or no limit
        rows = dict(line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines())
        most, now = (int((group / name).read_text(encoding="utf-8")) for name in (limit, used))
        return most - now + sum(int(rows.get(name, 0)) for name in reclaimable)
    return 1 << 62


def _bound(free: int | None, limits: dict[str, int | None]) -> str:
    """What bounds the memory of a block, given the available bytes and those that the options of `ulimit` leave."""
    left = {f"that `ulimit -{option}` allows": size for option, size in limits.items() if size is not None}
    left |= {"that are available": round(_SHARE * free)} if free is not None else {}
    if not left:
        return "is available"
    least = min(left, key=lambda name: left[name])
    return f"the {_gb(free if free is not None and least == 'that are available' else left[least])} {least}"


def _left_of(limit: int, field: str) -> int | None:
    """Bytes that a limit of `resource` leaves to this process; `None` if there is no limit, or unknown."""
    soft, _ = resource.getrlimit(limit)
    if soft == resource.RLIM_INFINITY:
        return None
    with suppress(OSError):  # not Linux
        return max(0, soft - _own_bytes(field))
    return None


def _own_bytes(field: str) -> int:
    """Bytes of this process that count for RLIMIT_DATA (`VmData`) or RLIMIT_AS (`VmSize`), see setrlimit(2)."""
    return int(Path("/proc/self/status").read_text(encoding="utf-8").split(f"{field}:")[1].split()[0]) * 1024
