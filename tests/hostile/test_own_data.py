"""What people do to the files of their own datasets: each change of the content is seen, nothing else is."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from clones import ROOT, environment
from requirements import mounted
from trials import Trial, run_trial

from seg.config.description import describe
from seg.datasets import register
from seg.datasets.manifest import fingerprint, write_manifest

Change = Callable[[Path], object]  # of the directory of a dataset

FILES = {
    "classes.yaml": b"[wall, crack]\n",
    "train.txt": b"a\n",
    "val.txt": b"b\n",
    **{f"{folder}/{name}.png": f"{folder} {name}".encode() for folder in ("images", "labels") for name in "abc"},
}
CONTENT = fingerprint(
    {"files": {name: {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in FILES.items()}}
)
LABEL = "labels/a.png"


def write_files(root: Path) -> None:
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def after(change: Change) -> Change:
    """A dataset `cracks` whose digests are remembered, then the change."""

    def arrange(root: Path) -> None:
        write_files(root / "cracks")
        with patch.object(register, "_TOO_RECENT", -(10**10)):  # keep digests of files that have just been written
            register.own_contents([describe("folder")], root / "cracks", root / "memory.json")
        change(root / "cracks")

    return arrange


def edited(name: str) -> Change:
    """Other content of the same size in place."""
    return lambda root: (root / name).write_bytes((root / name).read_bytes()[::-1])


def same_time(name: str, change: Change) -> Change:
    def keep(root: Path) -> None:
        before = (root / name).stat()
        change(root)
        os.utime(root / name, ns=(before.st_atime_ns, before.st_mtime_ns))

    return keep


def copied(root: Path) -> None:
    """A correction with the time stamp of the label, copied with `cp -p`."""
    other = root.parent / "corrected.png"
    other.write_bytes(FILES[LABEL][::-1])
    shutil.copystat(root / LABEL, other)
    subprocess.run(["cp", "-p", other, root / LABEL], check=True)


def renamed_over(root: Path) -> None:
    """As `rsync -a` does."""
    other = root / "labels/.a.png.x7"
    other.write_bytes(FILES[LABEL][::-1])
    shutil.copystat(root / LABEL, other)
    other.replace(root / LABEL)


def unzipped(root: Path) -> None:
    moment = (root / LABEL).stat()
    with zipfile.ZipFile(root.parent / "labels.zip", "w") as archive:
        archive.writestr(LABEL, FILES[LABEL][::-1])
    with zipfile.ZipFile(root.parent / "labels.zip") as archive:
        archive.extractall(root)
    os.utime(root / LABEL, ns=(moment.st_atime_ns, moment.st_mtime_ns))


def swapped(root: Path) -> None:
    (root / "labels/a.png").rename(root / "labels/x")
    (root / "labels/b.png").rename(root / "labels/a.png")
    (root / "labels/x").rename(root / "labels/b.png")


def moved(name: str, then: Change = lambda root: None) -> Change:
    """A file or directory moved elsewhere and replaced by a link, then a change behind it."""

    def change(root: Path) -> None:
        away = root.parent / "disk" / name
        away.parent.mkdir(parents=True)
        (root / name).rename(away)
        (root / name).symlink_to(away)
        then(root)

    return change


def pointed_elsewhere(root: Path) -> None:
    """`images` becomes a link to the images of another camera, with the same names, sizes and time stamps."""
    shutil.copytree(root / "images", root.parent / "other")
    (root.parent / "other/a.png").write_bytes(FILES["images/a.png"][::-1])
    shutil.copystat(root / "images/a.png", root.parent / "other/a.png")
    shutil.rmtree(root / "images")
    (root / "images").symlink_to("../other")


def linked(root: Path) -> None:
    (root / LABEL).unlink()
    (root / LABEL).hardlink_to(root / "labels/b.png")


def copied_back(root: Path) -> None:
    """The whole dataset is copied and the copy renamed: other inodes and ctimes."""
    shutil.copytree(root, root.parent / "copy")
    shutil.rmtree(root)
    (root.parent / "copy").rename(root)


def touched(root: Path) -> None:
    for name in FILES:
        (root / name).touch()


def made(*names: str) -> Change:
    def change(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(b"new")

    return change


def replaced_by_link(name: str, target: str) -> Change:
    def change(root: Path) -> None:
        shutil.rmtree(root / name, ignore_errors=True)
        (root / name).symlink_to(target)

    return change


def is_file(root: Path) -> None:
    shutil.rmtree(root / "images")
    (root / "images").touch()


def forgotten(root: Path) -> None:
    (root.parent / "memory.json").write_text('{"labels/a.png": [1, 2')


REGISTER = "seg.datasets.register --name cracks --root cracks --memory memory.json --out manifest.json"
SEEN = r"error: cracks: files changed since the start of the run; run again"


def seen(name: str, change: Change, line: str = SEEN, errors: int = 1) -> Trial:
    command = f"{REGISTER} --content {CONTENT}".split()
    return Trial(name, command, after(change), line, errors=errors, changes=["memory.json"])


def unseen(name: str, change: Change, content: str = f" --content {CONTENT}") -> Trial:
    command = f"{REGISTER}{content}".split()
    written: dict[str, Any] = {"writes": ["manifest.json"], "changes": ["memory.json"]}
    return Trial(name, command, after(change), "", code=0, errors=0, **written)


def refused(name: str, change: Change, what: str) -> Trial:
    return seen(name, change, f"error: cracks/{what}")


LOOP = ": a link to a directory that contains it; remove it"
TRIALS = [
    # Content that changes
    seen("a label edited in place", edited(LABEL)),
    seen("a label edited in place under the same time stamp", same_time(LABEL, edited(LABEL))),
    seen("a label corrected with cp -p", copied),
    seen("a label corrected as by rsync -a", renamed_over),
    seen("a label from an archive, with its time stamp", unzipped),
    seen("an image edited under the same time stamp", same_time("images/b.png", edited("images/b.png"))),
    seen("an image of no split edited", same_time("images/c.png", edited("images/c.png"))),
    seen("classes.yaml under the same time stamp", same_time("classes.yaml", edited("classes.yaml"))),
    seen("train.txt under the same time stamp", same_time("train.txt", edited("train.txt"))),
    seen("val.txt under the same time stamp", same_time("val.txt", edited("val.txt"))),
    seen("a list more", made("test.txt")),
    seen("a list less", lambda root: (root / "val.txt").unlink()),
    seen("classes.yaml removed", lambda root: (root / "classes.yaml").unlink()),
    seen("an image more", made("images/d.png", "labels/d.png")),
    seen("an image in capital letters", made("images/d.JPEG", "labels/d.PNG")),
    seen("an image less", lambda root: (root / "images/a.png").unlink()),
    seen("a label renamed", lambda root: (root / LABEL).rename(root / "labels/d.png")),
    seen("two labels swapped", swapped),
    seen("a label that is a hard link to another", linked),
    seen("a label that becomes a link to another", moved(LABEL, same_time(LABEL, edited(LABEL)))),
    seen("a label behind a link, edited under the same time stamp", moved("labels", same_time(LABEL, edited(LABEL)))),
    seen("images that become a link to others with the same time stamps", pointed_elsewhere),
    seen("a label whose link leads nowhere", lambda root: moved(LABEL)(root) or (root / LABEL).resolve().unlink()),
    seen("a label edited while the memory was lost", lambda root: forgotten(root) or edited(LABEL)(root)),
    # Everything else
    unseen("nothing", lambda root: None),
    unseen("new time stamps", touched),
    unseen("a copy in place of the dataset", copied_back),
    unseen("a memory that was lost", forgotten),
    unseen("a file that the layout does not read", made("README", "images/Thumbs.db", "train.txt~")),
    unseen("hidden files", made(".DS_Store", "images/._a.png", ".git/config", "labels/.ipynb_checkpoints/a.png")),
    unseen("the manifest of an older version", made("manifest.json")),
    unseen("another dataset inside", made("old/classes.yaml", "old/images/a.png", "images/old/a.png")),
    unseen("images that are moved to another disk and linked", moved("images")),
    unseen("a label that is moved and linked", moved(LABEL)),
    unseen("a dataset that is moved and linked", lambda root: moved(root.name)(root.parent)),
    unseen("a pipe, which would wait for ever", lambda root: os.mkfifo(root / "images/d.png")),
    unseen("a directory named as an image", lambda root: (root / "images/d.png").mkdir()),
    unseen("odd names", made("images/{x}.png", "images/-rf.png", "images/a\nb.png", "images/$(x) '\".png"), ""),
    unseen("names that are not UTF-8", lambda root: Path(os.fsdecode(bytes(root) + b"/images/\xff.png")).touch(), ""),
    # Links that lead nowhere or back
    refused(
        "a link to the directory around it", lambda root: (root / "images/up").symlink_to(".."), f"images/up{LOOP}"
    ),
    refused("a link to its own directory", lambda root: (root / "labels/here").symlink_to("."), f"labels/here{LOOP}"),
    refused("a link in the dataset to the dataset", lambda root: (root / "again").symlink_to("."), f"again{LOOP}"),
    refused("a link to the root", lambda root: (root / "images/all").symlink_to("/"), f"images/all{LOOP}"),
    refused(
        "images that link to themselves",
        replaced_by_link("images", "images"),
        "images: a link to images, where no directory is; put the images of the dataset there",
    ),
    refused(
        "images on a disk that is not mounted",
        replaced_by_link("images", "/mnt/none/images"),
        "images: a link to /mnt/none/images, where no directory is; put the images of the dataset there",
    ),
    refused(
        "no labels",
        lambda root: shutil.rmtree(root / "labels"),
        "labels: no such directory; put the labels of the dataset there",
    ),
    refused("a file in place of images", is_file, "images: not a directory; put the images of the dataset there"),
    refused("no dataset", shutil.rmtree, "images: no such directory; put the images of the dataset there"),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_own_files(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)


MANIFEST = "data/manifests/cracks.json"
CRACKS = "datasets:\n  cracks: { layout: folder, size: [32, 32], eval_split: val }\n"


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the workflow and a dataset `cracks` that Snakemake has registered. Read only."""
    root = tmp_path_factory.mktemp("registered")
    for name in ("workflow", "seg", "profiles"):
        (root / name).symlink_to(ROOT / name)
    for name in ("Snakefile", "dvc.yaml"):
        shutil.copyfile(ROOT / name, root / name)
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(text.replace("\ndatasets:\n", f"\n{CRACKS}", 1), encoding="utf-8")
    write_files(root / "data/raw/cracks")
    subprocess.run(["snakemake", "--cores", "1", "--", MANIFEST], cwd=root, env=environment(), check=True)
    assert fingerprint(json.loads((root / MANIFEST).read_text())) == CONTENT
    return root


def dry_run(name: str, change: Change, line: str, *config: str, code: int = 0) -> Trial:
    """`snakemake -n` after a change of the dataset."""
    command = ("snakemake", "-n", *(("--config", *config) if config else ()), "--", MANIFEST)
    errors = int(line.startswith("error"))
    own = [".snakemake*"]
    return Trial(
        name, command, lambda root: change(root / "data/raw/cracks"), line, code, errors, own, own, process=True
    )


def tracked(change: Change) -> Change:
    """A dataset that is also under DVC."""
    return lambda root: change(root) or root.with_suffix(".dvc").touch()


def rendered_and_edited(root: Path) -> None:
    streets = root.parent / "streets"
    made("a.png", "b.png", "c.png")(streets)
    write_manifest(streets / "manifest.json", {})
    (streets / "a.png").write_bytes(b"edited")
    (streets / "b.png").unlink()


NOTHING = r"Nothing to be done .*"
LISTED = r"Job 0: List the images and labels in data/raw/cracks"
DRY_RUNS = [
    dry_run("nothing", lambda root: None, NOTHING),
    dry_run("a label edited under the same time stamp", same_time(LABEL, edited(LABEL)), LISTED),
    dry_run("images that are not here", shutil.rmtree, NOTHING),
    dry_run("a dataset that is moved and linked", lambda root: moved(root.name)(root.parent), NOTHING),
    dry_run("a file that the layout does not read", made("README"), NOTHING),
    dry_run(
        "a link that leads back",
        lambda root: (root / "images/up").symlink_to(".."),
        f"error: data/raw/cracks/images/up{LOOP}",
        code=2,
    ),
    dry_run("everything read again", touched, NOTHING, "verify=true"),
    dry_run(
        "rendered files that were edited",
        rendered_and_edited,
        r"warning: data/raw/streets: a\.png and 1 others changed since the dataset was made; "
        r"delete data/raw/streets/manifest\.json and run again to restore them",
        "verify=true",
    ),
    dry_run(
        "verify with another value",
        lambda root: None,
        r"error: verify: got 'maybe'; input should be a valid boolean",
        "verify=maybe",
        code=2,
    ),
    dry_run(
        "images that DVC leaves out",
        tracked(moved("images")),
        r"warning: data/raw/cracks/images: a link to a directory, which DVC does not follow: "
        r"`dvc add` leaves its files out; move them here",
    ),
    dry_run(
        "a dataset that dvc repro does not look at",
        tracked(lambda root: None),
        r"warning: dvc\.yaml: `dvc repro` does not notice changes of data/raw/cracks; add it to deps",
    ),
]


@pytest.mark.parametrize("trial", DRY_RUNS, ids=str)
def test_runs(trial: Trial, registered: Path, tmp_path: Path) -> None:
    shutil.copytree(registered, tmp_path, symlinks=True, dirs_exist_ok=True)
    run_trial(trial, tmp_path)


def test_a_change_that_dvc_does_not_notice_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "cracks.dvc").touch()
    line = (
        r"warning: cracks: labels/a\.png changed, but not their size and time stamp, so DVC does not notice it; "
        r"`touch` them before `dvc add`"
    )
    trial = seen("", same_time(LABEL, edited(LABEL)), line)
    run_trial(trial, tmp_path)


@pytest.fixture
def read_only(registered: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of `registered` whose dataset is read-only, also for root."""
    root = tmp_path / "here"
    shutil.copytree(registered, root, symlinks=True)
    edited(LABEL)(root / "data/raw/cracks")
    folder = str(root / "data/raw/cracks")
    mounted("--bind", folder, folder, what="a read-only dataset")
    subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
    yield root
    subprocess.run(["umount", folder], check=True)


def test_a_read_only_dataset_is_registered(read_only: Path) -> None:
    with pytest.raises(OSError, match=os.strerror(errno.EROFS)):
        (read_only / "data/raw/cracks/new").touch()
    trial = Trial(
        "",
        ("snakemake", "--cores", "1", "--", MANIFEST),
        lambda root: None,
        LISTED,
        code=0,
        errors=0,
        writes=["logs*", ".snakemake*"],
        changes=["logs*", ".snakemake*", MANIFEST],
        process=True,
    )
    run_trial(trial, read_only)


def test_a_dataset_that_is_not_here_is_requested_before_the_first_job(registered: Path, tmp_path: Path) -> None:
    shutil.copytree(registered, tmp_path, symlinks=True, dirs_exist_ok=True)
    line = r"error: data/raw/cracks: no such directory; put the files of the dataset there"
    shutil.rmtree(tmp_path / "data")
    command = ("snakemake", "--cores", "1", "--", MANIFEST)
    run_trial(
        Trial("", command, lambda root: None, line, writes=[".snakemake*"], changes=[".snakemake*"], process=True),
        tmp_path,
    )
