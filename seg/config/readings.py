"""Readings of a study's source: where they are written, and which of them concern a variant.

- `readings` in `params.yaml`, by dotted key of a value: those of a variant concern it and the rows that inherit from
  it, those of a study all of its variants, those of a dataset the variants that run on it.
- `CODE_READINGS` concern the variants of a study whose values select the code.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from seg.config.base import Reading, leaves
from seg.config.code_readings import CODE_READINGS
from seg.config.recipe import Recipe
from seg.config.schema import DatasetRow, Settings, Study
from seg.system.console import nearest

if TYPE_CHECKING:
    from seg.config.params import Params

# Further keys of readings: what the source reports of a variant, and how it scores.
_ABOUT_FIGURES = ("published", "metrics")
_BY_PRESET = ("weights", "epochs", "threads", "train_images")  # values that a preset may replace


def readings_of(params: "Params", preset: str, study: str, variant: str) -> list[Reading]:
    """Readings that concern a variant under a preset: of its dataset, of its values, of the code that they select."""
    recipe = params.recipe(preset, study, variant, seed=0)
    selected = dict(leaves(recipe.model_dump()))
    settings = params.settings(study, variant)
    replaced = {key for key in _BY_PRESET if key in settings and settings[key][0] != selected[key]}
    values = [
        each for key, each in _value_readings(params, settings, study, variant).items() if each and key not in replaced
    ]
    dataset = params.datasets[params.dataset(preset, study)].readings
    code = [
        each.reading
        for each in CODE_READINGS
        if study in each.studies and all(selected.get(key) == value for key, value in each.when.items())
    ]
    return [*filter(None, dataset.values()), *values, *code]


def _value_readings(
    params: "Params", settings: dict[str, tuple[Any, str]], study: str, variant: str
) -> dict[str, Reading | None]:
    """Readings in the rows of a variant by key, without those of values that a row of higher precedence sets.

    Those of published figures concern a single variant and are not inherited.
    """
    path = f"studies.{study}.variants.{variant}"
    rows = [*_chain(params, study, variant), f"studies.{study}.defaults", "defaults"]  # the highest precedence first

    def applies(key: str, written: str) -> bool:
        if key.partition(".")[0] not in Settings.model_fields:
            return key != "published" or written in (path, f"studies.{study}.defaults")
        places = [row for leaf, (_, row) in settings.items() if f"{leaf}.".startswith(f"{key}.")]
        return bool(places) and rows.index(written) <= min(map(rows.index, places))

    written = {key: (each, f"studies.{study}.defaults") for key, each in params.studies[study].readings.items()}
    for key, each in params.studies[study].variants[variant].readings.items():
        written[key] = each, params.row_of(path, f"readings.{key}")
    return {key: each for key, (each, row) in written.items() if applies(key, row)}


def _chain(params: "Params", study: str, variant: str) -> list[str]:
    """Paths of the row of a variant and of those that it inherits from."""
    names = [variant]
    while like := params.studies[study].variants[names[-1]].like:
        names.append(like)
    return [f"studies.{study}.variants.{name}" for name in names]


def unknown_keys(params: "Params") -> Iterator[str]:
    """One line per key of `readings` that no value has."""
    values = {*_dotted_keys(Recipe), *Settings.model_fields, *_ABOUT_FIGURES}
    for name, dataset in params.datasets.items():
        yield from _unknown(f"datasets.{name}", dataset.readings, DatasetRow.model_fields)
    for name, study in params.studies.items():
        yield from _unknown(f"studies.{name}", study.readings, {*values, *Study.model_fields})
        for variant, row in study.variants.items():
            path = f"studies.{name}.variants.{variant}"
            own = [key for key in row.readings if params.row_of(path, f"readings.{key}") == path]
            yield from _unknown(path, own, values)


def _dotted_keys(kind: type[BaseModel], above: str = "") -> Iterator[str]:
    """Keys of a model and of the models in its fields: `schedule`, `schedule.name`."""
    for name, field in kind.model_fields.items():
        yield above + name
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _dotted_keys(part, f"{above}{name}.")


def _unknown(path: str, keys: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for key in keys:
        if key not in known:
            yield f"{path}.readings: '{key}' is not a value; {nearest(key, sorted(known))}"
