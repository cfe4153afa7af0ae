"""Run time of `snakemake -n` and `dvc status` with a thousand variants that are all up to date.

The same for a workflow of as many jobs and files with constant parameters shows what Snakemake itself needs.
"""

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

from workflow.records import RUN_VERSION

ROOT = Path(__file__).parents[1]
STUDIES = 5


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
    (folder / "data/weights").mkdir(parents=True)  # as the stage in dvc.yaml does; no variant has weights
    _write_outputs(folder, "--", "all", "data")
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    run(folder, "dvc", "commit", "--force", "--quiet")


def _study(variants: int) -> dict[str, Any]:
    defaults = {"model": {"name": "fcn"}, "loss": "cross_entropy", "batch": 4, "epochs": 30, "train_size": 0.5}
    rows = {f"variant{k}": {"lr": (k + 1) * 1e-5} for k in range(variants)}
    about = {"title": "Learning rates", "source": "none", "dataset": "cityscapes", "classes": ["car"]}
    return {**about, "defaults": defaults, "variants": rows}


def bare(folder: Path, variants: int) -> None:
    """Write a finished workflow with as many jobs and files, but only the profile in common with the project."""
    shutil.copytree(ROOT / "profiles/default", folder / "profiles/default")
    text = (ROOT / "benchmarks/bare.smk").read_text()
    (folder / "Snakefile").write_text(text.replace("range(200)", f"range({variants // STUDIES})"))
    _write_outputs(folder)


def _write_outputs(folder: Path, *targets: str) -> None:
    """Write a line to every output of a workflow, and have Snakemake record them."""
    listed, _ = run(folder, "snakemake", "--summary", *targets)
    for name in (line.split("\t")[0] for line in listed.splitlines()[1:] if "\t" in line):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({"schema_version": RUN_VERSION, "name": name}) + "\n")
    run(folder, "snakemake", "--touch", "--forceall", "--quiet", *targets)


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
    with tempfile.TemporaryDirectory() as name:
        ours, theirs = Path(name, "ours"), Path(name, "bare")
        finished(ours, given.variants)
        bare(theirs, given.variants)
        for folder, command, expected, what in (
            (ours, ("snakemake", "-n"), "Nothing to be done", ""),
            (
                theirs,
                ("snakemake", "-n"),
                "Nothing to be done",
                " of benchmarks/bare.smk, the time of Snakemake itself",
            ),
            (ours, ("dvc", "status"), "up to date", ""),
        ):
            spent = []
            for _ in range(given.rounds):
                printed, seconds = run(folder, *command)
                if expected not in printed:
                    sys.exit(f"{' '.join(command)}: {printed[-2000:]}")
                spent.append(seconds)
            print(f"{' '.join(command)}, {given.variants} variants{what}: {median(spent):.2f} s")


if __name__ == "__main__":
    main()
