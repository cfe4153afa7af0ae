"""`params.yaml` as one frozen, validated object, and the recipes resolved from it.

All errors in the file are reported at once, one line each, with the path and how to fix it. `python -m
seg.config.params` checks the file or prints its JSON schema.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import PrivateAttr, ValidationError

from seg.config.base import Count, Frozen, leaves
from seg.config.checks import empty_studies, impossible_descriptions, impossible_recipes, unknown_classes, unknown_names
from seg.config.inference import Inference
from seg.config.inherit import Inherited, apply_inheritance
from seg.config.messages import error_lines, one_per_line
from seg.config.readings import unknown_keys
from seg.config.recipe import Recipe
from seg.config.schema import (
    Budget,
    Cluster,
    DatasetRow,
    FolderName,
    Identifier,
    Margin,
    Preset,
    Seeds,
    Settings,
    Study,
    WeightsRow,
)
from seg.config.yaml_file import read_mapping
from seg.system.console import run_stage

_BESIDE_RECIPE = ("train_size", "eval_size", "evaluation")


class PackSpec(NamedTuple):
    """A split of a dataset at a size in pixels."""

    dataset: str
    split: str
    height: int
    width: int


class Params(Frozen):
    """The content of `params.yaml`, with `like` resolved in the rows of the variants.

    Names of studies, variants, presets, datasets and weights consist of lowercase letters, digits and underscores, and
    start with a letter.

    Attributes:
        preset: name of the preset to run.
        seeds: null: the seeds of the preset; a list replaces them, also for one run with `--config seeds='[0]'`.
        block: number of images of a block of consecutive frames, a unit of the intervals; a change makes the tables
            again.
        equivalence: margin of mIoU: two variants are equivalent if their difference is shown to be smaller; a change
            makes the tables again.
        verify: read every file of the datasets again, usually for one run with `--config verify=true`; affects no
            result.
        trainings_per_gpu: number of trainings that may share a GPU; affects no result.
        presets: presets by name.
        cluster: resources of jobs on a Slurm cluster.
        datasets: datasets by name.
        weights: weights by name.
        defaults: values for all studies.
        studies: studies by name.
        budgets: epochs and threads of a preset on one machine, by its name.
    """

    preset: Identifier
    seeds: Seeds | None = None
    block: Count
    equivalence: Margin
    verify: bool = False
    trainings_per_gpu: Count = 1
    presets: dict[Identifier, Preset]
    cluster: Cluster
    datasets: dict[Identifier, DatasetRow]
    weights: dict[Identifier, WeightsRow] = {}
    defaults: Settings
    studies: dict[FolderName, Study]
    budgets: dict[Identifier, Budget] = {}
    _inherited: Inherited = PrivateAttr(default=Inherited({}, {}, []))

    def run_seeds(self, preset: str) -> list[int]:
        """Seeds of the trainings under a preset: the top-level `seeds`, which apply to all presets, or its own."""
        return self.seeds or self.presets[preset].seeds

    def variants(self, study: str) -> list[str]:
        """Names of the enabled variants of a study, in the order of the file."""
        return [name for name, row in self.studies[study].variants.items() if row.enabled]

    def dataset(self, preset: str, study: str) -> str:
        """The dataset that a study runs on under a preset."""
        own = self.studies[study].dataset
        return self.presets[preset].datasets.get(own, own)

    def files(self, dataset: str) -> str:
        """The dataset whose files are packed: itself, or the one that its `files` names."""
        return self.datasets[dataset].files or dataset

    def weights_of(self, weights: str) -> str:
        """Name of the backbone that weights are for, such as `resnet34`."""
        pretext = self.weights[weights].pretext
        return pretext.backbone if pretext else weights.partition("_")[0]

    def pack(self, preset: str, study: str, variant: str, use: Literal["train", "val", "eval"]) -> PackSpec:
        """The pack that a variant is trained, validated or evaluated on."""
        name = self.dataset(preset, study)
        row = self.datasets[name]
        size = self.values(study, variant)["train_size" if use == "train" else "eval_size"]
        height, width = (round(side * size) for side in row.size) if isinstance(size, float) else size
        return PackSpec(name, row.eval_split if use == "eval" else use, height, width)

    def recipe(self, preset: str, study: str, variant: str, seed: int) -> Recipe:
        """The recipe of one training.

        It holds only values that apply. If the preset changes the epochs, the interval of the learning-rate steps is
        scaled with them and rounded up.

        Raises:
            ValueError: the values are invalid together, or early stopping would select weights on the scored images.
        """
        row, budget = self.presets[preset], self.budgets.get(preset, Budget())
        values = {key: value for key, value in self.values(study, variant).items() if key not in _BESIDE_RECIPE}
        if isinstance(values["weights"], str):
            values["weights"] = row.weights.get(values["weights"], values["weights"])
        values["threads"] = budget.threads or values["threads"]
        values["train_images"] = values["train_images"] if row.limit_train_images else None
        full = values["epochs"]
        values["epochs"] = budget.epochs.get(f"{study}/{variant}") or max(1, round(full * row.epochs_scale))
        if every := values["schedule"].get("every"):
            values["schedule"] |= {"every": -(-every * values["epochs"] // full)}
        dataset = self.dataset(preset, study)
        if values["early_stopping"] and self.datasets[dataset].eval_split == "val":
            source = self.settings(study, variant)["early_stopping.patience"][1]
            raise ValueError(
                f"{source}.early_stopping: would select the weights on the images that are scored, because eval_split "
                f"of dataset '{dataset}' is its validation split; set early_stopping: null, or another eval_split"
            )
        return Recipe(**values, validate_every=min(row.validate_every, values["epochs"]), seed=seed).applicable()

    def inference(self, study: str, variant: str) -> Inference:
        """How the network of a variant is applied in evaluation."""
        return Inference(**self.values(study, variant)["evaluation"])

    def values(self, study: str, variant: str) -> dict[str, Any]:
        """Values of a variant before the preset: each key from its row, else the study's defaults, else `defaults`."""
        return {key: value for _, layer in self._layers(study, variant) for key, value in layer.items()}

    def row_of(self, row: str, key: str) -> str:
        """Path of the row that sets a key: `row`, or the one that it inherits the key from."""
        return self._inherited.written_at(f"{row}.{key}").removesuffix(f".{key}")

    def settings(self, study: str, variant: str) -> dict[str, tuple[Any, str]]:
        """The result of `values` by dotted key (`schedule.name`), with the path of the row that sets each."""
        written = {key: (value, row) for row, layer in self._layers(study, variant) for key, value in layer.items()}
        return {
            leaf: (item, self.row_of(row, leaf))
            for key, (value, row) in written.items()
            for leaf, item in leaves(value, key)
        }

    def resolved(self, study: str, variant: str) -> dict[str, tuple[Any, str]]:
        """Every value of a variant under the selected preset by dotted key, with the path of its source."""
        settings, run, seed = self.settings(study, variant), f"{study}/{variant}", self.run_seeds(self.preset)[0]
        recipe = self.recipe(self.preset, study, variant, seed)
        budget, preset = f"budgets.{self.preset}", f"presets.{self.preset}"
        counted = run in self.budgets.get(self.preset, Budget()).epochs
        replaced = {
            "epochs": f"{budget}.epochs.{run}" if counted else f"{preset}.epochs_scale",
            "threads": f"{budget}.threads",
            "train_images": f"{preset}.limit_train_images",
            "weights": f"{preset}.weights",
        } | ({"schedule.every": "scaled with epochs"} if recipe.schedule.every else {})
        found = {key: settings[key] for key in settings if key.partition(".")[0] in _BESIDE_RECIPE}
        for key, value in leaves(recipe.model_dump()):
            before, path = settings.get(key, (None, "built-in default"))
            if key in replaced and value != before:
                path = f"{replaced[key]}, in place of {before} in {path}"
            if key in settings or value is not None:
                found[key] = value, path
        for key, (value, path) in settings.items():
            if value is not None and found.get(key, (None,))[0] is None and key not in replaced:
                found[key] = value, f"{path} (no effect)"
        found["validate_every"] = found["validate_every"][0], f"{preset}.validate_every"
        return found | {"seed": (seed, "seeds" if self.seeds else f"{preset}.seeds")}

    def not_in_source(self, study: str, variant: str) -> list[str]:
        """Names of a variant's values that the source does not report."""
        rows = self.studies[study], self.studies[study].variants[variant]
        return list(dict.fromkeys(name for row in rows for name in row.not_in_source))

    def _layers(self, study: str, variant: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Path and values of the rows of a variant, the one with the lowest precedence first."""
        row = self.studies[study]
        layers: dict[str, Frozen] = {
            "defaults": self.defaults,
            f"studies.{study}.defaults": row.defaults,
            f"studies.{study}.variants.{variant}": row.variants[variant],
        }
        for path, layer in layers.items():
            yield path, layer.model_dump(include=set(Settings.model_fields), exclude_unset=True)


def load_params(content: Mapping[str, Any]) -> Params:
    """Resolve `like` and validate the content of `params.yaml`.

    Raises:
        ValueError: one line per error, with its path and the nearest known name.
    """
    inherited = apply_inheritance(content)
    problems = list(inherited.problems)
    try:
        params = Params.model_validate(inherited.content)
        problems += empty_studies(params)
    except ValidationError as error:
        problems += error_lines(error, inherited.content, inherited.written_at)
    problems += unknown_names(content)
    if not problems:
        params._inherited = inherited
        problems += [*impossible_descriptions(params), *unknown_classes(params)]
        problems += [*impossible_recipes(params), *unknown_keys(params)]
    if problems:
        raise ValueError(one_per_line(dict.fromkeys(problems)))
    return params


def read_content(path: Path) -> dict[str, Any]:
    """Content of `params.yaml`, not validated. Raises ValueError with one line per error, OSError."""
    return read_mapping(path, "preset and studies")


def read_params(path: Path) -> Params:
    """Read and validate `params.yaml`. Raises ValueError with one line per error, OSError if it cannot be read."""
    return load_params(read_content(path))


def main() -> None:
    """Check `params.yaml`, or print its JSON schema."""
    parser = argparse.ArgumentParser(prog="python -m seg.config.params", description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"), help="file to check")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema")
    arguments = parser.parse_args()
    if arguments.schema:
        sys.stdout.write(json.dumps(Params.model_json_schema(), indent=1) + "\n")
    else:
        read_params(arguments.file)


if __name__ == "__main__":
    run_stage(main)
