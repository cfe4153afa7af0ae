"""Digests of a user's own files are remembered, and read again where anything about a file differs."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from seg.config.description import describe
from seg.datasets import register
from seg.datasets.register import own_contents
from seg.system.files import sha256

FILES = ("classes.yaml", "train.txt", "images/a.jpg", "images/b.PNG", "labels/a.png", "labels/b.png")
NOT_READ = (
    "README",
    "images/Thumbs.db",
    "images/.a.jpg",
    "labels/a.txt",
    ".git/config",
    "more/images/a.png",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A dataset whose files changed long ago; the others in its directory are not read."""
    root = tmp_path / "cracks"
    for number, name in enumerate((*FILES, *NOT_READ)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content {number}")
    return root


@pytest.fixture(autouse=True)
def _any_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(register, "_TOO_RECENT", -(10**9))


def read_again(root: Path, memory: Path, anew: bool = False) -> list[str]:
    """Names of the files that are read; the digests must be those of the content."""
    read: list[str] = []

    def noted(path: Path) -> str:
        read.append(path.relative_to(root).as_posix())
        return sha256(path)

    with patch.object(register, "sha256", noted):
        found = own_contents([describe("folder")], root, memory, anew)
    assert found == own_contents([describe("folder")], root)
    return sorted(read)


def test_only_files_that_the_layout_reads_are_listed(root: Path) -> None:
    assert sorted(own_contents([describe("folder")], root)) == sorted(FILES)


def test_a_second_run_reads_nothing_and_anew_reads_all(root: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory/cracks.json"
    assert read_again(root, memory) == sorted(FILES)
    assert read_again(root, memory) == []
    assert read_again(root, memory, anew=True) == sorted(FILES)
    assert read_again(root, memory) == []


def keeping_time(path: Path, change: Callable[[Path], object]) -> None:
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def in_place(path: Path) -> None:
    path.write_text(path.read_text()[::-1])


def by_replacement(path: Path) -> None:
    other = path.with_name("new")
    other.write_text(path.read_text()[::-1])
    other.replace(path)


@pytest.mark.parametrize("change", [in_place, by_replacement])
@pytest.mark.parametrize("name", FILES)
def test_content_that_changes_under_the_same_time_stamp_and_size_is_read(
    root: Path, tmp_path: Path, name: str, change: Callable[[Path], object]
) -> None:
    memory = tmp_path / "memory.json"
    read_again(root, memory)
    keeping_time(root / name, change)
    assert read_again(root, memory) == [name]
    assert read_again(root, memory) == []


def test_renamed_removed_and_swapped_files(root: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory.json"
    read_again(root, memory)
    a, b = root / "labels/a.png", root / "labels/b.png"
    shutil.move(a, tmp_path / "a")
    shutil.move(b, a)
    shutil.move(tmp_path / "a", b)
    assert read_again(root, memory) == ["labels/a.png", "labels/b.png"]
    (root / "train.txt").rename(root / "test.txt")
    assert read_again(root, memory) == ["test.txt"]
    (root / "test.txt").unlink()
    assert read_again(root, memory) == []


def test_a_file_that_has_just_changed_is_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register, "_TOO_RECENT", 10**12)
    memory = tmp_path / "memory.json"
    for _ in range(2):
        assert read_again(root, memory) == sorted(FILES)


@pytest.mark.parametrize("damage", ["", "[]", "{", '{"classes.yaml": 3}', '{"classes.yaml": [1, 2]}', "\0"])
def test_a_damaged_memory_is_made_again(root: Path, tmp_path: Path, damage: str) -> None:
    memory = tmp_path / "memory.json"
    memory.write_text(damage)
    assert read_again(root, memory) == sorted(FILES)
    assert sorted(json.loads(memory.read_text())) == sorted(FILES)


def test_a_memory_that_cannot_be_written_makes_it_slower_only(root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert read_again(root, tmp_path / "file/memory.json") == sorted(FILES)


def test_twenty_thousand_files_are_compared_in_a_second(root: Path, tmp_path: Path) -> None:
    for k in range(10_000):
        (root / f"images/{k}.jpg").touch()
        (root / f"labels/{k}.png").touch()
    own_contents([describe("folder")], root, tmp_path / "memory.json")
    start = time.process_time()
    own_contents([describe("folder")], root, tmp_path / "memory.json")
    assert time.process_time() - start < 1


def test_reading_that_takes_seconds_is_announced(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(register, "_ANNOUNCED", 10)
    for _ in range(2):
        own_contents([describe("folder")], root, tmp_path / "memory.json")
    assert capsys.readouterr().err == f"{root}: reading {len(FILES)} new or changed files, 0.0 GiB\n"
