"""A user's own images under DVC survive checkout and gc, and are pushed and pulled."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from clones import Clone
from PIL import Image

pytestmark = pytest.mark.workflow


def write_images(root: Path) -> None:
    """Three images with labels and their class table."""
    generator = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for k in range(3):
        Image.fromarray(generator.integers(0, 256, (32, 48, 3), np.uint8)).save(root / f"images/{k}.png")
        Image.fromarray(generator.integers(0, 2, (32, 48), np.uint8)).save(root / f"labels/{k}.png")
    (root / "classes.yaml").write_text("[wall, crack]\n")


def digests(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


COMMIT = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam"]


def test_images_added_to_dvc_survive_checkout_and_gc_and_travel(clone: Clone, tmp_path: Path) -> None:
    root = clone.path / "data/raw/cracks"
    write_images(root)
    before = digests(root)
    clone.run("dvc", "repro")
    clone.run("dvc", "add", "data/raw/cracks")
    clone.run("git", "add", "-A")
    assert "data/raw/cracks.dvc" in clone.run("git", "diff", "--cached", "--name-only").splitlines()
    clone.run(*COMMIT, "images")

    clone.run("dvc", "checkout")
    assert digests(root) == before
    clone.run("dvc", "gc", "--workspace", "--force")
    clone.run("dvc", "checkout")
    assert digests(root) == before
    clone.run("dvc", "remote", "add", "--default", "store", str(tmp_path / "store"))
    clone.run("dvc", "push")
    clone.run(*COMMIT, "remote")

    there = Clone(tmp_path / "there")
    clone.run("git", "clone", "-q", ".", str(there.path))
    there.run("dvc", "pull")
    assert digests(there.path / "data/raw/cracks") == before


def test_generated_files_are_ignored_by_git(new_clone: Clone) -> None:
    made = ("archives/a.tar", "manifests/a.json", "packs/demo/a.npy", "weights/a.safetensors", "raw/camvid/a.png")
    for name in made:
        (new_clone.path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (new_clone.path / "data" / name).touch()
    for name in ("results/demo/table.csv", "logs/a.log"):
        (new_clone.path / name).parent.mkdir(parents=True, exist_ok=True)
        (new_clone.path / name).touch()
    assert new_clone.run("git", "status", "--porcelain", "--untracked-files=all") == ""
