"""The download stage with a real HTTP server, real processes and a real full disk."""

import hashlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from servers import BODY, HASTE, Page, Server

from seg.datasets.catalogue import DATASETS, Dataset, Source, missing
from seg.datasets.download import download_dataset
from seg.datasets.manifest import fingerprint, read_manifest
from seg.system.fetch import Archive
from seg.system.files import sha256

ROOT = Path(__file__).parents[2]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


FILES = {
    "train/1.png": b"image one",
    "trainannot/1.png": b"label one",
    "train/2.png": b"image two",
    "trainannot/2.png": b"label two",
}
LABELS = hashlib.sha256(
    "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n"
        for name, content in sorted(FILES.items())
        if name.startswith("trainannot")
    ).encode()
).hexdigest()


def tar(files: dict[str, bytes], prefix: str, mode: str = "w") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


TAR = tar(FILES, "Toy/")
REPOSITORY = tar(
    {"README.md": b"read me", "Toy/list.txt": b"1 2", **{f"Toy/{name}": FILES[name] for name in FILES}},
    "repository-1a2b/",
    "w:gz",
)


def toy(url: str | None = None, digest: str | None = None) -> Dataset:
    """A dataset with two sources, like CamVid: an archive that the user provides, or one of a repository."""
    return Dataset(
        name="toy",
        version="1",
        licence="CC0",
        citation="Nobody",
        homepage="https://example.org/toy",
        sources=(
            Source((Archive("Toy.tar", hashlib.sha256(TAR).hexdigest()),), "Toy"),
            Source((Archive("repository.tar.gz", digest, (url,) if url else ()),), "*/Toy"),
        ),
        counts={"train/*": 2, "trainannot/*": 2},
        digests={"*annot/*.png": LABELS},
    )


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """Directory of archives, and manifest to write."""
    (tmp_path / "archives").mkdir()
    return tmp_path / "archives", tmp_path / "raw" / "toy" / "manifest.json"


def test_an_existing_archive_is_used_without_the_network(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert server.seen == []
    assert listing(out.parents[1]) == ["toy/manifest.json", *(f"toy/{name}" for name in sorted(FILES))]
    manifest = read_manifest(out)
    assert {key: manifest[key] for key in ("name", "version", "licence", "citation")} == {
        "name": "toy",
        "version": "1",
        "licence": "CC0",
        "citation": "Nobody",
    }
    assert manifest["source"] == [
        {"name": "Toy.tar", "sha256": hashlib.sha256(TAR).hexdigest(), "urls": [], "md5": None, "into": ""}
    ]
    assert manifest["files"]["train/1.png"] == {"size": 9, "sha256": hashlib.sha256(b"image one").hexdigest()}
    assert set(manifest["files"]) == set(FILES)


def test_otherwise_the_repository_is_downloaded_kept_and_used_again(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=REPOSITORY)
    download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    first = out.read_bytes()
    assert {name: (out.parent / name).read_bytes() for name in FILES} == FILES
    assert listing(archives) == ["repository.tar.gz"]
    download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert len(server.seen) == 1
    assert out.read_bytes() == first


def test_both_sources_of_the_same_files_have_one_fingerprint(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=REPOSITORY)
    download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    from_repository = fingerprint(read_manifest(out))
    (archives / "Toy.tar").write_bytes(TAR)
    download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert read_manifest(out)["source"][0]["name"] == "Toy.tar"
    assert fingerprint(read_manifest(out)) == from_repository


def test_a_wrong_archive_of_the_user_is_named_and_left_alone(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(b"something else")
    with pytest.raises(ValueError, match="delete or replace the file") as caught:
        download_dataset(toy(), archives, out, HASTE)
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(archives / "Toy.tar"), sha256(archives / "Toy.tar"), hashlib.sha256(TAR).hexdigest()):
        assert part in message
    assert (archives / "Toy.tar").read_bytes() == b"something else"
    assert not out.parents[1].exists()


WRONG = {
    "a label differs": ({**FILES, "trainannot/2.png": b"label 2"}, "SHA-256 of"),
    "a file is missing": ({name: FILES[name] for name in list(FILES)[1:]}, r"1 files train/\*, expected 2"),
    "hostile": ({**FILES, "../../../evil": b"evil"}, "contains '..'"),
}


@pytest.mark.parametrize(("files", "words"), WRONG.values(), ids=WRONG)
def test_wrong_content_keeps_the_old_directory_and_is_deleted_if_it_was_downloaded(
    server: Server, place: tuple[Path, Path], files: dict[str, bytes], words: str
) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download_dataset(toy(), archives, out, HASTE)
    (archives / "Toy.tar").unlink()
    good = {name: (out.parent / name).read_bytes() for name in listing(out.parent)}
    server.pages["/r"] = Page(body=tar(files, "repository-1a2b/Toy/", "w:gz"))
    with pytest.raises(ValueError, match=words) as caught:
        download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert str(caught.value).splitlines()[-1].endswith("deleted; run again to download it again")
    assert {name: (out.parent / name).read_bytes() for name in listing(out.parent)} == good
    assert listing(archives) == []
    assert [path.name for path in out.parents[1].iterdir()] == ["toy"]
    (archives / "repository.tar.gz").write_bytes(server.pages["/r"].body)
    with pytest.raises(ValueError, match=words):
        download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert listing(archives) == ["repository.tar.gz"]  # the user's archive is kept


def test_a_downloaded_archive_with_the_right_digest_is_kept(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    wrong = tar({"train/1.png": b""}, "r/Toy/")
    server.pages["/r"] = Page(body=wrong)
    with pytest.raises(ValueError, match=r"1 files train/\*, expected 2"):
        download_dataset(toy(f"{server.url}/r", hashlib.sha256(wrong).hexdigest()), archives, out, HASTE)
    assert listing(archives) == ["repository.tar.gz"]


def test_a_run_killed_in_the_swap_is_undone_even_if_the_next_fails(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    download_dataset(toy(), archives, out, HASTE)
    (out.parents[1] / ".toy.1.part").mkdir()
    (out.parents[1] / ".toy.1.part/.lock").touch()
    out.parent.rename(out.parents[1] / ".toy.1.part/.old")
    (archives / "Toy.tar").write_bytes(b"bad")
    with pytest.raises(ValueError, match="SHA-256"):
        download_dataset(toy(), archives, out, HASTE)
    assert listing(out.parents[1]) == ["toy/manifest.json", *(f"toy/{name}" for name in sorted(FILES))]


def test_a_login_page_instead_of_an_archive_is_refused(server: Server, place: tuple[Path, Path]) -> None:
    archives, out = place
    server.pages["/r"] = Page(body=b"<html>Please log in</html>")
    with pytest.raises(ValueError, match="truncated or corrupt"):
        download_dataset(toy(f"{server.url}/r"), archives, out, HASTE)
    assert listing(out.parents[2]) == []


def test_other_files_are_not_deleted(place: tuple[Path, Path]) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    out.parent.mkdir(parents=True)
    (out.parent / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match=r"contains thesis\.tex, not part of toy"):
        download_dataset(toy(), archives, out, HASTE)
    assert listing(out.parent) == ["thesis.tex"]


def test_a_users_files_under_the_names_of_the_dataset_are_not_deleted(place: tuple[Path, Path]) -> None:
    """Without a manifest, only exactly the owner's files are replaced."""
    archives, out = place
    dataset = toy()
    pattern = next(iter(dataset.counts))
    own = out.parent / pattern.replace("*", "mine")
    own.parent.mkdir(parents=True)
    own.write_bytes(b"mine")
    (archives / "toy.tar").write_bytes(tar(FILES, "toy"))
    with pytest.raises(ValueError, match=r"would be replaced, but is not toy: got \d files .*; move these files"):
        download_dataset(dataset, archives, out)
    assert own.read_bytes() == b"mine"


def test_a_directory_that_is_a_link_stays_a_link(place: tuple[Path, Path], tmp_path: Path) -> None:
    archives, out = place
    (archives / "Toy.tar").write_bytes(TAR)
    (tmp_path / "disk" / "toy").mkdir(parents=True)
    out.parents[1].mkdir()
    out.parent.symlink_to(tmp_path / "disk" / "toy")
    download_dataset(toy(), archives, out, HASTE)
    assert out.parent.is_symlink()
    assert (tmp_path / "disk" / "toy" / "manifest.json").is_file()


def test_a_full_disk_while_fetching(server: Server, small_disk: Path) -> None:
    server.pages["/x.tar"] = Page(body=BODY * 4)
    row = replace(toy(), sources=(Source((Archive("x.tar", None, (f"{server.url}/x.tar",)),)),))
    with pytest.raises(OSError, match="No space left on device; free some space and run again") as caught:
        download_dataset(row, small_disk, small_disk / "toy" / "manifest.json", HASTE)
    assert str(caught.value).startswith(f"{small_disk}: ")
    assert listing(small_disk) == ["x.tar.part", "x.tar.part.json"]  # the next run resumes it


def test_a_full_disk_while_unpacking_leaves_it_as_it_was(small_disk: Path, tmp_path: Path) -> None:
    large = {**FILES, "train/1.png": bytes(2 << 20)}
    (tmp_path / "repository.tar.gz").write_bytes(tar(large, "r/Toy/", "w:gz"))
    (small_disk / "other").write_text("others'")
    with pytest.raises(OSError, match="No space left on device; free some space and run again") as caught:
        download_dataset(toy(), tmp_path, small_disk / "toy" / "manifest.json", HASTE)
    assert str(caught.value).startswith(f"{small_disk}: ")
    assert sorted(path.name for path in small_disk.iterdir()) == ["other"]
    assert (tmp_path / "repository.tar.gz").exists()


# Real processes


def stage(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.datasets.download", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_wrong_archive_ends_the_process_with_one_line_and_code_2(tmp_path: Path) -> None:
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / "CamVid.tar").write_bytes(b"something else")
    out = tmp_path / "raw" / "camvid" / "manifest.json"
    done = stage("--dataset", "camvid", "--archives", tmp_path / "archives", "--out", out)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {tmp_path / 'archives' / 'CamVid.tar'}: SHA-256 is ")
    assert DATASETS["camvid"].sources[0].archives[0].sha256 in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert listing(tmp_path) == ["archives/CamVid.tar"]
    assert not (tmp_path / "raw").exists()


def test_an_unknown_dataset_ends_the_process_with_one_line_and_code_2(tmp_path: Path) -> None:
    done = stage("--dataset", "kamvid", "--archives", tmp_path, "--out", tmp_path / "x" / "manifest.json")
    assert done.returncode == 2
    known = ", ".join(DATASETS)
    assert done.stderr == f"error: dataset 'kamvid' is unknown; did you mean 'camvid'? known are {known}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_the_user_has_extracted_needs_no_archive(place: tuple[Path, Path]) -> None:
    archives, out = place
    dataset = replace(toy(), sources=(Source((Archive(name="Toy.tar", sha256=None),)),))
    for name, content in FILES.items():
        (out.parent / name).parent.mkdir(parents=True, exist_ok=True)
        (out.parent / name).write_bytes(content)
    download_dataset(dataset, archives, out, HASTE)
    manifest = read_manifest(out)
    assert set(manifest["files"]) == set(FILES)
    assert manifest["source"] == "extracted by the user"
    out.unlink()
    (out.parent / next(iter(FILES))).unlink()
    with pytest.raises(ValueError, match=r"would be replaced, but is not toy: got \d files"):
        download_dataset(dataset, archives, out, HASTE)


def test_the_check_knows_extracted_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "toy", replace(toy(), sources=(Source((Archive(name="Toy.tar", sha256=None),)),)))
    assert "toy: get Toy.tar from" in missing(["toy"], tmp_path, tmp_path / "raw")[0]
    for name, content in FILES.items():
        (tmp_path / "raw/toy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "raw/toy" / name).write_bytes(content)
    assert missing(["toy"], tmp_path, tmp_path / "raw") == []
    (tmp_path / "raw/toy" / next(iter(FILES))).unlink()
    [line] = missing(["toy"], tmp_path, tmp_path / "raw")
    assert re.search(
        r"are your selection \(got 1 files .+, expected 2\), give them another name, with layout: toy", line
    )
