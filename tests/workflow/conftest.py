"""A clone of the project with a minimal demo, run once; tests use copies of it."""

import shutil
import subprocess
from pathlib import Path

import pytest
from clones import Clone

ROOT = Path(__file__).parents[2]


def write_clone(path: Path) -> Clone:
    """Write a clone that has not run."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for file in files:
        if (ROOT / file).is_file():
            (path / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, path / file)
    clone = Clone(path)
    clone.set("studies", {"cityscapes_fcn": clone.params()["studies"]["cityscapes_fcn"]})
    clone.set("studies.cityscapes_fcn.variants.resnet50_frozen.enabled", False)
    clone.set("datasets.streets.size", [64, 128])
    clone.set("datasets.streets.scenes", {"train": 8, "val": 4, "seed": 7})
    clone.set("presets.demo.epochs_scale", 0.03)
    clone.set("budgets.demo.epochs", {})
    clone.set("cluster.training_of", {})
    clone.set("defaults.precision", "fp32")
    clone.set("defaults.threads", 1)
    for command in ("init -q", "add -A", "-c user.name=t -c user.email=t@example.org commit -qm start"):
        clone.run("git", *command.split())
    return clone


@pytest.fixture
def new_clone(tmp_path: Path) -> Clone:
    """A clone that has not run."""
    return write_clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The finished clone; tests do not change it."""
    clone = write_clone(tmp_path_factory.mktemp("workflow") / "clone")
    clone.snakemake()
    return clone


@pytest.fixture
def clone(template: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished clone with its time stamps."""
    return Clone(Path(shutil.copytree(template.path, tmp_path / "clone", symlinks=True)))
