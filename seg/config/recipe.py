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
    """Closed range of a random draw.

    Attributes:
        low: the least value.
        high: the largest value.
    """

    low: Positive
    high: Positive

    @model_validator(mode="after")
    def _ordered(self) -> "Interval":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}; swap them")
        return self


class Rotation(Part):
    """Rotation by an angle drawn uniformly from [-degrees, degrees].

    Attributes:
        p: probability.
        degrees: largest angle, in degrees.
    """

    p: Probability
    degrees: Annotated[Number, Field(gt=0, le=180)]


class Crop(Part):
    """Random resized crop, as torchvision's RandomResizedCrop.

    Attributes:
        p: probability.
        area: fraction of the area, drawn uniformly.
        aspect: aspect ratio, width to height, drawn log-uniformly.
    """

    p: Probability
    area: Interval
    aspect: Interval


class Affine(Part):
    """Shear, scale, rotate and shift, each drawn uniformly as in torchvision's RandomAffine.

    Attributes:
        p: probability.
        degrees: largest angle of the rotation, in degrees.
        translation: largest shift as a fraction of width and height; both shifts are rounded to whole pixels.
        scale: factor of the size.
        shear: largest angle of the shear along x, in degrees.
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
    """Snow on every pixel darker than a threshold: see `seg.data.snow`.

    Attributes:
        p: probability.
        threshold: fraction of the maximum lightness, drawn uniformly.
        brightness: factor of the lightness below the threshold.
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
    """Random transforms of an image and its labels, off by default. All but snow are composed into one affine map.

    Attributes:
        flip: probability of mirroring left and right.
        vertical_flip: probability of mirroring top and bottom.
        rotation: rotate about the centre.
        affine: shear, scale, rotate and shift.
        crop: cut out a part and resize it to the size of the image.
        snow: brighten dark pixels.
    """

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
    """Schedule of the learning rate, such as `{ name: step, every: 10, factor: 0.1 }`. Keys of another one are ignored.

    Attributes:
        name: constant; step: times `factor` after every `every` epochs; cosine: half a period from the initial rate
            to 0; polynomial: times (1 - step / steps) to the power of `power`.
        every: of step: interval in epochs, scaled with the epochs by a preset.
        factor: of step.
        power: of polynomial, such as 0.9.
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
    """Stop a training whose validation loss does not fall any more, and restore the weights of the lowest one.

    Attributes:
        patience: number of validations without a lower loss.
    """

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
    """A checkpoint of seg, or tensors of the same network from elsewhere, that the whole network starts from.

    Attributes:
        file: path of a `.safetensors`, relative to the checkout.
    """

    file: Annotated[str, AfterValidator(_safetensors)]


def _kind_of_weights(value: Any) -> str:
    return "<file>" if isinstance(value, dict | WeightsFile) else "<name>"


Weights = Annotated[
    Annotated[str, Tag("<name>")] | Annotated[WeightsFile, Tag("<file>")], Discriminator(_kind_of_weights)
]


class Recipe(Frozen):
    """One training: every value that can change its result.

    Attributes:
        model: name and options of the architecture, such as `{ name: fcn, options: { depth: 6 } }`.
        weights: name of the weights that the backbone starts from, which must be for this backbone; `{ file: PATH }`:
            your own checkpoint for the whole network; null: random initialization from the seed.
        frozen: keep the backbone unchanged, including its batch-normalization statistics; requires `weights`.
        loss: weighted_cross_entropy has the inverse class frequencies of the training images as weights.
        optimizer: as in `torch.optim`.
        lr: initial learning rate.
        weight_decay: as in `torch.optim`.
        momentum: momentum of sgd; the other optimizers ignore it.
        schedule: schedule of the learning rate.
        clip_norm: largest norm of the gradient; null: no clipping.
        train_images: number of training images, a fixed subset of the training split that is the same for every seed;
            null: all. Images of one group (a video, a city) are taken together until the number is reached. A split
            with fewer images is used whole. Class weights are those of the subset. Applies where the preset has
            `limit_train_images: true`.
        batch: images per batch, over all GPUs.
        accumulate: number of batches whose gradients are summed for one step.
        eval_batch: images per batch of validation and evaluation, on one GPU.
        epochs: number of epochs, which a preset may scale.
        validate_every: number of epochs between two validations, set by the preset.
        early_stopping: null: off. Refused where `eval_split` of the dataset is val: the weights would be selected on
            the images that are scored.
        augmentation: random transforms of the training images.
        scaling: of pixel values: unit, [0, 1]; symmetric, [-1, 1]; or imagenet, by its mean and standard deviation.
        precision: fp32; tf32: fp32 with TF32 in convolutions and matrix products on a GPU that has it; bf16; or auto:
            bf16 where the processor supports it natively, else fp32.
        compile: use `torch.compile`.
        deterministic: the same bits on the same machine, also on a GPU.
        threads: number of CPU threads; affects floating-point results, so it is part of the recipe.
        gpus: number of GPUs that share each batch; `batch` must be at least as large.
        seed: seed of initialization, order and augmentation, set by `seeds`.
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
