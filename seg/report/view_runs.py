"""What the page shows of how the results came about: costs, recipes and machines, as plain values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from seg.report.inputs import Run
from seg.report.wording import count, duration, size

View = dict[str, Any]


def environments(studies: Sequence[View]) -> list[View]:
    """Each machine, set of versions and commit that runs came from, with the runs where there are several."""
    found: dict[str, View] = {}
    for study in studies:
        for variant, runs in study["runs"].items():
            for run in runs:
                training = run.training
                facts = {
                    "Processor": f"{training.machine.cpu}, {training.machine.cores} cores",
                    "Accelerator": training.machine.gpu or "none",
                    "System": training.machine.system,
                    "Commit": training.commit or "none: not a git repository",
                    "Versions": ", ".join(f"{name} {version}" for name, version in sorted(training.versions.items())),
                }
                environment = found.setdefault(json.dumps(facts), {"facts": facts, "runs": []})
                environment["runs"].append(f"{study['name']}/{variant} seed {run.seed}")
    return list(found.values())


def cost(variant: str, run: Run) -> View:
    """What the training and the evaluation of one seed took."""
    training, evaluation = run.training, run.evaluation
    return {
        "variant": variant,
        "seed": run.seed,
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "on": f"{training.device}, {training.precision}",
        "seconds": duration(training.seconds),
        "speed": f"{training.images_per_second:,.1f}",
        "memory": size(training.peak_memory_bytes),
        "evaluation_speed": f"{evaluation.images_per_second:,.1f}",
        "evaluation_memory": size(evaluation.peak_memory_bytes),
    }


def recipes(runs: Mapping[str, Sequence[Run]]) -> list[View]:
    """Each variant's recipe, flat; what differs from the first variant's is marked."""
    flat = {variant: _flat(each[0].training.recipe) for variant, each in runs.items()}
    first = next(iter(flat.values()))
    return [
        {
            "variant": variant,
            "parameters": count(runs[variant][0].training.parameters),
            "trainable": count(runs[variant][0].training.trainable_parameters),
            "settings": [
                (key, value, first.get(key) != value) for key, value in flat[variant].items() if key != "seed"
            ],
            "runs": [(run.seed, run.training.started, run.training.commit, run.training.code) for run in runs[variant]],
        }
        for variant in runs
    ]


def _flat(content: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Nested settings as one level: `schedule.name` -> `step`."""
    settings: dict[str, str] = {}
    for key, value in content.items():
        if isinstance(value, dict) and value:
            settings |= _flat(value, f"{above}{key}.")
        else:
            settings[above + key] = value if isinstance(value, str) else json.dumps(value)
    return settings
