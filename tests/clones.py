"""A temporary clone of the project, and commands to run in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
VARIANTS = ("baseline", "augmented", "augmented_full_resolution", "adapted", "dice", "unet")
_JOB = re.compile(r"^Job \d+: (.*)$", re.MULTILINE)


class Clone(NamedTuple):
    """A directory with the project."""

    path: Path

    def run(self, *command: str, code: int = 0) -> str:
        """Run a program and return its output; fail if it has another exit code."""
        done = subprocess.run(
            command, cwd=self.path, env=environment(), capture_output=True, text=True, check=False, timeout=500
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output[-4000:]
        return output

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Start a program in a new process group; its output is read from `stdout`."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, code: int = 0) -> str:
        """Run Snakemake as a user does."""
        return self.run("snakemake", "--cores", "4", "--resources", "gpu=1", *arguments, code=code)

    def scheduled(self, *arguments: str) -> list[str]:
        """Messages of the jobs that a dry run would start, sorted."""
        return sorted(_JOB.findall(self.snakemake("-n", *arguments)))

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace text in a file."""
        path = self.path / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))

    def params(self) -> dict[str, Any]:
        """Content of `params.yaml`."""
        content: dict[str, Any] = yaml.safe_load((self.path / "params.yaml").read_text())
        return content

    def set(self, path: str, value: Any) -> None:
        """Set a value of `params.yaml` by its path."""
        content = self.params()
        *keys, last = path.split(".")
        place = content
        for key in keys:
            place = place[key]
        place[last] = value
        (self.path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def result(self, name: str) -> Path:
        """A file below the study's results."""
        return self.path / "results/demo/cityscapes_fcn" / name


def environment() -> dict[str, str]:
    """Environment of a user: this interpreter's programs first, without PYTHONPATH."""
    paths = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | {"PATH": paths}


def rerun(*variants: str) -> list[str]:
    """Jobs that a stale training schedules."""
    steps = [f"{verb} cityscapes_fcn/{name} with seed 0" for name in variants for verb in ("Train", "Evaluate")]
    return sorted([*steps, "Tabulate cityscapes_fcn", "Report preset demo"])


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
