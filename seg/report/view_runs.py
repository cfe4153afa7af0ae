"""Runs behind the results as plain values for the page: time and memory, recipes and machines."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from seg.report.formatting import count, duration, size
from seg.report.inputs import Run

View = dict[str, Any]


def environments(studies: Sequence[View]) -> list[View]:
    """Each combination of machine, versions and commit, with its runs."""
    found: dict[str, View] = {}
    for study in studies:
        for variant, runs in study["runs"].items():
            for run in runs:
                training = run.training
                facts = {
                    "Processor": f"{training.machine.cpu}, {training.machine.cores} cores",
                    "GPU": training.machine.gpu or "none",
                    "System": training.machine.system,
                    "Commit": training.commit or "none: not a git repository",
                    "Versions": ", ".join(f"{name} {version}" for name, version in sorted(training.versions.items())),
                }
                environment = found.setdefault(json.dumps(facts), {"facts": facts, "runs": []})
                environment["runs"].append(f"{study['name']}/{variant} seed {run.seed}")
    return list(found.values())


def run_view(variant: str, run: Run) -> View:
    """Time and memory of training and evaluating one seed."""
    training, evaluation = run.training, run.evaluation
    return {
        "variant": variant,
        "seed": run.seed,
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "device": f"{training.device}, {training.precision}",
        "seconds": duration(training.seconds),
        "speed": f"{training.images_per_second:,.1f}",
        "memory": size(training.peak_memory_bytes),
        "evaluation_speed": f"{evaluation.images_per_second:,.1f}",
        "evaluation_memory": size(evaluation.peak_memory_bytes),
    }


def recipes(runs: Mapping[str, Sequence[Run]]) -> list[View]:
    """Recipe of each variant with dotted keys; values that differ from the first variant's are marked."""
    settings = {variant: _dotted(each[0].training.recipe) for variant, each in runs.items()}
    first = next(iter(settings.values()))
    return [
        {
            "variant": variant,
            "parameters": count(each[0].training.parameters),
            "trainable": count(each[0].training.trainable_parameters),
            "settings": [
                (key, value, first.get(key) != value) for key, value in settings[variant].items() if key != "seed"
            ],
            "runs": [(run.seed, run.training.started, run.training.commit, run.training.code) for run in each],
        }
        for variant, each in runs.items()
    ]


def _dotted(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as one level: `schedule.name` -> `step`."""
    settings: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value:
            settings |= _dotted(value, f"{prefix}{key}.")
        else:
            settings[prefix + key] = value if isinstance(value, str) else json.dumps(value)
    return settings
