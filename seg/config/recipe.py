"""A recipe: everything that can change what a training gives, and nothing else.

`seg.config.params` makes recipes from `params.yaml`; a rule freezes one into its command as JSON; training writes it
into the checkpoint. What does not change the result (the device, the number of loader workers, paths) is not part of
it. What the data is, the packs say themselves.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from seg.models import check_model
from seg.system.files import canonical_json

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class Frozen(BaseModel):
    """Immutable, and refuses unknown keys and silent conversions (`"3"` is no number, `1.5` no count)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Interval(Frozen):
    """A closed range to draw from."""

    low: Positive
    high: Positive

    @model_validator(mode="after")
    def _ordered(self) -> "Interval":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}; swap them")
        return self


class Rotation(Frozen):
    """Rotate with probability `p` by an angle drawn uniformly from [-degrees, degrees]."""

    p: Probability
    degrees: Annotated[float, Field(gt=0, le=180)]


class Crop(Frozen):
    """Random resized crop with probability `p`: share of the area drawn uniformly, aspect ratio log-uniformly."""

    p: Probability
    area: Interval
    aspect: Interval


class Affine(Frozen):
    """Shear, scale, rotate and shift with probability `p`, each drawn uniformly as torchvision's RandomAffine does.

    `degrees` and `shear` (along x, degrees) from [-value, value], the factor `scale` from its interval; `translation`
    is the largest shift as a share of width and height, drawn apart for each and rounded to whole pixels.
    """

    p: Probability
    degrees: Annotated[float, Field(ge=0, le=180)] = 0.0
    translation: Annotated[float, Field(ge=0, le=1)] = 0.0
    scale: Interval | None = None
    shear: Annotated[float, Field(ge=0, lt=90)] = 0.0

    @model_validator(mode="after")
    def _changes(self) -> "Affine":
        if not (self.degrees or self.translation or self.scale or self.shear):
            raise ValueError("affine changes nothing; give it degrees, translation, scale or shear")
        return self


class Snow(Frozen):
    """Snow with probability `p` on all that is darker than a threshold: see `seg.data.snow`.

    `threshold`, the strength, is drawn uniformly, as a share of the full lightness; `brightness` multiplies the
    lightness below it.
    """

    p: Probability
    threshold: Interval
    brightness: Annotated[float, Field(ge=1)] = 2.5

    @model_validator(mode="after")
    def _share(self) -> "Snow":
        if self.threshold.high > 1:
            raise ValueError(f"threshold is a share of the full lightness; got up to {self.threshold.high}, at most 1")
        return self


class Augmentation(Frozen):
    """Random changes of an image and its labels, composed to one affine map, and snow on the image; off by default."""

    flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    rotation: Rotation | None = None
    affine: Affine | None = None
    crop: Crop | None = None
    snow: Snow | None = None


class Schedule(Frozen):
    """How the learning rate falls: see `seg.training.optimisation.learning_rate`.

    `every` (epochs) and `factor` belong to `step`, `power` to `polynomial`.
    """

    name: Literal["constant", "step", "cosine", "polynomial"] = "constant"
    every: Count | None = None
    factor: Positive | None = None
    power: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Schedule":
        wanted = {"step": {"every", "factor"}, "polynomial": {"power"}}.get(self.name, set())
        given = {key for key in ("every", "factor", "power") if getattr(self, key) is not None}
        if wanted != given:
            raise ValueError(
                f"schedule '{self.name}' takes {', '.join(sorted(wanted)) or 'no value'}; "
                f"got {', '.join(sorted(given)) or 'none'}"
            )
        return self


class EarlyStopping(Frozen):
    """Stop after `patience` validations without a lower validation loss; the best weights are restored."""

    patience: Count


class Model(Frozen):
    """A network by its name in `seg.models` and the options that its file takes."""

    name: str
    options: dict[str, bool | int | float | str] = {}

    @model_validator(mode="after")
    def _known(self) -> "Model":
        check_model(self.name, self.options)
        return self


class Recipe(Frozen):
    """One training, whole. `weights` is where the model's backbone starts from; `frozen` keeps it there."""

    model: Model
    weights: str | None
    frozen: bool
    loss: Literal["cross_entropy", "weighted_cross_entropy", "dice"]
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    momentum: Annotated[float, Field(ge=0, lt=1)]
    schedule: Schedule
    clip_norm: Positive | None
    batch: Count
    accumulate: Count
    epochs: Count
    validate_every: Count
    early_stopping: EarlyStopping | None
    augmentation: Augmentation
    scaling: Literal["unit", "symmetric", "imagenet"]
    precision: Literal["auto", "fp32", "bf16"]
    compile: bool
    deterministic: bool
    threads: Count
    gpus: Count
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _shared(self) -> "Recipe":
        if self.batch % self.gpus:
            raise ValueError(f"gpus {self.gpus} cannot share a batch of {self.batch}; give a multiple of gpus")
        return self

    def json_line(self) -> str:
        """The recipe as one canonical line, for a command, a file's metadata and a digest."""
        return canonical_json(self.model_dump(mode="json"))


def recipe_from_json(text: str) -> Recipe:
    """The recipe that a command carries. Raises ValueError where it is none."""
    try:
        content: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--recipe is no JSON ({error}); take the line that Snakemake prints") from None
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        lines = (f"--recipe: {'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors())
        raise ValueError("\n".join(lines)) from None
