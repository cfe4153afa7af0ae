"""How each run came about: recipes and their differences, machines and versions, commands that make a run again."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from seg.config.base import leaves
from seg.report.runs import Run

_ABSENT = "–"  # of a key that a variant's recipe lacks, such as an option of another model


def recipes(runs: Mapping[str, Sequence[Run]]) -> tuple[list[str], list[list[str]]]:
    """Dotted keys of the recipes of all variants, and per variant their values as text; the seed is left out."""
    found = [dict(leaves(each[0].training.recipe)) for each in runs.values()]
    keys = [key for key in dict.fromkeys(key for recipe in found for key in recipe) if key != "seed"]
    return keys, [[_text(recipe[key]) if key in recipe else _ABSENT for key in keys] for recipe in found]


def recipe_view(runs: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
    """Values that all variants share, and those in which they differ, by variant."""
    keys, values = recipes(runs)
    different = [len(set(column)) > 1 for column in zip(*values, strict=True)]
    return {
        "shared": [(key, value) for key, value, differs in zip(keys, values[0], different, strict=True) if not differs],
        "keys": [key for key, differs in zip(keys, different, strict=True) if differs],
        "lines": [
            (variant, [value for value, differs in zip(line, different, strict=True) if differs])
            for variant, line in zip(runs, values, strict=True)
        ],
    }


def facts(run: Run) -> dict[str, str]:
    """Machine, versions and commit of a training."""
    training = run.training
    return {
        "Processor": f"{training.machine.cpu}, {training.machine.cores} cores",
        "GPU": training.machine.gpu or "none",
        "System": training.machine.system,
        "Commit": training.commit or "none: not a git repository",
        "Versions": ", ".join(f"{name} {version}" for name, version in sorted(training.versions.items())),
    }


def environments(studies: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each combination of machine, versions and commit, with its runs."""
    found: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for study in studies:
        for variant, runs in study["runs"].items():
            for run in runs:
                key = tuple(facts(run).items())
                found.setdefault(key, []).append(f"{study['name']}/{variant} seed {run.name}")
    return [{"facts": dict(key), "runs": runs} for key, runs in found.items()]


def command(preset: str, run: Run) -> str:
    """Commands for a shell that train and evaluate a run again, with the code that it was made with.

    The records of a run do not contain `--config`, `--configfile` and `--directory` of the command that made it.
    """
    targets = [shlex.quote((run.directory / name).as_posix()) for name in ("model.safetensors", "metrics.json")]
    config = shlex.quote(f"preset={preset}")
    again = f"snakemake --cores 4 --resources gpu=1 --config {config} --force -- {' '.join(targets)}"
    commit = (run.training.commit or "").removesuffix("-dirty")  # tracked files differed from the commit
    return f"git checkout {shlex.quote(commit)}\n{again}" if commit else again


def predict_command(run: Run) -> str:
    """Command for a shell that segments images with the model of a run."""
    return f"seg predict {shlex.quote((run.directory / 'model.safetensors').as_posix())} photo.jpg --overlay"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
