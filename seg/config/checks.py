"""Errors in `params.yaml` beyond a single value: names that refer to nothing, incomplete and impossible recipes."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from seg.config.architectures import (
    DarrenNetOptions,
    FCNOptions,
    Model,
    ResNetFCNOptions,
    ResNetUNetOptions,
    SMPOptions,
    TorchvisionOptions,
)
from seg.config.inherit import mapping
from seg.config.messages import error_lines
from seg.config.schema import NULLABLE, SMALLEST_SIDE, Settings
from seg.system.console import nearest

if TYPE_CHECKING:
    from seg.config.params import Params

# Values and keys that are names, and the mapping that must contain them; "*" stands for any key.
_VALUES = {
    "preset": "presets",
    "datasets.*.files": "datasets",
    "presets.*.datasets.*": "datasets",
    "presets.*.weights.*": "weights",
    "defaults.weights": "weights",
    "studies.*.dataset": "datasets",
    "studies.*.defaults.weights": "weights",
    "studies.*.variants.*.weights": "weights",
}
_KEYS = {
    "presets.*.datasets.*": "datasets",
    "presets.*.weights.*": "weights",
    "budgets.*": "presets",
    "budgets.*.epochs.*": "variants",
    "cluster.training_of.*": "variants",
}


def unknown_names(content: Mapping[str, Any]) -> Iterator[str]:
    """One line per name that refers to nothing. Other parts of the content may be invalid."""
    known: dict[str, Any] = {name: mapping(content.get(name)) for name in ("presets", "datasets", "weights")}
    known["variants"] = ["/".join(path.split(".")[1::2]) for path, *_ in _find(content, "studies.*.variants.*")]
    names = [(path, value, table) for pattern, table in _VALUES.items() for path, _, value in _find(content, pattern)]
    names += [(path, key, table) for pattern, table in _KEYS.items() for path, key, _ in _find(content, pattern)]
    for path, name, table in names:
        if isinstance(name, str) and name not in known[table]:
            file = table == "weights" and re.search(r"[./]", name)
            fix = f"for a file, give {{ file: {name} }}" if file else nearest(name, known[table])
            yield f"{path}: '{name}' is unknown; {fix}"


def _find(content: Any, pattern: str, above: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, key and value of everything that a pattern matches."""
    first, _, rest = pattern.partition(".")
    for key, value in mapping(content).items():
        if first in ("*", key):
            yield from _find(value, rest, f"{above}{key}.") if rest else [(f"{above}{key}", key, value)]


def impossible_descriptions(params: "Params") -> Iterator[str]:
    """Datasets whose keys do not fit to those of their layout."""
    for name, row in params.datasets.items():
        try:
            row.description()
        except ValueError as error:
            yield from (f"datasets.{name}.{line}" for line in str(error).splitlines())


def unknown_classes(params: "Params") -> Iterator[str]:
    """Classes of studies that their dataset does not have, if `params.yaml` gives its classes."""
    for name, study in params.studies.items():
        row = params.datasets.get(study.dataset)
        known = row.class_names() if row and (row.classes or row.ids) else study.classes
        for each in study.classes:
            if each not in known:
                yield f"studies.{name}.classes: '{each}' is no class of '{study.dataset}'; {nearest(each, known)}"


def impossible_recipes(params: "Params") -> Iterator[str]:
    """One line per value that is missing or null, and per combination of values that is invalid."""
    for study, row in params.studies.items():
        for variant in row.variants:
            path = f"studies.{study}.variants.{variant}"
            values = params.values(study, variant)
            missing = [key for key in Settings.model_fields if key not in values]
            null = [key for key, value in values.items() if value is None and key not in NULLABLE]
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
                yield from _impossible_training(params, study, variant)


def empty_studies(params: "Params") -> Iterator[str]:
    """One line per study without variants, and one if no variant of any study is enabled."""
    for study, row in params.studies.items():
        if not row.variants:
            yield f"studies.{study}.variants: empty; add a variant, or remove the study"
    if not any(map(params.variants, params.studies)):
        yield "studies: no variant is enabled; add a study, or remove `enabled: false` from a variant"


def _impossible_training(params: "Params", study: str, variant: str) -> Iterator[str]:
    """One line per combination of values that cannot be trained under the selected preset."""
    values = params.values(study, variant)
    try:
        recipe = params.recipe(params.preset, study, variant, params.run_seeds(params.preset)[0])
    except ValidationError as error:
        yield from (f"studies.{study}.variants.{variant}: {line}" for line in error_lines(error, values))
        return
    except ValueError as error:
        yield str(error)
        return
    uses: tuple[Literal["train", "eval"], ...] = ("train", "eval")
    for use in uses:
        pack, key = params.pack(params.preset, study, variant, use), f"{use}_size"
        small = min(pack.height, pack.width) < SMALLEST_SIDE
        single = recipe.batch == recipe.gpus and max(pack.height, pack.width) <= _stride(recipe.model)
        if not (small or (single and use == "train")):
            continue
        value = values[key] if isinstance(values[key], float) else list(values[key])
        path = f"{params.settings(study, variant)[key][1]}.{key}"
        size = f"{path}: {value} makes {pack.height} x {pack.width} pixels of '{pack.dataset}'"
        if small:
            yield f"{size}, expected at least {SMALLEST_SIDE} x {SMALLEST_SIDE}; give more"
        else:
            yield (
                f"{size}, a single one at the network's lowest resolution, where batch norm requires several per GPU; "
                "raise batch or train_size"
            )
    if recipe.weights and recipe.frozen and not _backbone(recipe.model):
        path = params.settings(study, variant)["frozen"][1]
        yield f"{path}.frozen: true for model '{recipe.model.name}' without a backbone; set false"
    elif isinstance(recipe.weights, str):
        path, name = params.settings(study, variant)["weights"][1], params.weights_of(recipe.weights)
        expected, written = _backbone(recipe.model), f"'{values['weights']}'"
        if values["weights"] != recipe.weights:
            written += f" (replaced by '{recipe.weights}' in presets.{params.preset}.weights)"
        if not expected:
            yield f"{path}.weights: {written} for model '{recipe.model.name}' without a backbone; set null"
        elif name != expected:
            yield f"{path}.weights: {written} is for {name}, expected weights of the backbone {expected}"


def _stride(model: Model) -> int:
    """Pixels of the image per pixel of the lowest resolution, if batch norm is applied there; else 0."""
    match model.options:
        case FCNOptions(depth=depth):
            return int(2**depth)
        case ResNetFCNOptions() | ResNetUNetOptions():
            return 32
    return 0


def _backbone(model: Model) -> str:
    """Name of the backbone that weights can initialize, such as `resnet34`; empty if the architecture has none."""
    match model.options:
        case DarrenNetOptions(stem=name) | SMPOptions(encoder=name):
            return str(name)
        case TorchvisionOptions(architecture=name):
            return str(name).partition("_")[2]
        case options:
            return "erfnet" if model.name == "erfnet" else getattr(options, "backbone", "")
