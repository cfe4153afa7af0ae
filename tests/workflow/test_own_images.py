"""A user's own images under DVC survive checkout and gc, and are pushed and pulled; a change of them is seen."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from clones import Clone, write_clone
from PIL import Image
from safetensors.torch import load_file, save_file

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


STUDY = {
    "title": "Cracks",
    "source": "our own",
    "dataset": "cracks",
    "defaults": {"model": {"name": "fcn"}, "loss": "cross_entropy", "batch": 2, "epochs": 1, "lr": 0.01},
    "variants": {"fcn": {"lr": 0.01}},
}
RATE = "studies.cracks.variants.fcn.lr"
TRAINED = ["Evaluate cracks/fcn with seed 0", "Report preset demo", "Tabulate cracks", "Train cracks/fcn with seed 0"]
REGISTERED = "List the images and labels in data/raw/cracks"


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a finished study on its own images, added to DVC before the first run, and pushed. Read only."""
    folder = tmp_path_factory.mktemp("own")
    clone = write_clone(folder / "first")
    clone.set("studies", {"cracks": STUDY})
    clone.set("datasets.cracks", {"layout": "folder", "size": [32, 32], "eval_split": "val"})
    clone.edit("dvc.yaml", "seg]", "seg, data/raw/cracks]")
    root = clone.path / "data/raw/cracks"
    write_images(root)
    (root / "train.txt").write_text("0\n1\n")
    (root / "val.txt").write_text("2\n")
    clone.run("git", "config", "user.name", "t")
    clone.run("git", "config", "user.email", "t@example.org")
    clone.run("dvc", "remote", "add", "--default", "store", str(folder / "store"))
    clone.run("dvc", "add", "data/raw/cracks")
    assert "warning" not in clone.run("dvc", "repro")
    commit(clone)
    clone.run("dvc", "push")
    return clone


@pytest.fixture
def owned(sent: Clone, tmp_path: Path) -> Clone:
    """A copy of `sent`."""
    return Clone(Path(shutil.copytree(sent.path, tmp_path / "copy", symlinks=True)))


def commit(clone: Clone) -> None:
    clone.run("git", "add", "-A")
    clone.run("git", "commit", "-qm", "a change")


def arrived(clone: Clone, path: Path) -> Clone:
    """A new clone, before `dvc pull`."""
    clone.run("git", "clone", "-q", ".", str(path))
    there = Clone(path)
    there.run("git", "config", "user.name", "t")
    there.run("git", "config", "user.email", "t@example.org")
    return there


def images(clone: Clone) -> dict[str, str]:
    return digests(clone.path / "data/raw/cracks")


def nothing_to_do(clone: Clone) -> None:
    assert clone.scheduled() == []
    assert "up to date" in clone.run("dvc", "status")


def correct(clone: Clone, mode: str = "r+b") -> None:
    """Change a file without changing its size and time stamp."""
    path = clone.path / "data/raw/cracks/classes.yaml"
    before = path.stat()
    with path.open(mode) as file:
        file.write(b"[wall, crock]\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_after_a_pull_nothing_reruns_with_and_without_the_images(sent: Clone, tmp_path: Path) -> None:
    there = arrived(sent, tmp_path / "there")
    there.run("dvc", "pull", "results/demo", ".snakemake/metadata")
    assert there.scheduled() == []
    there.run("dvc", "pull", "data/packs/demo", "data/manifests")
    there.set(RATE, 0.02)
    assert there.scheduled() == TRAINED
    there.run("git", "checkout", "-q", ".")
    there.run("dvc", "pull")
    assert images(there) == images(sent)
    nothing_to_do(there)
    for path in (there.path / "data/raw/cracks").rglob("*"):
        path.touch()
    nothing_to_do(there)


def test_a_correction_is_seen_and_travels_and_history_is_kept(owned: Clone, tmp_path: Path) -> None:
    before = images(owned)
    assert owned.scheduled() == []
    correct(owned)
    assert REGISTERED in owned.scheduled()
    (owned.path / "data/raw/cracks/classes.yaml").touch()  # DVC does not see it otherwise
    owned.run("dvc", "repro")
    nothing_to_do(owned)
    after = images(owned)
    assert after != before
    commit(owned)
    owned.run("dvc", "push")

    there = arrived(owned, tmp_path / "there")
    there.run("dvc", "pull")
    assert images(there) == after
    nothing_to_do(there)
    for revision, expected in (("HEAD~1", before), ("-", after)):
        owned.run("git", "checkout", "-q", revision)
        owned.run("dvc", "checkout")
        assert images(owned) == expected
        nothing_to_do(owned)


@pytest.mark.parametrize("scope", [["--workspace"], ["--all-commits"], ["--workspace", "--cloud"]], ids=str)
def test_images_that_were_deleted_come_back_after_gc(owned: Clone, scope: list[str]) -> None:
    before = images(owned)
    owned.run("dvc", "gc", "--force", *scope)
    shutil.rmtree(owned.path / "data/raw/cracks")
    owned.run("dvc", "checkout")
    assert images(owned) == before
    nothing_to_do(owned)


@pytest.mark.parametrize("how", ["temp", "queue"])
def test_an_experiment_elsewhere_has_the_images_and_trains_only(owned: Clone, how: str) -> None:
    before = images(owned)
    printed = owned.run("dvc", "exp", "run", f"--{how}", "--name", "faster", "-S", f"{RATE}=0.02")
    if how == "queue":
        owned.run("dvc", "exp", "run", "--run-all")
        printed = owned.run("dvc", "queue", "logs", "faster")
    assert "Train cracks/fcn with seed 0" in printed
    assert REGISTERED not in printed
    assert images(owned) == before
    nothing_to_do(owned)
    owned.run("dvc", "exp", "apply", "faster")
    assert images(owned) == before
    nothing_to_do(owned)


def test_jobs_of_a_run_that_verifies_all_files(owned: Clone) -> None:
    before = images(owned)
    assert owned.scheduled("--config", "verify=true") == []
    owned.set("verify", True)
    nothing_to_do(owned)
    assert images(owned) == before


def test_a_training_from_an_own_checkpoint_follows_its_content(owned: Clone) -> None:
    start, other = owned.path / "start.safetensors", owned.path / "other.safetensors"
    model = owned.path / "results/demo/cracks/fcn/seed0/model.safetensors"
    shutil.copy2(model, other)
    owned.set("studies.cracks.variants.fcn.weights", {"file": start.name})
    assert f"error: {start.name}: no such file; put the checkpoint there" in owned.snakemake(code=2)
    shutil.copy2(model, start)
    assert f"{start.name}: 62 tensors loaded; not loaded: none" in owned.snakemake()
    assert owned.scheduled() == []
    start.touch()
    assert owned.scheduled() == []
    save_file(load_file(other), start)
    os.utime(start, (0, 0))
    assert owned.scheduled() == TRAINED
    start.unlink()
    assert owned.scheduled() == []
