"""What the report reads: one seed's files and the class statistics, checked as they come in.

Whatever is missing or damaged is said in one line a file that names the file and the stage to run again.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Colour = tuple[Count, Count, Count]
Item = TypeVar("Item")
Content = TypeVar("Content")
Model = TypeVar("Model", bound=BaseModel)


class _Content(BaseModel):
    """A JSON file's content: immutable, no silent conversions, no NaN. Keys that the report does not use may come."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)


class Commonest(_Content):
    """What predicting the commonest class everywhere scores."""

    name: str = Field(alias="class")
    pixel_accuracy: Share
    miou: Share


class Metrics(_Content):
    """`metrics.json` of one seed; `None` stands for a class that is absent, in truth and prediction alike."""

    split: str
    images: Count
    names: tuple[str, ...]
    classes: tuple[str, ...]
    pixel_accuracy: Share
    mean_accuracy: Share
    miou: Share
    frequency_weighted_iou: Share
    iou: dict[str, Share | None]
    commonest: Commonest

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.iou) != set(self.classes):
            raise ValueError("'iou' and 'classes' name different classes")
        if len(set(self.names)) != self.images:
            raise ValueError("'names' and 'images' differ in number, or a name comes twice")
        return self


class Machine(_Content):
    """Where a run took place."""

    cpu: str
    cores: Count
    gpu: str | None
    system: str


class Training(_Content):
    """`training.json` of one seed."""

    parameters: Count
    trainable_parameters: Count
    epochs: Count
    best_epoch: Count
    device: str
    precision: str
    seconds: Amount
    images_per_second: Amount
    peak_memory_bytes: Count
    machine: Machine
    versions: dict[str, str]
    commit: str | None
    code: str
    recipe: dict[str, Any]
    started: str


class Evaluation(_Content):
    """`evaluation.json` of one seed."""

    images_per_second: Amount
    peak_memory_bytes: Count
    seconds: Amount
    device: str
    precision: str


class Epoch(NamedTuple):
    """A row of `history.csv`; `val_loss` is `None` in an epoch without validation."""

    epoch: int
    train_loss: float
    val_loss: float | None


class Run(NamedTuple):
    """One seed of a variant, trained and evaluated."""

    directory: Path
    seed: int
    metrics: Metrics
    training: Training
    evaluation: Evaluation
    history: tuple[Epoch, ...]


class Statistics(_Content):
    """`statistics.json` of a train pack: counts by scored class and by id on disk."""

    dataset: str
    split: str
    images: Count
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    classes: tuple[str, ...]
    class_images: tuple[Count, ...]
    pixels: tuple[Count, ...]
    ids: tuple[str, ...]
    id_pixels: tuple[Count, ...]
    id_images: tuple[Count, ...]
    scored: tuple[Count, ...]
    palette: tuple[Colour, ...]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: tuple[float, ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        by_class = (self.classes, self.class_images, self.pixels, self.scored, self.palette, self.weights)
        if len({len(values) for values in by_class}) > 1:
            raise ValueError("the lists by class differ in length")
        if len({len(self.ids), len(self.id_pixels), len(self.id_images)}) > 1:
            raise ValueError("the lists by id on disk differ in length")
        if any(i >= len(self.ids) for i in self.scored):
            raise ValueError("'scored' names an id beyond 'ids'")
        return self


def read_all(read: Callable[[Item], Content], items: Iterable[Item]) -> list[Content]:
    """`read(item)` of every item. Raises one ValueError for all that is wrong, a line each."""
    contents: list[Content] = []
    wrong: list[str] = []
    for item in items:
        try:
            contents.append(read(item))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("\n".join(wrong))
    return contents


def named_paths(pairs: Sequence[str], option: str) -> dict[str, Path]:
    """`NAME=PATH` arguments as a dictionary. Raises ValueError where one is none or a name comes twice."""
    paths: dict[str, Path] = {}
    for pair in pairs:
        name, _, path = pair.partition("=")
        if not name or not path or name in paths:
            raise ValueError(f"{option} {pair}: expected NAME=PATH, each name once")
        paths[name] = Path(path)
    return paths


def read_run(directory: Path) -> Run:
    """One seed's files in `<variant>/seed<k>`. Raises ValueError for each that is missing or damaged."""
    seed = directory.name.removeprefix("seed")
    if not seed.isdecimal():
        raise ValueError(f"{directory}: expected a directory named seed<k>, for example seed0")
    readers: tuple[Callable[[], Any], ...] = (
        lambda: read_model(Metrics, directory / "metrics.json", "evaluate this seed again"),
        lambda: read_model(Training, directory / "training.json", "train this seed again"),
        lambda: read_model(Evaluation, directory / "evaluation.json", "evaluate this seed again"),
        lambda: _read_history(directory / "history.csv"),
    )
    return Run(directory, int(seed), *read_all(lambda read: read(), readers))


def read_statistics(path: Path) -> Statistics:
    """A train pack's `statistics.json`."""
    return read_model(Statistics, path, "count the classes again")


def read_csv(path: Path, columns: Iterable[str], mend: str) -> list[dict[str, str]]:
    """Rows of a CSV file that has at least `columns`."""
    try:
        text = _bytes(path, mend).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: not a UTF-8 text file; {mend}") from None
    reader = csv.DictReader(io.StringIO(text, newline=""), restval="")
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    rows = list(reader)
    if missing or not rows or any(None in row for row in rows):
        what = f"lacks the columns {', '.join(missing)}" if missing else "has no rows or one that is too long"
        raise ValueError(f"{path}: {what}; {mend}")
    return rows


def read_png(path: Path, mend: str) -> bytes:
    """A PNG file's bytes; the signature is all that is looked at."""
    content = _bytes(path, mend)
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        raise ValueError(f"{path}: not a PNG file; {mend}")
    return content


def read_model(model: type[Model], path: Path, mend: str) -> Model:
    """A JSON file's content as `model`."""
    try:
        return model.model_validate_json(_bytes(path, mend))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{path}: {f'{where}: ' if where else ''}{first['msg']}; {mend}") from None


def _bytes(path: Path, mend: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{path}: missing; {mend}") from None


def _read_history(path: Path) -> tuple[Epoch, ...]:
    mend = "train this seed again"

    def read(row: dict[str, str]) -> Epoch:
        try:
            epoch = Epoch(int(row["epoch"]), float(row["train_loss"]), float(row["val_loss"] or 0))
        except ValueError as error:
            raise ValueError(f"{path}: {error}; {mend}") from None
        if not all(map(math.isfinite, epoch)):  # type: ignore[arg-type]  # val_loss is a number here
            raise ValueError(f"{path}: epoch {epoch.epoch} has a loss that is not finite; {mend}")
        return epoch if row["val_loss"] else epoch._replace(val_loss=None)

    return tuple(read_all(read, read_csv(path, ("epoch", "train_loss", "val_loss"), mend)))
