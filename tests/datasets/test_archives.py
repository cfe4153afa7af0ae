"""Extraction of real archives: valid, hostile and broken."""

import io
import random
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seg.datasets.archives import unpack
from seg.system.files import remove_leftovers, replaced

KINDS = ("tar", "tar.gz", "tar.bz2", "tar.xz", "zip")
CONTENT = {"top/a/1.png": b"one" * 1000, "top/b/2.png": random.Random(0).randbytes(3000), "top/c.txt": b""}


def everything(name: str) -> str | None:
    return name


def pack(path: Path, members: dict[str, bytes]) -> Path:
    """A real archive, of the format that its suffix names."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about duplicate names
            for name, content in members.items():
                zipped.writestr(zipfile.ZipInfo(name), content)
        return path
    with tarfile.open(path, "w:" + path.suffix.removeprefix(".").replace("tar", "")) as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def pack_special(path: Path, name: str, kind: str) -> Path:
    """An archive with one good file and one member that is not a file."""
    if path.suffix == ".zip":
        modes = {"symbolic link": 0o120777, "device": 0o020666}
        info = zipfile.ZipInfo(name)
        info.external_attr = modes[kind] << 16
        with zipfile.ZipFile(path, "w") as zipped:
            zipped.writestr("good.png", b"good")
            zipped.writestr(info, "/etc/passwd")
        return path
    types = {
        "symbolic link": tarfile.SYMTYPE,
        "hard link": tarfile.LNKTYPE,
        "device": tarfile.CHRTYPE,
        "pipe": tarfile.FIFOTYPE,
    }
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("good.png"), io.BytesIO())
        info = tarfile.TarInfo(name)
        info.type, info.linkname = types[kind], "/etc/passwd"
        tar.addfile(info)
    return path


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_extracted_files_are_equal_byte_for_byte(tmp_path: Path, kind: str) -> None:
    archive = pack(tmp_path / f"x.{kind}", CONTENT)
    count = unpack(archive, tmp_path / "out", lambda name: name.removeprefix("top/") if name.endswith(".png") else None)
    assert count == 2
    assert files(tmp_path / "out") == {"a/1.png": CONTENT["top/a/1.png"], "b/2.png": CONTENT["top/b/2.png"]}


def test_directories_dots_and_a_global_header_are_accepted(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz", pax_headers={"comment": "bb68b64"}) as tar:
        for name in ("./", "./a/", "./a/"):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE
            tar.addfile(info)
        info = tarfile.TarInfo("./a/1.png")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"one"))
    assert unpack(tmp_path / "x.tar.gz", tmp_path / "out", everything) == 1
    assert files(tmp_path / "out") == {"a/1.png": b"one"}


HOSTILE = {
    "../evil": "contains '..'",
    "a/../../evil": "contains '..'",
    "/evil": "absolute",
    "C:/evil": "absolute",
    "c:evil": "absolute",
    "..\\evil": "backslash",
    "\\\\host\\evil": "backslash",
    "a\nerror: all is well": "unprintable",
}


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "zip"])
@pytest.mark.parametrize("wanted", [True, False])
def test_hostile_names_are_all_listed_and_nothing_is_written(tmp_path: Path, kind: str, wanted: bool) -> None:
    archive = pack(tmp_path / f"x.{kind}", {"good.png": b"good", **dict.fromkeys(HOSTILE, b"evil"), "last.png": b""})
    with pytest.raises(ValueError, match="do not use this archive") as caught:
        unpack(archive, tmp_path / "deep" / "out", everything if wanted else lambda _: None)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(HOSTILE)
    for line, (name, fault) in zip(lines, HOSTILE.items(), strict=True):
        assert repr(name) in line
        assert fault in line
        assert line.startswith(str(archive))
    assert list(tmp_path.iterdir()) == [archive]


@pytest.mark.parametrize(
    ("archive", "kind"),
    [
        ("tar", "symbolic link"),
        ("tar", "hard link"),
        ("tar", "device"),
        ("tar", "pipe"),
        ("zip", "symbolic link"),
        ("zip", "device"),
    ],
)
def test_links_and_devices_are_refused_unless_they_are_skipped(tmp_path: Path, archive: str, kind: str) -> None:
    path = pack_special(tmp_path / f"x.{archive}", "evil", kind)
    with pytest.raises(ValueError, match=rf"'evil' is a {kind.replace('pipe', 'device')}"):
        unpack(path, tmp_path / "out", everything)
    assert not (tmp_path / "out").exists()
    assert unpack(path, tmp_path / "out", lambda name: name if name == "good.png" else None) == 1


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize(
    ("names", "faults"),
    [
        (["a/X.png", "A/x.PNG"], 1),
        (["a/\u00e9.png", "a/e\u0301.png"], 1),
        (["a/x.png", "./a//x.png"], 1),
        (["a", "A/x.png", "a/y.png"], 2),
        (["a/x.png", "b/x.png"], 0),
    ],
)
def test_names_that_are_equal_without_case_are_refused(
    tmp_path: Path, kind: str, names: list[str], faults: int
) -> None:
    archive = pack(tmp_path / f"x.{kind}", dict.fromkeys(names, b"x"))
    if not faults:
        assert unpack(archive, tmp_path / "out", everything) == len(names)
        return
    with pytest.raises(ValueError, match="member") as caught:
        unpack(archive, tmp_path / "out", everything)
    assert len(str(caught.value).splitlines()) == faults
    assert not (tmp_path / "out").exists()


def test_the_same_name_twice_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("a"))
        tar.addfile(tarfile.TarInfo("a"))
    with pytest.raises(ValueError, match="'a' has the same path as 'a'"):
        unpack(tmp_path / "x.tar", tmp_path / "out", everything)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"a": b"secret"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="'a' is encrypted"):
        unpack(path, tmp_path / "out", everything)


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"mine")
    with pytest.raises(OSError, match="File exists"):
        unpack(pack(tmp_path / "x.tar", {"a": b"new"}), tmp_path, everything)
    assert (tmp_path / "a").read_bytes() == b"mine"


@pytest.mark.parametrize("mode", [0o000, 0o600, 0o4777])
def test_permissions_are_the_users_defaults_and_not_those_of_the_archive(tmp_path: Path, mode: int) -> None:
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        info = tarfile.TarInfo("a")
        info.mode = mode
        tar.addfile(info)
    unpack(tmp_path / "x.tar", tmp_path / "out", everything)
    (tmp_path / "b").touch()
    assert (tmp_path / "out" / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_archive_is_reported_in_one_line(tmp_path: Path, kind: str) -> None:
    whole = pack(tmp_path / f"whole.{kind}", CONTENT).read_bytes()
    end = len(whole.rstrip(b"\0")) if kind == "tar" else len(whole)  # a tar ends in padding
    cuts = {0, 1, 100, 511, 512, 513, 1024, 4608, *range(2000, end, 701), end - 1}
    for cut in sorted(cut for cut in cuts if cut < end):
        archive = tmp_path / f"cut{cut}.{kind}"
        archive.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="truncated or corrupt") as caught:
            unpack(archive, tmp_path / f"out{cut}", everything)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_a_changed_byte_is_detected_or_changes_no_file(tmp_path_factory: pytest.TempPathFactory, kind: str) -> None:
    """Formats with checksums: the extracted files are unchanged, or one line is reported."""
    whole = pack(tmp_path_factory.mktemp("whole") / f"x.{kind}", CONTENT).read_bytes()

    @settings(max_examples=60, deadline=None)
    @given(st.integers(0, len(whole) - 1), st.integers(1, 255))
    def check(position: int, change: int) -> None:
        folder = tmp_path_factory.mktemp("flip")
        archive = folder / f"x.{kind}"
        archive.write_bytes(whole[:position] + bytes([whole[position] ^ change]) + whole[position + 1 :])
        try:
            unpack(archive, folder / "out", lambda name: name if name in CONTENT else None)
        except ValueError:
            return
        assert files(folder / "out").items() <= CONTENT.items()

    check()


def test_an_error_without_a_message_is_reported_in_one_line(tmp_path: Path) -> None:
    """A zip whose first local header claims a longer extra field: an `EOFError` without a message."""
    raw = bytearray(pack(tmp_path / "x.zip", CONTENT).read_bytes())
    raw[29] ^= 13
    (tmp_path / "x.zip").write_bytes(raw)
    with pytest.raises(ValueError, match=r"truncated or corrupt \(\w"):
        unpack(tmp_path / "x.zip", tmp_path / "out", everything)


def test_a_file_that_is_no_archive_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_text("<html>Please log in</html>" * 100)
    with pytest.raises(ValueError, match="truncated or corrupt") as caught:
        unpack(tmp_path / "x.tar", tmp_path / "out", everything)
    assert len(str(caught.value).splitlines()) == 1


def test_a_directory_is_replaced_as_a_whole_or_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with replaced(folder) as fresh:
        (fresh / "a").write_text("old")

    def fail() -> None:
        with replaced(folder) as fresh:
            (fresh / "a").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert files(tmp_path) == {"x/a": b"old"}
    with replaced(folder) as fresh:
        (fresh / "b").write_text("new")
    assert files(tmp_path) == {"x/b": b"new"}
    assert list(tmp_path.iterdir()) == [folder]


def test_an_exchange_that_fails_halfway_is_undone(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with replaced(folder) as fresh:
        (fresh / "a").write_text("old")
    with pytest.raises(FileNotFoundError), replaced(folder) as fresh:
        fresh.rmdir()
    assert files(tmp_path) == {"x/a": b"old"}


def test_a_run_killed_between_two_renames_loses_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with replaced(folder) as fresh:
        (fresh / "a").write_text("old")
    (tmp_path / ".x.1.part").mkdir()
    (tmp_path / ".x.1.part/.lock").touch()
    folder.rename(tmp_path / ".x.1.part/.old")
    remove_leftovers(folder)
    assert files(tmp_path) == {"x/a": b"old"}
