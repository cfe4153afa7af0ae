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


def group(folder: Path, names: tuple[str, str, str], limit: str, used: int = GB, cached: int = 5) -> None:
    """Files of a control group."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} {cached}\n")


V2 = ("memory.max", "memory.current", "inactive_file")
V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
UNLIMITED = 8 * GB // 1024 * 1024 + GB // 1024 * 1024


@pytest.mark.parametrize(
    ("own", "outer", "expected"),
    [
        ("max", "max", UNLIMITED),
        (str(3 * GB), "max", 2 * GB + 5),
        ("max", str(3 * GB), 2 * GB + 5),
        (str(5 * GB), str(3 * GB), 2 * GB + 5),
        (str(GB // 2), "max", 0),
    ],
)
@pytest.mark.parametrize(
    ("line", "names", "root"),
    [("0::/job/step\n", V2, "groups"), ("4:cpu,memory:/job/step\n1:cpu:/other\n", V1, "groups/memory")],
)
def test_the_least_of_machine_and_control_groups_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    names: tuple[str, str, str],
    root: str,
    own: str,
    outer: str,
    expected: int,
) -> None:
    machine(tmp_path, line)
    group(tmp_path / root / "job", names, outer)
    group(tmp_path / root / "job/step", names, own)
    monkeypatch.setattr(memory, "_PROC", tmp_path / "proc")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    assert available_memory() == expected


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


def test_other_errors_are_unchanged() -> None:
    with pytest.raises(RuntimeError, match="must match"), bounded_memory("a.png", "use less", 0):
        torch.zeros(2) + torch.zeros(3)
