"""Schemas of the result files, used to write and to read them.

| file | schema | written by |
|---|---|---|
| `run.json` | `TrainingRun` | `seg.training.train` |
| `history.csv` | `HistoryRow`, one per epoch | `seg.training.train` |
| `metrics.json` | `Metrics` | `seg.evaluation.evaluate` |
| `evaluation.json` | `EvaluationRun` | `seg.evaluation.evaluate` |
| `statistics.json` | `Statistics` | `seg.data.statistics` |

`seg.report.rows` defines the tables made from these files. Each file has the version of its schema: `schema_version` in
JSON files, the last column in CSV files. The version increases if older files would be misread. `metrics.json` contains
no times and no machine, so evaluating a model twice gives the same bytes.
"""

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

HISTORY_VERSION = 1  # of history.csv

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
NonNegative = Annotated[int, Field(ge=0)]
SCORINGS = ("native", "pack")  # sizes that a model is scored at, as fields of `Metrics` and in `confusion.npy`
Colour = tuple[NonNegative, NonNegative, NonNegative]
Bounds = tuple[float, float]


class Strict(BaseModel):
    """Immutable, without silent conversions, NaN and unknown keys."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, populate_by_name=True)


class ResultFile(Strict):
    """Content of a JSON file."""

    schema_version: int = 1  # overridden by a schema when it changes

    def text(self) -> str:
        """One line of JSON; the same content gives the same bytes."""
        return self.model_dump_json(by_alias=True) + "\n"


class Commonest(Strict):
    """Scores of predicting the most frequent class for all pixels."""

    name: str = Field(alias="class")
    pixel_accuracy: Share
    miou: Share


class Scores(Strict):
    """Scores of one model at one size of the images.

    From the confusion matrix summed over the images: `pixel_accuracy` to `frequency_weighted_iou`, and `iou` by class,
    `None` for a class in neither the truth nor the prediction. `image_accuracy` and `image_miou` are means over the
    images of the pixel accuracy and the mIoU of each. `boundary_iou`, and by class `class_boundary_iou`, are defined in
    `seg.metrics.boundary`, `calibration_error` in `seg.metrics.calibration`.
    """

    pixel_accuracy: Share
    mean_accuracy: Share
    miou: Share
    frequency_weighted_iou: Share
    image_accuracy: Share
    image_miou: Share
    boundary_iou: Share
    calibration_error: Share
    iou: dict[str, Share | None]
    class_boundary_iou: dict[str, Share | None]
    commonest: Commonest


class Metrics(ResultFile):
    """Loss and scores of one model on the evaluation split.

    `native` are the scores of the logits resized to each label's own size, `pack` those at the size of the pack, which
    the network was evaluated at. `confusion.npy` has the matrices of both, in this order: (2, N, C, C) int64, rows are
    true classes. `inference` are the values of `seg.config.inference`. `loss` is that of the variant's training, at the
    size of the pack. `groups` has one entry per image: what it was recorded with (a video, a city), empty if unknown.
    `ordered`: those of a group are in the order of recording.
    """

    split: str
    images: NonNegative
    names: tuple[str, ...]
    groups: tuple[str, ...]
    ordered: bool
    classes: tuple[str, ...]
    inference: dict[str, Any]
    loss: Amount
    native: Scores
    pack: Scores

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name in ("iou", "class_boundary_iou"):
            if any(set(getattr(scores, name)) != set(self.classes) for scores in (self.native, self.pack)):
                raise ValueError(f"'{name}' and 'classes' name different classes")
        if len(set(self.names)) != self.images:
            raise ValueError("'names' and 'images' differ in number, or a name is repeated")
        if len(self.groups) != self.images:
            raise ValueError("'groups' and 'images' differ in number")
        return self


class Machine(Strict):
    """Machine that a stage ran on."""

    cpu: str
    cores: NonNegative
    gpu: str | None
    system: str


class StageRun(ResultFile):
    """Device, time and memory of a stage."""

    device: str
    machine: Machine
    precision: str
    seconds: Amount
    images_per_second: Amount
    peak_memory_bytes: NonNegative


class TrainingRun(StageRun):
    """Recipe and code of a training, its time, memory and machine.

    `weights` is the metadata of the file that the backbone started from, `code` the digest of the code. `epochs` were
    trained, with `train_images` images each, in `steps` steps of the optimizer altogether. The weights in the model,
    which are scored, are those after `scored_epoch`: the one with the lowest validation loss with early stopping, else
    the last. `images_per_second` leaves out validations; `resident_bytes` is the size of the packs in a GPU's memory,
    which is not part of `peak_memory_bytes`.
    """

    schema_version: int = 2
    recipe: dict[str, Any]
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    weights: dict[str, Any] | None
    parameters: NonNegative
    trainable_parameters: NonNegative
    epochs: NonNegative
    scored_epoch: NonNegative
    train_images: NonNegative
    steps: NonNegative
    resident_bytes: NonNegative
    versions: dict[str, str]
    code: str
    commit: str | None
    started: str


class EvaluationRun(StageRun):
    """Device, time and memory of an evaluation, and the speed of the network without reading and scoring.

    `throughput_images_per_second` is measured in the evaluation, with the recipe's `eval_batch`. `multiply_adds` and
    `latency_seconds` are of one forward pass of one image; the latter is the median over `latency_runs` passes.
    """

    throughput_images_per_second: Amount
    multiply_adds: NonNegative
    latency_seconds: Amount
    latency_runs: NonNegative


class Statistics(ResultFile):
    """Counts of a training pack by scored class and by id on disk, channel moments in [0, 1], and class weights."""

    dataset: str
    split: str
    images: NonNegative
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    classes: tuple[str, ...]
    palette: tuple[Colour, ...]
    ids: tuple[str, ...]
    scored: tuple[NonNegative, ...]
    id_pixels: tuple[NonNegative, ...]
    id_images: tuple[NonNegative, ...]
    pixels: tuple[NonNegative, ...]
    class_images: tuple[NonNegative, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: tuple[float, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        by_class = (self.classes, self.class_images, self.pixels, self.scored, self.palette, self.weights)
        if len({len(values) for values in by_class}) > 1:
            raise ValueError("the lists by class differ in length")
        if len({len(self.ids), len(self.id_pixels), len(self.id_images)}) > 1:
            raise ValueError("the lists by id on disk differ in length")
        if any(i >= len(self.ids) for i in self.scored):
            raise ValueError("'scored' names an id beyond 'ids'")
        return self


class HistoryRow(NamedTuple):
    """An epoch; the last three are `None` without validation."""

    epoch: int
    lr: float
    train_loss: float
    val_loss: float | None = None
    val_pixel_accuracy: float | None = None
    val_miou: float | None = None


Result = TypeVar("Result", bound=ResultFile)


def read_bytes(path: Path, fix: str) -> bytes:
    """Content of a file. Raises ValueError if it is missing; the message ends with `fix`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {fix}") from None


def read_result(schema: type[Result], path: Path, fix: str) -> Result:
    """Content of a JSON file.

    Args:
        schema: class of the content.
        path: file to read.
        fix: how to make the file again, for the message.

    Raises:
        ValueError: the file is missing, damaged, or has another version of the schema.
    """
    text = read_bytes(path, fix)
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path}: not a JSON file ({error}); {fix}") from None
    found = content.get("schema_version", "none") if isinstance(content, dict) else "none"
    expected = schema.model_fields["schema_version"].default
    if found != expected:
        raise ValueError(f"{path}: schema version {found}, expected {expected}; {fix}")
    try:
        return schema.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {f'{where}: ' if where else ''}{first['msg']}; {fix}") from None


def history_text(rows: Sequence[HistoryRow]) -> str:
    """`history.csv`: one row per epoch, empty cells for `None`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*HistoryRow._fields, "schema_version"))
    writer.writerows((*row, HISTORY_VERSION) for row in rows)
    return text.getvalue()


def read_history(path: Path, fix: str = "train this seed again") -> tuple[HistoryRow, ...]:
    """Rows of a `history.csv`.

    Raises:
        ValueError: the file is missing, damaged, has another version of the schema, or a value that is not finite.
    """
    content = read_bytes(path, fix)
    rows = []
    try:
        for cells in csv.DictReader(io.StringIO(content.decode(), newline=""), restval=""):
            found = cells.get("schema_version") or "none"
            if found != str(HISTORY_VERSION):
                raise ValueError(f"schema version {found}, expected {HISTORY_VERSION}")
            epoch, lr, train_loss, *validation = (cells[name] for name in HistoryRow._fields)
            row = HistoryRow(int(epoch), float(lr), float(train_loss), *(float(x) if x else None for x in validation))
            if not all(math.isfinite(value) for value in row if value is not None):
                raise ValueError(f"epoch {epoch} has a value that is not finite")
            rows.append(row)
    except KeyError as error:
        raise ValueError(f"{path}: lacks the column {error}; {fix}") from None
    except (ValueError, csv.Error) as error:
        raise ValueError(f"{path}: {error}; {fix}") from None
    if not rows:
        raise ValueError(f"{path}: has no rows; {fix}")
    return tuple(rows)
