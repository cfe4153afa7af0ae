"""Schema of `params.yaml`: presets, budgets, datasets, weights, studies and their variants."""

from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import AfterValidator, Field, StringConstraints, create_model, model_validator

from seg.config.base import Count, Frozen, Number, Part, Positive, Readings
from seg.config.description import Description, SplitName, complete
from seg.config.inference import Inference
from seg.config.recipe import Recipe

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
FIGURES_FOLDER = "figures"  # beside the directories of studies and of variants
SMALLEST_SIDE = 32  # of images, in pixels: every network accepts it
Side = Annotated[int, Field(ge=SMALLEST_SIDE)]
Scale = Annotated[Number, Field(gt=0, le=1)]
Margin = Annotated[Number, Field(gt=0, lt=1)]
Sides = Annotated[tuple[Side, Side], Field(strict=False)]  # YAML has lists only
Size = Scale | Sides


def _folder_name(name: str) -> str:
    if name == FIGURES_FOLDER:
        raise ValueError(f"'{name}' is the directory of the figures in the results; choose another name")
    return name


FolderName = Annotated[Identifier, AfterValidator(_folder_name)]


def _distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"got {seeds}; list each seed once")
    return seeds


def _distinct_names(classes: list[str]) -> list[str]:
    if len(set(classes)) < len(classes):
        raise ValueError(f"got {classes}; list each class once")
    return classes


Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[list[Seed], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_distinct)]


class RenderedImages(Frozen):
    """Number of images to render for each split, and the seed.

    For a layout that draws the splits itself, such as `bdd100k`, `train` is the total number of images.
    """

    train: Count
    val: Count | None = None
    test: Count | None = None
    seed: Annotated[int, Field(ge=0)]

    def arguments(self) -> list[str]:
        """The splits as arguments of `seg.synthetic.synthesize`."""
        counts = {"train": self.train, "val": self.val, "test": self.test}
        return [f"--split={split}={count}" for split, count in counts.items() if count]


class DatasetRow(Description):
    """A dataset: its layout on disk, the size (height, width) of its images and the split that the tables report.

    It is rendered if it has `scenes`, downloaded if the catalogue has an origin under its name, and the user's own
    otherwise. `files` names another dataset whose files are packed, at this dataset's size and as this row describes
    them. `official_split` says what the split is in the
    dataset's own terms, if it is not the split of the same name: published figures are then for reference only.
    `readings` by key of the row concern the variants that run on the dataset.
    """

    size: Sides
    eval_split: SplitName
    official_split: str | None = None
    files: str | None = None
    scenes: RenderedImages | None = None
    readings: Readings = {}

    def description(self) -> Description:
        """Description of the layout with the keys of this row."""
        return complete(self)

    @model_validator(mode="after")
    def _scored_fold(self) -> "DatasetRow":
        if self.folds and self.eval_split != "test":
            raise ValueError(f"eval_split: got {self.eval_split}, but folds are scored as test split; write test")
        return self


class Pretext(Frozen):
    """Pretraining of a backbone on the classification of synthetic shapes: the arguments of `seg.training.pretrain`."""

    backbone: Literal["resnet34", "resnet50", "resnet101", "resnet152", "erfnet"]
    images: Count
    size: Side
    epochs: Count
    batch: Count
    lr: Positive
    seed: Annotated[int, Field(ge=0)]
    threads: Count

    def arguments(self) -> list[str]:
        """Command-line arguments."""
        return [f"--{name}={value}" for name, value in self.model_dump().items()]


class WeightsRow(Frozen):
    """Weights that a backbone starts from: downloaded from `source`, or pretrained here on the task `pretext`.

    The name of downloaded weights begins with that of their backbone, as in `resnet34_imagenet`.
    """

    source: Literal["torchvision", "github"] | None = None
    pretext: Pretext | None = None

    @model_validator(mode="after")
    def _one_origin(self) -> "WeightsRow":
        if (self.source is None) == (self.pretext is None):
            got = "neither" if self.source is None else "both"
            raise ValueError(f"got {got}; give either source or pretext")
        return self


class Preset(Frozen):
    """Sources of data and weights, and the fraction of the epochs that is trained.

    `datasets` and `weights` map names of the studies to their replacements. `epochs_scale` multiplies the epochs of
    every variant that has no number of epochs in the preset's budget. `validate_every` is in epochs. Every variant is
    trained once with each of the `seeds`, unless `seeds` at the top level replace them. `train_images` of the variants
    applies if `limit_train_images` is true; else all images are used.
    """

    title: str
    seeds: Seeds = [0]
    datasets: dict[Identifier, Identifier] = {}
    weights: dict[Identifier, Identifier] = {}
    epochs_scale: Positive = 1.0
    limit_train_images: bool = False
    validate_every: Count


class Budget(Frozen):
    """Budget of a preset on one machine: epochs of single variants, by `study/variant`, and threads of a training."""

    threads: Count | None = None
    epochs: dict[str, Count] = {}


class Job(Frozen):
    """Resources of a job on a Slurm cluster: memory in MB, time in minutes, partition (null: the cluster's default)."""

    partition: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,-]+$")] | None = None
    memory: Count
    minutes: Count


class GpuJob(Job, Part):
    """A job on a GPU: of any model, or of the model with this name in Slurm."""

    gpu_model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")] | None = None


class Cluster(Frozen):
    """Resources of GPU jobs (training, evaluation, pretraining) and of data jobs. They do not affect results.

    A row of `training_of`, by `study/variant`, gives what differs from `training`.
    """

    training: GpuJob
    training_of: dict[str, GpuJob] = {}
    data: Job


_KINDS: dict[str, Any] = {
    name: kind
    for name, kind in get_type_hints(Recipe, include_extras=True).items()
    if name in Recipe.model_fields and name not in ("seed", "validate_every")  # set by `seeds` and the preset
} | {"train_size": Size, "eval_size": Size, "evaluation": Inference}
_OPTIONAL: dict[str, Any] = {name: (kind | None, None) for name, kind in _KINDS.items()}
Settings: type[Frozen] = create_model(
    "Settings",
    __base__=Frozen,
    __doc__="Values of a recipe, sizes of the images that a variant is trained and evaluated on, passes of evaluation.",
    **_OPTIONAL,
)
NULLABLE = frozenset(name for name, kind in _KINDS.items() if NoneType in get_args(kind))  # null is a valid value


class VariantRow(Settings):
    """A variant: what differs from its study's defaults.

    `like` names another variant of the study, which may itself have `like`. This row is merged over that one: mappings
    key by key; a list, or a mapping of another `name`, replaces the inherited one; null clears an inherited value. All
    keys but `enabled` are inherited, `readings` and `not_in_source` too.
    `not_in_source` names the values that the source does not report; `readings`, by dotted key of a value, explain what
    needs more than that, see `seg.config.readings`.
    """

    like: Identifier | None = None
    enabled: bool = True
    not_in_source: list[str] = []
    readings: Readings = {}


class Study(Frozen):
    """A published comparison: defaults and one row per variant.

    `scoring` names the scores that stand in the tables: `native` at each label's own size, `pack` at the size that the
    network is evaluated at. Evaluation computes both.
    `classes` are those whose IoU the source reports, `source_classes` is the number of classes that it scores; null:
    those of the dataset. `not_in_source` and `readings` apply to all variants.
    """

    title: str
    source: str
    dataset: Identifier
    classes: Annotated[list[Annotated[str, Field(min_length=1)]], AfterValidator(_distinct_names)] = []
    source_classes: Count | None = None
    scoring: Literal["native", "pack"] = "native"
    not_in_source: list[str] = []
    readings: Readings = {}
    defaults: Settings
    variants: dict[FolderName, VariantRow]
