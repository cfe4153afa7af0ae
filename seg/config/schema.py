"""Schema of `params.yaml`: presets, budgets, datasets, weights, studies and their variants."""

from inspect import cleandoc
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_type_hints

from pydantic import AfterValidator, Field, StringConstraints, create_model, model_validator

from seg.config.base import Count, Frozen, Number, Part, Positive, Readings
from seg.config.description import Description, SplitName, complete
from seg.config.inference import Inference
from seg.config.messages import IDENTIFIER
from seg.config.recipe import Recipe

Identifier = Annotated[str, StringConstraints(pattern=IDENTIFIER)]
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

    Attributes:
        train: number of training images; the total for a layout that draws the splits itself, such as bdd100k.
        val: number of validation images.
        test: number of test images.
        seed: seed of the scenes.
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
    """A dataset: where its files are, what label values mean, and the split that the tables report.

    It is rendered if it has `scenes`, downloaded if the catalogue has an origin under its name, and the user's own in
    `data/raw/<name>/` otherwise. The same keys, from `layout` on, may stand in `dataset.yaml` beside a user's images;
    those of params.yaml have precedence.

    Attributes:
        size: `[height, width]` in pixels that images are resized to or rendered at; `train_size` and `eval_size` of a
            variant are relative to it.
        eval_split: split that the tables report; test with `folds`.
        official_split: what that split is in the dataset's own terms, if it is not the split of the same name, for
            example `half of val`: figures published for a split of another name are then for reference only.
        files: name of another dataset whose files are packed, at the size of this row and as this row describes them.
        scenes: render synthetic scenes.
        readings: readings of the source by key of this row, of the variants that run on the dataset.
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
    """Pretraining of a backbone on the classification of synthetic shapes: the arguments of `seg.training.pretrain`.

    Attributes:
        backbone: the network.
        images: number of images.
        size: height and width of the images in pixels.
        epochs: number of epochs.
        batch: images per batch.
        lr: learning rate.
        seed: seed of images and training.
        threads: number of CPU threads.
    """

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

    Attributes:
        source: where published weights are downloaded from; they are converted to safetensors.
        pretext: train a classifier of synthetic shapes here.
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

    Attributes:
        title: heading of the page.
        seeds: seeds of the trainings of every variant. With several, the tables report means, standard deviations and
            intervals over images and seeds. `seeds` at the top level replace them.
        datasets: datasets to use in place of those of the studies, by name.
        weights: weights to use in place of those of the variants, by name.
        epochs_scale: factor of the number of epochs of every variant that has none in the budget of the preset; the
            interval `every` of a step schedule is scaled with the epochs.
        limit_train_images: whether `train_images` of the variants applies; otherwise all images are used, and the
            tables say so.
        validate_every: number of epochs between two validations.
    """

    title: str
    seeds: Seeds = [0]
    datasets: dict[Identifier, Identifier] = {}
    weights: dict[Identifier, Identifier] = {}
    epochs_scale: Positive = 1.0
    limit_train_images: bool = False
    validate_every: Count


class Budget(Frozen):
    """Budget of a preset on one machine.

    Attributes:
        threads: number of CPU threads of every training, in place of the variants' own.
        epochs: number of epochs of single variants by `study/variant`, in place of the scaled one.
    """

    threads: Count | None = None
    epochs: dict[str, Count] = {}


class Job(Frozen):
    """Resources of a job on a Slurm cluster.

    Attributes:
        partition: name of a partition; null: the default of the cluster.
        memory: in MB.
        minutes: time limit.
    """

    partition: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,-]+$")] | None = None
    memory: Count
    minutes: Count


class GpuJob(Job, Part):
    """A job on a GPU.

    Attributes:
        gpu_model: name of the model in Slurm, such as `a100`; null: any.
    """

    gpu_model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")] | None = None


class Cluster(Frozen):
    """Resources of jobs on a Slurm cluster. They do not affect results.

    Attributes:
        training: of every job on a GPU: training, evaluation and pretraining.
        training_of: what differs from `training` for single variants, by `study/variant`.
        data: of jobs that render, pack and count.
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
_RECIPE_FIELDS = cleandoc(Recipe.__doc__ or "").partition("Attributes:\n")[2]
Settings: type[Frozen] = create_model(
    "Settings",
    __base__=Frozen,
    __doc__=f"""Values of a variant: each key from its row, else from the defaults of its study, else from `defaults`.

Attributes:
    train_size: size of the images in training: a fraction of the dataset's size, or `[height, width]`.
    eval_size: the same in validation and evaluation.
    evaluation: passes whose logits are averaged in evaluation; changes no training.
{_RECIPE_FIELDS}""",
    **_OPTIONAL,
)
NULLABLE = frozenset(name for name, kind in _KINDS.items() if NoneType in get_args(kind))  # null is a valid value


class VariantRow(Settings):
    """A variant: what differs from its study's defaults.

    Attributes:
        like: another variant of the study, which may itself have `like`. This row is merged over that one: mappings
            key by key; a list, or a mapping of another `name`, replaces the inherited one; null clears an inherited
            value. All keys but `enabled` are inherited, `readings` and `not_in_source` too.
        enabled: whether the variant runs.
        not_in_source: names of the values that the source does not report.
        readings: what needs more than that, by dotted key of a value, see `seg.config.readings`.
    """

    like: Identifier | None = None
    enabled: bool = True
    not_in_source: list[str] = []
    readings: Readings = {}


class Study(Frozen):
    """A published comparison: defaults and one row per variant.

    Attributes:
        title: heading of the tables.
        source: the publication.
        dataset: name of a dataset.
        classes: the classes whose IoU the source reports; the tables show them beside the published figures.
        source_classes: number of classes that the source scores; null: those of the dataset. Where another number is
            scored, published figures are for reference only.
        scoring: scores in the tables: native, at the labels' own size; pack, at the size of the network's input.
            Evaluation computes both; a change makes the tables again and evaluates nothing.
        not_in_source: values that the source does not report, for all variants.
        readings: readings for all variants.
        defaults: values for all variants.
        variants: one row per variant, by name.
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
