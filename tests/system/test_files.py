"""Files are written whole or not at all: after an exception, a full disk or a killed process."""

import errno
import fcntl
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg.system.files import (
    canonical_json,
    lock_directory,
    read_json,
    remove_leftovers,
    sha256,
    write_json,
    write_text,
    written_whole,
)

ROOT = Path(__file__).parents[2]


def listing(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_all_files_appear_together_at_the_end(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    with written_whole(folder / "a.npy", folder / "b.json") as (a, b):
        a.write_text("one")
        b.write_text("two")
        assert not (folder / "a.npy").exists()
        assert a.parent.parent == folder  # a rename is atomic within one file system only
        assert a.parent.stat().st_mode & 0o777 == 0o700  # nobody else can place a link there
    assert listing(folder) == {"a.npy": "one", "b.json": "two"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_keeps_the_old_files_and_leaves_nothing_new(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with written_whole(tmp_path / "a", tmp_path / "b") as (a, b):
            a.write_text("half")
            b.write_text("ha")
            raise error

    (tmp_path / "a").write_text("old")
    with pytest.raises(error):
        fail()
    assert listing(tmp_path) == {"a": "old"}


def test_a_file_that_the_block_did_not_write_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(FileNotFoundError), written_whole(tmp_path / "a", tmp_path / "b") as (a, _):
        a.write_text("new")
    assert listing(tmp_path) == {"a": "old"}


def test_files_of_a_killed_run_are_overwritten(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from seg.system.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as (part,):\n"
        "    part.write_text('half and half'); print('ready', flush=True); time.sleep(60)"
    )
    path = tmp_path / "a"
    path.write_text("old")
    with subprocess.Popen([sys.executable, "-c", script, path], cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"
    assert [folder.name[:3] for folder in tmp_path.glob(".*.part")] == [".a."]
    write_text(path, "new")
    assert listing(tmp_path) == {"a": "new"}


def test_files_of_a_running_process_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with written_whole(path) as (part,):
        part.write_text("first")
        write_text(path, "second")
        assert part.read_text() == "first"
    assert listing(tmp_path) == {"a": "first"}


def test_without_locks_files_of_a_running_process_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with written_whole(tmp_path / "a") as (part,):
        part.write_text("first")
        write_text(tmp_path / "a", "second")
        assert part.read_text() == "first"
    assert listing(tmp_path) == {"a": "first"}


def test_the_lock_is_deleted_after_its_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS renames a deleted file that is open, so that its directory is not empty."""
    unlink = os.unlink

    def unlink_on_nfs(path: str | Path, *, dir_fd: int | None = None) -> None:
        inode = os.stat(path, dir_fd=dir_fd, follow_symlinks=False).st_ino
        opened = [file.stat().st_ino for file in Path("/proc/self/fd").iterdir() if file.exists()]
        if inode in opened:
            os.rename(path, f"{path}.nfs", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        else:
            unlink(path, dir_fd=dir_fd)

    monkeypatch.setattr(os, "unlink", unlink_on_nfs)
    write_text(tmp_path / "a", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_only_old_and_empty_directories_without_a_lock_are_deleted(tmp_path: Path) -> None:
    for name in ("empty", "new", "full"):
        (tmp_path / f".a.{name}.part").mkdir()
    (tmp_path / ".a.full.part/thesis").touch()
    for name in ("empty", "full"):
        os.utime(tmp_path / f".a.{name}.part", (0, 0))
    remove_leftovers(tmp_path / "a")
    assert {path.name for path in tmp_path.iterdir()} == {".a.new.part", ".a.full.part"}


def test_a_link_is_replaced_and_its_target_unchanged(tmp_path: Path) -> None:
    for name in ("cache", "cache2"):
        (tmp_path / name).write_text("old")
    (tmp_path / "a").symlink_to("cache")
    (tmp_path / "b").hardlink_to(tmp_path / "cache2")
    with written_whole(tmp_path / "a", tmp_path / "b") as parts:
        for part in parts:
            part.write_text("new")
    assert listing(tmp_path) == {"a": "new", "b": "new", "cache": "old", "cache2": "old"}
    assert not (tmp_path / "a").is_symlink()


def test_names_of_any_length_are_written(tmp_path: Path) -> None:
    for letter in "aä雪":
        write_text(tmp_path / (letter * (255 // len(letter.encode()))), "text")
    assert len(listing(tmp_path)) == 3


LOCK = """
import sys, time
from pathlib import Path
from seg.system.files import lock_directory
with lock_directory(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
# Counts how often two processes hold the lock at the same time.
CROWD = """
import os, sys, time
from pathlib import Path
from seg.system.files import lock_directory
directory, inside = Path(sys.argv[1]), Path(sys.argv[2])
entered = clashes = 0
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        with lock_directory(directory):
            entered += 1
            try:
                inside.touch(exist_ok=False)
                time.sleep(0.0005)
                inside.unlink()
            except FileExistsError:
                clashes += 1
    except ValueError:
        pass
print(entered, clashes)
"""


def test_a_directory_is_locked_by_one_process_and_released_when_it_is_killed(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "run"
    command = [sys.executable, "-c", LOCK, directory]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(ValueError, match=r"run: another process writes here; wait for it or stop it"):
            lock_directory(directory).__enter__()
        process.send_signal(signal.SIGKILL)
    with lock_directory(directory):
        assert [path.name for path in directory.iterdir()] == [".lock"]
    assert not list(directory.iterdir())  # what DVC records


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_used_without_a_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    (tmp_path / ".lock").touch()  # of a killed process
    with lock_directory(tmp_path):
        (tmp_path / "result").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["result"]


def test_a_lock_whose_file_is_deleted_still_excludes_every_other_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CROWD, tmp_path / "run", tmp_path / "inside"]
    crowd = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    counts = [tuple(map(int, process.communicate()[0].split())) for process in crowd]
    assert sum(entered for entered, _ in counts) > 20
    assert sum(clashes for _, clashes in counts) == 0


def test_a_full_disk_is_named_and_keeps_the_old_file(small_disk: Path) -> None:
    path = small_disk / "a.json"
    write_text(path, "old")
    with pytest.raises(OSError, match="No space left on device; free some space and run again") as caught:
        write_text(path, "x" * (2 << 20))
    assert str(caught.value).startswith(f"{small_disk}: ")
    assert listing(small_disk) == {"a.json": "old"}


def test_other_errors_of_the_disk_are_unchanged(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").touch()
    with pytest.raises(FileExistsError) as caught:
        write_text(tmp_path / "folder/file/name", "text")
    assert caught.value.errno == errno.EEXIST
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_json_comes_back_and_nan_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    content = {"miou": 0.1 + 0.2, "absent": None, "name": "Zürich"}
    write_json(path, content)
    assert read_json(path) == content
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"miou": float("nan")})
    assert read_json(path) == content


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"half": ')
    with pytest.raises(ValueError, match=r"not a JSON file .*; delete it and run again") as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a JSON file"):
        read_json(path)


def test_sha256_is_that_of_the_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1.
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    data = bytes(range(256)) * 5000
    (tmp_path / "b").write_bytes(data)
    assert sha256(tmp_path / "b") == hashlib.sha256(data).hexdigest()


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), trees, max_size=5))
def test_canonical_json_is_one_line_whatever_the_order(content: dict[str, object]) -> None:
    line = canonical_json(content)
    assert canonical_json(dict(reversed(content.items()))) == line
    assert json.loads(line) == content
    assert "\n" not in line
