"""Run time of `snakemake -n` and `dvc status` with a thousand variants that are all up to date."""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import yaml

from workflow.state import RUN_VERSION

ROOT = Path(__file__).parents[1]
STUDIES = 5
RUN = [
    "model.safetensors",
    "history.csv",
    "run.json",
    "metrics.json",
    "confusion.npy",
    "samples.png",
    "evaluation.json",
]
TABLE = ["table.csv", "pairs.csv", "table.md", "curves.png"]
PACKS = [
    "val.json",
    "val.images.npy",
    "val.labels.npy",
    "val.native.json",
    "val.native.npy",
    "train.json",
    "train.images.npy",
    "train.labels.npy",
]


def finished(folder: Path, variants: int) -> None:
    """Write a copy of the project with this number of finished variants in five studies.

    Each file has one line. Snakemake (`--touch`) and DVC (`commit`) record the files as up to date.
    """
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in listed.splitlines():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file)
    content = yaml.safe_load((folder / "params.yaml").read_text())
    content["studies"] = {f"study{k}": _study(variants // STUDIES) for k in range(STUDIES)}
    content["budgets"]["demo"]["epochs"] = content["cluster"]["training_of"] = {}
    (folder / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    for name in _files(content):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"schema_version": RUN_VERSION, "name": name}) + "\n")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    run(folder, "snakemake", "--touch", "--forceall", "--quiet", "--", "all", "data")
    run(folder, "dvc", "commit", "--force", "--quiet")


def _study(variants: int) -> dict[str, Any]:
    defaults = {"model": {"name": "fcn"}, "loss": "cross_entropy", "batch": 4, "epochs": 30, "train_size": 0.5}
    rows = {f"variant{k}": {"lr": (k + 1) * 1e-5} for k in range(variants)}
    about = {"title": "Learning rates", "source": "none", "dataset": "cityscapes", "classes": ["car"]}
    return {**about, "defaults": defaults, "variants": rows}


def _files(content: dict[str, Any]) -> list[str]:
    """All files that the workflow writes."""
    packs = [f"data/packs/demo/streets-{size}/{name}" for size in ("80x120", "40x60") for name in PACKS]
    counted = [f"data/packs/demo/streets-40x60/{name}" for name in ("statistics.json", "classes.png")]
    tables = [f"results/demo/{study}/{name}" for study in content["studies"] for name in TABLE]
    runs = [
        f"results/demo/{study}/{variant}/seed0/{name}"
        for study, row in content["studies"].items()
        for variant in row["variants"]
        for name in RUN
    ]
    report = [f"results/demo/{name}" for name in ("comparison.csv", "history.csv", "index.html", "metrics.json")]
    data = ["data/raw/streets/manifest.json", "data/manifests/streets.json", "data/weights/none"]
    return [*data, *packs, *counted, *tables, *runs, *report]


def run(folder: Path, *command: str) -> tuple[str, float]:
    """Run a program of this environment. Returns its output and run time in seconds."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout + done.stderr, time.perf_counter() - start


def main() -> None:
    """Print the median of several rounds. Fails if anything is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__)
    parser.add_argument("--variants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    programs = {("snakemake", "-n"): "Nothing to be done", ("dvc", "status"): "up to date"}
    with tempfile.TemporaryDirectory() as name:
        finished(Path(name), given.variants)
        for command, expected in programs.items():
            spent = []
            for _ in range(given.rounds):
                printed, seconds = run(Path(name), *command)
                if expected not in printed:
                    sys.exit(f"{' '.join(command)}: {printed[-2000:]}")
                spent.append(seconds)
            print(f"{' '.join(command)}, {given.variants} variants: {median(spent):.2f} s")


if __name__ == "__main__":
    main()
