"""Memory that is available, in directories that stand for those of Linux, and work that requires more."""

import resource
from pathlib import Path

import pytest
import torch

from seg.system import memory
from seg.system.memory import MemoryShortageError, available_memory, bounded_memory

GB = 10**9


def machine(folder: Path, groups: str) -> None:
    """Directory that stands for /proc: 8 GB are available, and 1 GB of swap."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/meminfo").write_text(
        f"MemTotal: 9 kB\nMemAvailable: {8 * GB // 1024} kB\nSwapFree: {GB // 1024} kB\n"
    )
    (folder / "proc/self/cgroup").write_text(groups)


def group(folder: Path, names: tuple[str, ...], limit: str, used: int = GB) -> None:
    """Files of a control group, in whose use reclaimable parts of 1, 2, ... bytes count."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    rows = [f"{name} {size}\n" for size, name in enumerate(names[2:], 1)]
    (folder / "memory.stat").write_text(f"anon 1\n{''.join(rows)}")


V2 = ("memory.max", "memory.current", "active_file", "inactive_file", "slab_reclaimable")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_active_file", "total_inactive_file")
UNLIMITED = 8 * GB // 1024 * 1024 + GB // 1024 * 1024


@pytest.mark.parametrize(
    ("own", "outer", "expected"),
    [
        ("max", "max", UNLIMITED),
        (str(3 * GB), "max", 2 * GB),
        ("max", str(3 * GB), 2 * GB),
        (str(5 * GB), str(3 * GB), 2 * GB),
        (str(GB // 2), "max", 0),
    ],
)
@pytest.mark.parametrize(
    ("line", "names", "root", "reclaimable"),
    [("0::/job/step\n", V2, "groups", 6), ("4:cpu,memory:/job/step\n1:cpu:/other\n", V1, "groups/memory", 3)],
)
def test_the_least_of_machine_and_control_groups_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    names: tuple[str, ...],
    root: str,
    own: str,
    outer: str,
    expected: int,
    reclaimable: int,
) -> None:
    machine(tmp_path, line)
    group(tmp_path / root / "job", names, outer)
    group(tmp_path / root / "job/step", names, own)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert available_memory() == expected + (reclaimable if expected == 2 * GB else 0)


def test_where_it_is_unknown_nothing_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    assert available_memory() is None
    with bounded_memory("a.png", "use less", 10**18):
        torch.zeros(1)


def test_a_shortage_is_one_line_and_the_limit_is_lifted() -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    with pytest.raises(MemoryShortageError) as caught, bounded_memory("a.png", "use less", 0):
        torch.zeros(1 << 45, dtype=torch.uint8)
    assert str(caught.value).startswith("a.png: requires more memory than the ")
    assert str(caught.value).endswith(" GB that are available; use less")
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


@pytest.mark.parametrize(
    ("limit", "field", "option"), [(resource.RLIMIT_AS, "VmSize", "v"), (resource.RLIMIT_DATA, "VmData", "d")]
)
def test_a_limit_of_the_shell_is_named(limit: int, field: str, option: str) -> None:
    used = int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) * 1024
    before = resource.getrlimit(limit)
    resource.setrlimit(limit, (used + 200_000_000, before[1]))
    try:
        with pytest.raises(MemoryShortageError) as caught, bounded_memory("a.png", "use less", 0):
            torch.zeros(1 << 40, dtype=torch.uint8)
    finally:
        resource.setrlimit(limit, before)
    assert str(caught.value) == f"a.png: requires more memory than the 0.2 GB that `ulimit -{option}` allows; use less"


def test_other_errors_are_unchanged() -> None:
    with pytest.raises(RuntimeError, match="must match"), bounded_memory("a.png", "use less", 0):
        torch.zeros(2) + torch.zeros(3)
