"""The recipe of one training: every value that can change its result, and no other.

`seg.config.params` resolves recipes from `params.yaml`, a rule freezes one into its command as JSON, and training
writes it into the checkpoint. Device, loader workers and paths do not affect the result and are not part of it. The
data is identified by its packs.
"""

import shlex
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from seg.config.architectures import Model
from seg.config.base import Count, Frozen, Number, Part, Positive, Probability
from seg.config.messages import parse_option
from seg.system.files import canonical_json


class Interval(Part):
    """Closed range of a random draw."""

    low: Positive
    high: Positive

    @model_validator(mode="after")
    def _ordered(self) -> "Interval":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}; swap them")
        return self


class Rotation(Part):
    """Rotate with probability `p` by an angle drawn uniformly from [-degrees, degrees]."""

    p: Probability
    degrees: Annotated[Number, Field(gt=0, le=180)]


class Crop(Part):
    """Random resized crop with probability `p`: fraction of the area drawn uniformly, aspect ratio log-uniformly."""

    p: Probability
    area: Interval
    aspect: Interval


class Affine(Part):
    """Shear, scale, rotate and shift with probability `p`, each drawn uniformly as in torchvision's RandomAffine.

    `degrees` and `shear` (along x, in degrees) are drawn from [-value, value], the factor `scale` from its interval.
    `translation` is the largest shift as a fraction of width and height; both shifts are rounded to whole pixels.
    """

    p: Probability
    degrees: Annotated[Number, Field(ge=0, le=180)] = 0.0
    translation: Probability = 0.0
    scale: Interval | None = None
    shear: Annotated[Number, Field(ge=0, lt=90)] = 0.0

    @model_validator(mode="after")
    def _changes(self) -> "Affine":
        if not (self.degrees or self.translation or self.scale or self.shear):
            raise ValueError("affine has no effect; set degrees, translation, scale or shear")
        return self


class Snow(Part):
    """Snow with probability `p` on every pixel darker than a threshold: see `seg.data.snow`.

    `threshold` is drawn uniformly as a fraction of the maximum lightness. The lightness below it is multiplied by
    `brightness`.
    """

    p: Probability
    threshold: Interval
    brightness: Annotated[Number, Field(ge=1)] = 2.5

    @model_validator(mode="after")
    def _share(self) -> "Snow":
        if self.threshold.high > 1:
            raise ValueError(f"threshold: got up to {self.threshold.high}, expected at most 1, the maximum lightness")
        return self


class Augmentation(Part):
    """Random transforms of an image and its labels, off by default. All but snow are composed into one affine map."""

    flip: Probability = 0.0
    vertical_flip: Probability = 0.0
    rotation: Rotation | None = None
    affine: Affine | None = None
    crop: Crop | None = None
    snow: Snow | None = None

    def applicable(self) -> "Augmentation":
        """The transforms without those of probability 0."""
        parts = Rotation | Affine | Crop | Snow
        return self.model_copy(update={name: None for name, part in self if isinstance(part, parts) and not part.p})


_SCHEDULE_KEYS = {"step": ("every", "factor"), "polynomial": ("power",)}


class Schedule(Part):
    """Schedule of the learning rate: see `seg.training.optimisation.learning_rate`.

    `every` (epochs) and `factor` belong to `step`, `power` to `polynomial`; the other schedules ignore them.
    """

    name: Literal["constant", "step", "cosine", "polynomial"] = "constant"
    every: Count | None = None
    factor: Positive | None = None
    power: Positive | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Schedule":
        expected = _SCHEDULE_KEYS.get(self.name, ())
        if missing := [key for key in expected if getattr(self, key) is None]:
            raise ValueError(f"schedule '{self.name}' takes {', '.join(expected)}; give {', '.join(missing)}")
        return self

    def applicable(self) -> "Schedule":
        """The schedule without the keys of other schedules."""
        used = _SCHEDULE_KEYS.get(self.name, ())
        return self.model_copy(update={key: None for key in ("every", "factor", "power") if key not in used})


class EarlyStopping(Part):
    """Stop after `patience` validations without a lower validation loss and restore the best weights."""

    patience: Count


def _safetensors(file: str) -> str:
    if not file.endswith(".safetensors"):
        code = "import sys, torch; from safetensors.torch import save_file; "
        code += "save_file(torch.load(sys.argv[1], weights_only=True), 'start.safetensors')"
        raise ValueError(
            f"got '{file}', expected a file .safetensors, because a pickle can run code; convert a state dict with "
            f'python -c "{code}" {shlex.quote(file)}'
        )
    return str(PurePosixPath(file))


class WeightsFile(Part):
    """A checkpoint of seg, or tensors of the same network from elsewhere, that the whole network starts from."""

    file: Annotated[str, AfterValidator(_safetensors)]


def _kind_of_weights(value: Any) -> str:
    return "<file>" if isinstance(value, dict | WeightsFile) else "<name>"


Weights = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[WeightsFile, Tag("<file>")], Discriminator(_kind_of_weights)
]


class Recipe(Frozen):
    """One training. The backbone starts from named `weights`, the network from those in a file; the backbone is not
    trained if `frozen`.

    `train_images` limits the training to a fixed subset of the training split, see `seg.data.subset`. `momentum`
    is that of `sgd`.
    """

    model: Model
    weights: Weights | None
    frozen: bool
    loss: Literal["cross_entropy", "weighted_cross_entropy", "dice"]
    optimizer: Literal["adam", "adamw", "sgd"]
    lr: Positive
    weight_decay: Annotated[Number, Field(ge=0)]
    momentum: Annotated[Number, Field(ge=0, lt=1)] | None
    schedule: Schedule
    clip_norm: Positive | None
    train_images: Count | None
    batch: Count
    accumulate: Count
    eval_batch: Count
    epochs: Count
    validate_every: Count
    early_stopping: EarlyStopping | None
    augmentation: Augmentation
    scaling: Literal["unit", "symmetric", "imagenet"]
    precision: Literal["auto", "fp32", "tf32", "bf16"]
    compile: bool
    deterministic: bool
    threads: Count
    gpus: Count
    seed: Annotated[int, Field(ge=0, lt=2**32)]

    @model_validator(mode="after")
    def _consistent(self) -> "Recipe":
        if self.batch < self.gpus:
            raise ValueError(f"gpus {self.gpus} cannot share a batch of {self.batch}; raise batch or lower gpus")
        if self.optimizer == "sgd" and self.momentum is None:
            raise ValueError("momentum is null, but optimizer sgd takes one; give a number, 0.0 for none")
        return self

    def applicable(self) -> "Recipe":
        """The recipe without the values that cannot change its result, so that editing them retrains nothing."""
        return self.model_copy(
            update={
                "momentum": self.momentum if self.optimizer == "sgd" else None,
                "schedule": self.schedule.applicable(),
                "augmentation": self.augmentation.applicable(),
            }
        )

    def json_line(self) -> str:
        """The recipe as one canonical line, for a command, a file's metadata and a digest."""
        return canonical_json(self.model_dump(mode="json"))


def recipe_from_json(text: str) -> Recipe:
    """Parse the recipe in a command. Raises ValueError, one line per error, if it is not valid."""
    return parse_option(Recipe, "--recipe", text, "copy it from the command that Snakemake prints")
