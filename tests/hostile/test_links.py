"""Directories of a run as links to another disk: Snakemake and git follow them, DVC does not."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from clones import ROOT, Clone
from trials import Trial, run_trial

FOLDERS = ("data", "results", "logs", ".snakemake")
MANIFEST = "data/raw/streets/manifest.json"
SNAKEMAKE = ("snakemake", "--cores", "1", "--snakefile", str(ROOT / "Snakefile"))
ANYTHING = ("*",)
STAGE = {"DVC_STAGE": "all"}  # DVC sets it for the commands of a stage
REFUSED = (
    r"DVC tracks no files inside a link; run snakemake itself, or use a directory and move DVC's cache instead: "
    r"`dvc cache dir --local <directory>`"
)


def linked(*paths: str) -> Callable[[Path], None]:
    """Links to directories on another disk, here of the same name in `disk`."""

    def arrange(root: Path) -> None:
        for path in paths:
            target = root / "disk" / path
            target.mkdir(parents=True)
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)

    return arrange


def to(path: str, target: str) -> Callable[[Path], None]:
    return lambda root: (root / path).symlink_to(target)


def refused(folder: str) -> Trial:
    return Trial(
        f"{folder} is a link, and DVC runs",
        (*SNAKEMAKE, "--", MANIFEST),
        linked(folder),
        rf"error: {folder}: {REFUSED}",
        variables=STAGE,
        process=True,
        writes=(".snakemake*", "disk/.snakemake*"),
    )


TRIALS = [
    refused("data"),
    refused("data/packs"),
    refused(".snakemake"),
    Trial("all four are links, without DVC", (*SNAKEMAKE, "-n", "--", MANIFEST), linked(*FOLDERS),
          r"This was a dry-run.*", code=0, errors=0, writes=ANYTHING, process=True),
    Trial("logs are a link, and DVC runs", (*SNAKEMAKE, "-n", "--", MANIFEST), linked("logs"),
          r"This was a dry-run.*", code=0, errors=0, variables=STAGE, writes=(".snakemake*",), process=True),
    Trial("results are a link to nothing", (*SNAKEMAKE, "-n", "--", MANIFEST), to("results", "/mnt/gone"),
          r"error: results: links to /mnt/gone, which does not exist; mount the disk or fix the link",
          writes=(".snakemake*",), process=True),
    Trial("data is a link to itself", (*SNAKEMAKE, "-n", "--", MANIFEST), to("data", "data"),
          r"error: data: links to data, which does not exist; mount the disk or fix the link",
          writes=(".snakemake*",), process=True),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_links_to_another_disk(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)


IGNORED = (
    "results",
    "logs",
    ".snakemake",
    ".venv",
    "data/archives",
    "data/manifests",
    "data/packs",
    "data/weights",
    "data/raw",
    "data/raw/cracks",
)


@pytest.mark.parametrize(
    ("path", "link"), [*((path, False) for path in IGNORED), *((path, True) for path in (*IGNORED, "data"))]
)
def test_git_ignores_the_directories_of_a_run(path: str, link: bool, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_bytes((ROOT / ".gitignore").read_bytes())
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk/file").touch()
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    if link:
        (tmp_path / path).symlink_to(tmp_path / "disk")
    else:
        (tmp_path / "disk").rename(tmp_path / path)
    status = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert status.stdout.split() == ["??", ".gitignore", *(["??", "disk/file"] if link else [])]


@pytest.mark.workflow
def test_snakemake_runs_through_links_and_dvc_stops_before_the_run(new_clone: Clone, tmp_path: Path) -> None:
    for folder in FOLDERS:
        (tmp_path / "disk" / folder).mkdir(parents=True)
        (new_clone.path / folder).symlink_to(tmp_path / "disk" / folder)
    target = "data/packs/demo/streets-64x128/statistics.json"
    new_clone.snakemake("--", target)
    assert (tmp_path / "disk" / target).is_file()
    assert "Nothing to be done" in new_clone.snakemake("--", target)
    assert new_clone.run("git", "status", "--short") == ""
    output = new_clone.run("dvc", "repro", code=255)
    assert f"error: data: {REFUSED}" in output.replace("\\", "")
    assert not (new_clone.path / "results/demo").exists()


@pytest.mark.workflow
def test_dvc_keeps_its_cache_on_another_disk(clone: Clone, tmp_path: Path) -> None:
    clone.run("dvc", "cache", "dir", "--local", str(tmp_path / "cache"))
    clone.run("dvc", "repro")
    assert any((tmp_path / "cache").rglob("*.dir"))
    assert "up to date" in clone.run("dvc", "status")
