"""`params.yaml` -> frozen, validated recipes.

`Params` is the file as it stands, every key known and every value possible; its methods answer what a preset, a study,
a variant and a seed come to. Everything wrong in a file is told at once, each with its path.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    create_model,
    model_validator,
)

from seg.config.base import Count, Frozen, Positive
from seg.config.cluster import Cluster
from seg.config.messages import describe as line
from seg.config.recipe import Recipe
from seg.system.console import nearest, run_stage

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Side = Annotated[int, Field(ge=32)]
Scale = Annotated[float, Field(gt=0, le=1)]
Sides = Annotated[tuple[Side, Side], Field(strict=False)]  # YAML has lists only
Size = Scale | Sides
Split = Literal["train", "val", "test"]
LAYOUTS = ("camvid", "cityscapes", "bdd100k", "bdd100k_19", "voc", "folder")


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"got {seeds}; name each seed once")
    return seeds


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[list[Seed], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_distinct)]


class Scenes(Frozen):
    """How many scenes to render for each split, and from which seed.

    Of a layout that makes its own splits all are `train`.
    """

    train: Count
    val: Count | None = None
    test: Count | None = None
    seed: Annotated[int, Field(ge=0)]

    def arguments(self) -> list[str]:
        """The splits as `seg.synthetic.synthesize` takes them."""
        counts = {"train": self.train, "val": self.val, "test": self.test}
        return [f"--split={split}={count}" for split, count in counts.items() if count]


class DatasetRow(Frozen):
    """A data set: its layout on disk, the size (height, width) of its images and the split that is scored.

    With `scenes` it is rendered, else downloaded, or where it is of layout `folder` the user's own. `files` is the data
    set whose files it packs, by default its own, so that one set of files can have several sizes.
    """

    layout: str
    size: Sides
    eval_split: Split
    files: str | None = None
    scenes: Scenes | None = None

    @model_validator(mode="after")
    def _possible(self) -> "DatasetRow":
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout '{self.layout}' is unknown; known are {', '.join(LAYOUTS)}")
        return self


class Pretext(Frozen):
    """How a backbone is trained to tell synthetic shapes apart: the arguments of `seg.training.pretrain`."""

    backbone: Literal["resnet34", "resnet50", "resnet101", "resnet152", "erfnet"]
    images: Count
    size: Side
    epochs: Count
    batch: Count
    lr: Positive
    seed: Annotated[int, Field(ge=0)]
    threads: Count

    def arguments(self) -> list[str]:
        """As `seg.training.pretrain` takes them."""
        return [f"--{name}={value}" for name, value in self.model_dump().items()]


class WeightsRow(Frozen):
    """Weights that a backbone starts from: published ones, downloaded under their name, or those of a pretext task."""

    pretext: Pretext | None = None


class Preset(Frozen):
    """Where data and weights come from and how much is spent on them.

    `datasets` and `weights` name what stands in for the studies' own. `epochs` is the share of every variant's epochs,
    `epochs_of` that of single ones, by `study/variant`; `threads` of the CPU are in place of the variants' own.
    """

    title: str
    datasets: dict[Identifier, Identifier]
    weights: dict[Identifier, Identifier] = {}
    epochs: Positive
    epochs_of: dict[str, Positive] = {}
    threads: Count | None = None
    validate_every: Count


_SETTINGS = {
    name: kind
    for name, kind in get_type_hints(Recipe, include_extras=True).items()
    if name in Recipe.model_fields and name not in ("seed", "validate_every")  # of the run and of the preset
}
_NEVER_NULL = {name for name, kind in _SETTINGS.items() if NoneType not in get_args(kind)} | {"train_size", "eval_size"}
_OPTIONAL: dict[str, Any] = {name: (kind | None, None) for name, kind in _SETTINGS.items()}


class _Row(Frozen):
    train_size: Size | None = None
    eval_size: Size | None = None


Settings: type[_Row] = create_model("Settings", __base__=_Row, __doc__="Values of a recipe.", **_OPTIONAL)


class _VariantRow(Settings):
    """A variant: what differs from its study's defaults.

    `not_in_source` names the values that the source does not give.
    """

    enabled: bool = True
    not_in_source: list[str] = []
    notes: list[str] = []


class Study(Frozen):
    """A published comparison: defaults and one row a variant; `not_in_source` names those of all its variants."""

    title: str
    source: str
    dataset: Identifier
    classes: list[str]
    notes: list[str] = []
    not_in_source: list[str] = []
    defaults: Settings
    variants: dict[Identifier, _VariantRow]


class Pack(NamedTuple):
    """A data set's split at a size in pixels."""

    dataset: str
    split: str
    height: int
    width: int


class Params(Frozen):
    """The whole of `params.yaml`."""

    preset: Identifier
    seeds: Seeds
    presets: dict[Identifier, Preset]
    cluster: Cluster
    datasets: dict[Identifier, DatasetRow]
    weights: dict[Identifier, WeightsRow] = {}
    defaults: Settings
    studies: dict[Identifier, Study]

    def variants(self, study: str) -> list[str]:
        """Names of a study's variants that are switched on, in the file's order."""
        return [name for name, row in self.studies[study].variants.items() if row.enabled]

    def dataset(self, preset: str, study: str) -> str:
        """The data set that a study runs on under a preset."""
        own = self.studies[study].dataset
        return self.presets[preset].datasets.get(own, own)

    def files(self, dataset: str) -> str:
        """The data set whose files are packed: another's for the sake of a second size, else its own."""
        return self.datasets[dataset].files or dataset

    def recipe(self, preset: str, study: str, variant: str, seed: int) -> Recipe:
        """The recipe of one training."""
        spent = self.presets[preset]
        values = {key: value for key, (value, _) in self.settings(study, variant).items() if key in _SETTINGS}
        values["weights"] = spent.weights.get(values["weights"], values["weights"])
        values["threads"] = spent.threads or values["threads"]
        share = spent.epochs_of.get(f"{study}/{variant}", spent.epochs)
        values["epochs"] = max(1, round(values["epochs"] * share))
        if every := values["schedule"].get("every"):
            values["schedule"] |= {"every": max(1, round(every * share))}
        return Recipe(**values, validate_every=min(spent.validate_every, values["epochs"]), seed=seed)

    def settings(self, study: str, variant: str) -> dict[str, tuple[Any, str]]:
        """Every value of a variant with the path in the file that it comes from, before the preset's share."""
        layers = (
            ("defaults", self.defaults),
            (f"studies.{study}.defaults", self.studies[study].defaults),
            (f"studies.{study}.variants.{variant}", self.studies[study].variants[variant]),
        )
        values: dict[str, tuple[Any, str]] = {}
        for path, layer in layers:
            given: BaseModel = layer
            for key, value in given.model_dump(exclude_unset=True).items():
                if key in _SETTINGS or key in _Row.model_fields:
                    values[key] = (value, path)
        return values

    def resolved(self, study: str, variant: str) -> dict[str, tuple[Any, str]]:
        """Every value of a variant under the chosen preset, with the path in the file that it comes from."""
        recipe = self.recipe(self.preset, study, variant, self.seeds[0]).model_dump(exclude_none=True)
        values = self.settings(study, variant)
        for key in ("epochs", "schedule", "threads", "weights"):  # what a preset spends, and what stands in
            value, path = values[key]
            if key in recipe and recipe[key] != value:
                values[key] = recipe[key], f"presets.{self.preset}, of {value} in {path}"
        values["validate_every"] = recipe["validate_every"], f"presets.{self.preset}"
        return values | {"seed": (recipe["seed"], "seeds")}

    def not_in_source(self, study: str, variant: str) -> list[str]:
        """Names of a variant's values that the source does not give."""
        rows = self.studies[study], self.studies[study].variants[variant]
        return list(dict.fromkeys(name for row in rows for name in row.not_in_source))

    def pack(self, preset: str, study: str, variant: str, split: Literal["train", "val", "eval"]) -> Pack:
        """The pack that a variant trains on, validates on, or is scored on."""
        name = self.dataset(preset, study)
        row = self.datasets[name]
        settings = self.settings(study, variant)
        size = settings["train_size" if split == "train" else "eval_size"][0]
        height, width = (round(side * size) for side in row.size) if isinstance(size, float) else size
        return Pack(name, row.eval_split if split == "eval" else split, height, width)


def load_params(content: Mapping[str, Any]) -> Params:
    """Validate the content of `params.yaml`.

    Raises:
        ValueError: a line for everything that is wrong, each with its path and the nearest known name.
    """
    problems: list[str] = []
    try:
        params = Params.model_validate(dict(content))
    except ValidationError as error:
        problems += dict.fromkeys(line(problem, Params) for problem in error.errors())
    problems += _dead_ends(content)
    problems = problems or list(dict.fromkeys(_contradictions(params)))
    if problems:
        raise ValueError("\n".join(problems))
    return params


def read_params(path: Path) -> Params:
    """Read and validate `params.yaml`. Raises ValueError for everything that is wrong in it, OSError without it."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: no YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: got {type(content).__name__}, expected keys such as preset and studies")
    return load_params(content)


def _dead_ends(content: Mapping[str, Any]) -> Iterator[str]:
    """Names of presets and data sets that lead nowhere, in raw content, which may be wrong elsewhere."""
    tables = ("presets", "datasets", "weights", "studies")
    presets, datasets, weights, studies = (_mapping(content.get(key)) for key in tables)
    names: list[tuple[str, Any, Mapping[str, Any]]] = [("preset", content.get("preset"), presets)]
    names += [(f"datasets.{key}.files", _mapping(row).get("files"), datasets) for key, row in datasets.items()]
    for key, preset in presets.items():
        for old, new in _mapping(_mapping(preset).get("datasets")).items():
            names += [(f"presets.{key}.datasets.{old}", name, datasets) for name in (old, new)]
        for old, new in _mapping(_mapping(preset).get("weights")).items():
            names += [(f"presets.{key}.weights.{old}", name, weights) for name in (old, new)]
    for key, study in studies.items():
        names.append((f"studies.{key}.dataset", _mapping(study).get("dataset"), datasets))
        layers = {"defaults": _mapping(study).get("defaults")} | {
            f"variants.{name}": row for name, row in _mapping(_mapping(study).get("variants")).items()
        }
        names += [
            (f"studies.{key}.{path}.weights", _mapping(row).get("weights"), weights) for path, row in layers.items()
        ]
    runs = {
        f"{key}/{name}": None for key, study in studies.items() for name in _mapping(_mapping(study).get("variants"))
    }
    for key, preset in presets.items():
        of = f"presets.{key}.epochs_of"
        names += [(f"{of}.{run}", run, runs) for run in _mapping(_mapping(preset).get("epochs_of"))]
    of = "cluster.training_of"
    names += [(f"{of}.{run}", run, runs) for run in _mapping(_mapping(content.get("cluster")).get("training_of"))]
    for path, name, known in names:
        if isinstance(name, str) and name not in known:
            yield f"{path}: '{name}' is unknown; {nearest(name, known)}"


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _contradictions(params: Params) -> Iterator[str]:
    """What no single value shows: recipes that are incomplete or have a `null` where a value must be."""
    for study_name, study in params.studies.items():
        for variant in study.variants:
            path = f"studies.{study_name}.variants.{variant}"
            settings = params.settings(study_name, variant)
            for key in [*_SETTINGS, *_Row.model_fields]:
                if key not in settings:
                    yield f"{path}.{key}: missing; give it here, in the study's defaults or in defaults"
                elif key in _NEVER_NULL and settings[key][0] is None:
                    yield f"{settings[key][1]}.{key}: got null; give a value or take the line out"
            for key in params.not_in_source(study_name, variant):
                if key not in settings:
                    yield f"{path}.not_in_source: '{key}' is no value of a recipe; {nearest(key, settings)}"
            if settings.get("frozen", (False,))[0] and settings["weights"][0] is None:
                yield f"{path}.frozen: true without weights, so a random backbone would stay; name its weights"
            if all(settings.get(key, (None,))[0] is not None for key in _NEVER_NULL):
                try:
                    params.recipe(params.preset, study_name, variant, params.seeds[0])
                except ValidationError as error:
                    yield from (f"{path}: {line(problem, Recipe)}" for problem in error.errors())


def json_schema() -> dict[str, Any]:
    """JSON schema of `params.yaml` for editors."""
    return TypeAdapter(Params).json_schema()


def main() -> None:
    """Check `params.yaml`, or print its JSON schema."""
    parser = argparse.ArgumentParser(prog="python -m seg.config.params", description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=Path("params.yaml"))
    parser.add_argument("--schema", action="store_true", help="print the JSON schema instead")
    arguments = parser.parse_args()
    if arguments.schema:
        sys.stdout.write(json.dumps(json_schema(), indent=1) + "\n")
    else:
        read_params(arguments.file)


if __name__ == "__main__":
    run_stage(main)
