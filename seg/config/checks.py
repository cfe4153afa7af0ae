"""Errors in `params.yaml` beyond a single value: names that refer to nothing, incomplete and impossible recipes."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from seg.config.inherit import mapping
from seg.config.messages import error_lines
from seg.config.schema import NULLABLE, Settings
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
            yield f"{path}: '{name}' is unknown; {nearest(name, known[table])}"


def _find(content: Any, pattern: str, above: str = "") -> Iterator[tuple[str, str, Any]]:
    """Path, key and value of everything that a pattern matches."""
    first, _, rest = pattern.partition(".")
    for key, value in mapping(content).items():
        if first in ("*", key):
            yield from _find(value, rest, f"{above}{key}.") if rest else [(f"{above}{key}", key, value)]


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
                try:
                    params.recipe(params.preset, study, variant, params.run_seeds(params.preset)[0])
                except ValidationError as error:
                    yield from (f"{path}: {line}" for line in error_lines(error, values))
                except ValueError as error:
                    yield str(error)
