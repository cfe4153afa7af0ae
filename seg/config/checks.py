"""Errors in `params.yaml` beyond a single value: names that refer to nothing, incomplete and impossible recipes."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from seg.config.inherit import mapping
from seg.config.messages import describe
from seg.config.recipe import Recipe
from seg.config.schema import NULLABLE, RECIPE_KEYS
from seg.system.console import nearest

if TYPE_CHECKING:
    from seg.config.params import Params

_KEYS = (*sorted(RECIPE_KEYS), "train_size", "eval_size")


def unknown_names(content: Mapping[str, Any]) -> Iterator[str]:
    """One line per name that refers to nothing. The content may be invalid elsewhere."""
    for path, name, known in _references(content):
        if isinstance(name, str) and name not in known:
            yield f"{path}: '{name}' is unknown; {nearest(name, known)}"


def _references(content: Mapping[str, Any]) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Every name that must be a key of another mapping: its path, the name, the mapping."""
    tables = ("presets", "datasets", "weights", "studies", "budgets")
    presets, datasets, weights, studies, budgets = (mapping(content.get(key)) for key in tables)
    variants = {key: mapping(mapping(study).get("variants")) for key, study in studies.items()}
    runs = {f"{study}/{variant}": row for study, rows in variants.items() for variant, row in rows.items()}
    yield "preset", content.get("preset"), presets
    for key, row in datasets.items():
        yield f"datasets.{key}.files", mapping(row).get("files"), datasets
    for key, preset in presets.items():
        for table, known in (("datasets", datasets), ("weights", weights)):
            for old, new in mapping(mapping(preset).get(table)).items():
                yield f"presets.{key}.{table}.{old}", old, known
                yield f"presets.{key}.{table}.{old}", new, known
    for key, study in studies.items():
        yield f"studies.{key}.dataset", mapping(study).get("dataset"), datasets
        rows = {"defaults": mapping(study).get("defaults")} | {
            f"variants.{name}": row for name, row in variants[key].items()
        }
        for path, row in rows.items():
            yield f"studies.{key}.{path}.weights", mapping(row).get("weights"), weights
    for key, budget in budgets.items():
        yield f"budgets.{key}", key, presets
        for run in mapping(mapping(budget).get("epochs")):
            yield f"budgets.{key}.epochs.{run}", run, runs
    for run in mapping(mapping(content.get("cluster")).get("training_of")):
        yield f"cluster.training_of.{run}", run, runs


def impossible_recipes(params: "Params") -> Iterator[str]:
    """One line per value that is missing or null, and per combination of values that is invalid."""
    for study, row in params.studies.items():
        for variant in row.variants:
            path = f"studies.{study}.variants.{variant}"
            values = params.values(study, variant)
            missing = [key for key in _KEYS if key not in values]
            null = [key for key in _KEYS if key in values and values[key] is None and key not in NULLABLE]
            for key in missing:
                yield f"{path}.{key}: missing; give it here, in the study's defaults or in defaults"
            for key in null:
                yield f"{params.settings(study, variant)[key][1]}.{key}: got null; give a value or remove the line"
            for key in params.not_in_source(study, variant):
                if key not in values:
                    yield f"{path}.not_in_source: '{key}' is not a value of a recipe; {nearest(key, values)}"
            if values.get("frozen") and values.get("weights") is None:
                yield f"{path}.frozen: true without weights keeps a random backbone; set weights"
            if not missing and not null:
                try:
                    params.recipe(params.preset, study, variant, params.seeds[0])
                except ValidationError as error:
                    yield from (f"{path}: {describe(problem, Recipe)}" for problem in error.errors())
