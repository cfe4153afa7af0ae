"""Values that cannot change a result: they are accepted and shown as such, invalid ones are refused, none retrains."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clones import ROOT, Clone
from trials import Trial, run_trial

from seg.config.params import read_params

STUDY = "cityscapes_fcn"
BASELINE = f"studies.{STUDY}.variants.baseline"
SHOW = ("seg.cli", "show", f"{STUDY}/baseline")
CHECK = ("seg.config.params",)
PARTS = {
    "rotation": {"p": 0.0, "degrees": 10.0},
    "affine": {"p": 0.0, "shear": 5.0},
    "crop": {"p": 0.0, "area": {"low": 0.5, "high": 1.0}, "aspect": {"low": 0.5, "high": 2.0}},
    "snow": {"p": 0.0, "threshold": {"low": 0.1, "high": 0.2}},
}


def edited(**values: Any) -> Callable[[Path], None]:
    """Write the repository's `params.yaml` with these values of the baseline."""

    def arrange(root: Path) -> None:
        content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        content["studies"][STUDY]["variants"]["baseline"] |= values
        (root / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    return arrange


def shown(key: str, value: str, where: str) -> str:
    return rf"{re.escape(key)} +{re.escape(value)} +{re.escape(where)}"


def unused(name: str, key: str, value: str, **values: Any) -> Trial:
    """The value of a key is shown with the row that sets it and without effect."""
    return Trial(name, SHOW, edited(**values), shown(key, value, f"{BASELINE} (no effect)"), code=0, errors=0)


def refused(name: str, line: str, **values: Any) -> Trial:
    return Trial(name, CHECK, edited(**values), rf"error: {re.escape(BASELINE + line)}")


TRIALS = [
    Trial(
        "momentum of the defaults under adam",
        SHOW,
        edited(),
        shown("momentum", "0.9", "defaults (no effect)"),
        code=0,
        errors=0,
    ),
    Trial(
        "momentum of sgd",
        SHOW,
        edited(optimizer="sgd"),
        shown("momentum", "0.9", "defaults"),
        code=0,
        errors=0,
    ),
    Trial(
        "interval of a step schedule",
        SHOW,
        edited(schedule={"name": "step", "every": 9, "factor": 0.1}),
        shown("schedule.every", "2", f"scaled with epochs, in place of 9 in {BASELINE}"),
        code=0,
        errors=0,
    ),
    unused("momentum under adamw", "momentum", "0.5", optimizer="adamw", momentum=0.5),
    unused("interval of a constant schedule", "schedule.every", "3", schedule={"name": "constant", "every": 3}),
    unused("factor of a cosine schedule", "schedule.factor", "0.5", schedule={"name": "cosine", "factor": 0.5}),
    unused("power of a cosine schedule", "schedule.power", "0.9", schedule={"name": "cosine", "power": 0.9}),
    unused(
        "power of a step schedule",
        "schedule.power",
        "0.9",
        schedule={"name": "step", "every": 9, "factor": 0.1, "power": 0.9},
    ),
    unused(
        "interval of a polynomial schedule",
        "schedule.every",
        "3",
        schedule={"name": "polynomial", "power": 0.9, "every": 3},
    ),
    unused("rotation that never happens", "augmentation.rotation.degrees", "10.0", augmentation=PARTS),
    unused("affine transform that never happens", "augmentation.affine.shear", "5.0", augmentation=PARTS),
    unused("crop that never happens", "augmentation.crop.area.low", "0.5", augmentation=PARTS),
    unused("snow that never falls", "augmentation.snow.threshold.high", "0.2", augmentation=PARTS),
    refused("momentum of 1 under adam", ".momentum: got 1.0; input should be less than 1", momentum=1.0),
    refused("momentum as a word under adam", ".momentum: got 'high'; input should be a valid number", momentum="high"),
    refused(
        "weights of a pickle",
        ".weights.file: got 'it's.pth', expected a file .safetensors, because a pickle can run code; convert a state "
        'dict with python -c "import sys, torch; from safetensors.torch import save_file; save_file(torch.load('
        "sys.argv[1], weights_only=True), 'start.safetensors')\" 'it'\"'\"'s.pth'",
        weights={"file": "it's.pth"},
    ),
    refused(
        "path as the name of weights",
        ".weights: 'starts/a.safetensors' is unknown; for a file, give { file: starts/a.safetensors }",
        weights="starts/a.safetensors",
    ),
    refused("unknown key of weights", ".weights.x: unknown; known are file", weights={"file": "a.safetensors", "x": 1}),
    refused("number as weights", ".weights: got 3; input should be a valid string", weights=3),
    refused(
        "frozen network without a backbone",
        ".frozen: true for model 'fcn' without a backbone; set false",
        frozen=True,
        weights={"file": "a.safetensors"},
    ),
    Trial(
        "weights in a file",
        SHOW,
        edited(weights={"file": "./starts//a.safetensors"}),
        shown("weights.file", "starts/a.safetensors", BASELINE),
        code=0,
        errors=0,
    ),
    refused(
        "no momentum with sgd",
        ": momentum is null, but optimizer sgd takes one; give a number, 0.0 for none",
        optimizer="sgd",
        momentum=None,
    ),
    refused(
        "invalid interval of a cosine schedule",
        ".schedule.every: got -3; input should be greater than or equal to 1",
        schedule={"name": "cosine", "every": -3},
    ),
    refused(
        "step schedule without a factor",
        ".schedule: schedule 'step' takes every, factor; give factor",
        schedule={"name": "step", "every": 3},
    ),
    refused(
        "polynomial schedule without a power",
        ".schedule: schedule 'polynomial' takes power; give power",
        schedule={"name": "polynomial", "every": 3, "factor": 0.1},
    ),
    refused(
        "invalid rotation that never happens",
        ".augmentation.rotation.degrees: got 200.0; input should be less than or equal to 180",
        augmentation={"rotation": {"p": 0.0, "degrees": 200.0}},
    ),
    refused(
        "probability above 1",
        ".augmentation.rotation.p: got 1.5; input should be less than or equal to 1",
        augmentation={"rotation": {"p": 1.5, "degrees": 10.0}},
    ),
]


UNUSED: dict[str, dict[str, Any]] = {
    "momentum": {"momentum": 0.5},
    "keys of other schedules": {"schedule": {"name": "constant", "every": 3, "factor": 0.5, "power": 2}},
    "transforms that never happen": {"augmentation": PARTS},
}


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_values_without_an_effect(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)


@pytest.mark.parametrize("values", UNUSED.values(), ids=UNUSED)
def test_the_recipe_does_not_contain_them(values: dict[str, Any], tmp_path: Path) -> None:
    recipes = []
    for changed in ({}, values):
        edited(**changed)(tmp_path)
        recipes.append(read_params(tmp_path / "params.yaml").recipe("demo", STUDY, "baseline", 0))
    assert recipes[0].json_line() == recipes[1].json_line()


@pytest.mark.workflow
def test_they_retrain_nothing(clone: Clone) -> None:
    for values in UNUSED.values():
        for key, value in values.items():
            clone.set(f"{BASELINE}.{key}", value)
    assert clone.scheduled() == []
    clone.set(f"{BASELINE}.optimizer", "sgd")  # which has a momentum
    assert f"Train {STUDY}/baseline with seed 0" in clone.scheduled()
