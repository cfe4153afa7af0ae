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

from pydantic import ConfigDict, Field, ValidationError, model_validator

from seg.system.strict import Strict

HISTORY_VERSION = 1  # of history.csv

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
NonNegative = Annotated[int, Field(ge=0)]
SCORINGS = ("native", "pack")  # sizes that a model is scored at, as fields of `Metrics` and in `confusion.npy`
Colour = tuple[NonNegative, NonNegative, NonNegative]
Bounds = tuple[float, float]


class ResultFile(Strict):
    """Content of a JSON file.

    Attributes:
        schema_version: version of this schema; a file with another one is refused.
    """

    schema_version: int = 1  # overridden by a schema when it changes

    def text(self) -> str:
        """One line of JSON; the same content gives the same bytes."""
        return self.model_dump_json(by_alias=True) + "\n"


class Commonest(Strict):
    """Scores of predicting the most frequent class for all pixels.

    Attributes:
        name: the most frequent class in the truth.
        pixel_accuracy: its share of the labelled pixels.
        miou: its IoU divided by the number of classes in the truth.
    """

    model_config = ConfigDict(populate_by_name=True)

    name: str = Field(alias="class")
    pixel_accuracy: Share
    miou: Share


class Scores(Strict):
    """Scores of one model at one size of the images, fractions in [0, 1].

    `pixel_accuracy` to `frequency_weighted_iou` and `iou` are of the confusion matrix summed over the images.

    Attributes:
        pixel_accuracy: share of the labelled pixels with the right class.
        mean_accuracy: mean over the classes in the truth of the share of their pixels with the right class.
        miou: mean of the IoU of the classes in the truth or the prediction.
        frequency_weighted_iou: mean of the IoU of the classes, weighted by their pixels in the truth.
        image_accuracy: mean over the images of the pixel accuracy of each.
        image_miou: mean over the images of the mIoU of each, over the classes in its truth or its prediction.
        boundary_iou: IoU of the pixels near the boundaries of the classes, see `seg.metrics.boundary`.
        class_boundary_iou: the same by class; null for a class without a boundary in truth and prediction.
        calibration_error: expected calibration error, see `seg.metrics.calibration`.
        iou: IoU by class; null for a class in neither the truth nor the prediction.
        commonest: scores of predicting the most frequent class for all pixels.
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

    `confusion.npy` has the matrices of both sizes, `native` first: (2, N, C, C) int64, rows are true classes.

    Attributes:
        split: the split that was evaluated.
        images: number of its images.
        names: names of the images, in the order of the matrices.
        groups: what each image was recorded with (a video, a city), empty if unknown.
        ordered: whether the images of a group are in the order of recording.
        classes: names of the scored classes, in the order of the matrices.
        inference: passes of evaluation, as `evaluation` in params.yaml.
        loss: loss of the variant's training, at the size of the pack.
        native: scores of the logits resized to each label's own size.
        pack: scores at the size of the pack, which the network was evaluated at.
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
    """Machine that a stage ran on.

    Attributes:
        cpu: model of the processor.
        cores: number of processors of the machine.
        gpu: model of the GPU; null without one.
        system: operating system.
    """

    cpu: str
    cores: NonNegative
    gpu: str | None
    system: str


class StageRun(ResultFile):
    """Device, time and memory of a stage.

    Attributes:
        device: device that the stage computed on: cpu, cuda or mps.
        machine: the machine.
        precision: precision that was used: fp32, tf32 or bf16.
        seconds: duration in seconds.
        images_per_second: images that were processed, per second; of a training without its validations.
        peak_memory_bytes: most memory in use at once: of the GPU if there is one, without the packs that are kept
            there, else of the process.
    """

    device: str
    machine: Machine
    precision: str
    seconds: Amount
    images_per_second: Amount
    peak_memory_bytes: NonNegative


class TrainingRun(StageRun):
    """Recipe and code of a training, its time, memory and machine.

    Attributes:
        recipe: every value that can change the result.
        classes: names of the scored classes.
        palette: their colours (red, green, blue).
        weights: metadata of the file that the network started from; null for random initialization.
        parameters: number of parameters of the network.
        trainable_parameters: number of those that are not frozen.
        epochs: number of epochs that were trained.
        scored_epoch: epoch whose weights are in the model and are scored: the one with the lowest validation loss with
            early stopping, else the last.
        train_images: number of images of an epoch.
        steps: number of steps of the optimizer.
        resident_bytes: size of the packs that are kept in a GPU's memory.
        versions: versions of Python and of the libraries.
        code: digest of the code behind the training.
        commit: commit of the source, with `-dirty` if files differed; null outside of a git checkout.
        started: time at which the training started, or was resumed last.
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

    Attributes:
        throughput_images_per_second: of the network alone, in the evaluation, with batches of `eval_batch` images.
        multiply_adds: multiply-adds of one forward pass of one image.
        latency_seconds: seconds of a forward pass of one image, the median over `latency_runs` passes.
        latency_runs: number of these passes.
    """

    throughput_images_per_second: Amount
    multiply_adds: NonNegative
    latency_seconds: Amount
    latency_runs: NonNegative


class Statistics(ResultFile):
    """Counts of a training pack by scored class and by id on disk, channel moments in [0, 1], and class weights.

    Attributes:
        dataset: name of the dataset.
        split: its split.
        images: number of images.
        height: of the images in pixels.
        width: of the images in pixels.
        classes: names of the scored classes.
        palette: their colours (red, green, blue).
        ids: names of all classes on disk, also of those that are not scored.
        scored: positions in `ids` of the scored classes.
        id_pixels: number of pixels of each id.
        id_images: number of images with each id.
        pixels: number of pixels of each scored class.
        class_images: number of images with each scored class.
        mean: mean of each channel.
        std: standard deviation of each channel.
        weights: weight of each class in `weighted_cross_entropy`.
    """

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
    """An epoch; the last three are empty without validation.

    Attributes:
        epoch: number of the epoch, from 1.
        lr: learning rate of the epoch's last step.
        train_loss: mean loss of the training batches, augmented, while the weights change.
        val_loss: loss of the validation split.
        val_pixel_accuracy: pixel accuracy of the validation split.
        val_miou: mIoU of the validation split.
    """

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
