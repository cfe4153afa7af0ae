"""Scores that the sources report, and whether they can be compared with ours."""

import csv
import io
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from seg.report.runs import read_all
from seg.results import Scores, read_bytes
from seg.system.console import nearest

_COLUMNS = ("study", "variant", "split", "metric", "class", "value", "note")
_METRICS = ("loss", *(name for name in Scores.model_fields if name not in ("commonest", "class_boundary_iou")))
_RESTORE = "restore it from the repository"
_IMPOSSIBLE = "impossible"  # start of the note on a figure beyond the range of its metric, printed by the source


class Published(NamedTuple):
    """A published figure; `value` is `None` (nan in the file) for a class that the source calls absent."""

    split: str
    value: float | None
    note: str


class PublishedRow(NamedTuple):
    """A row of the file of published figures; `name` is the class of an IoU."""

    line: int
    study: str
    variant: str
    metric: str
    name: str
    published: Published


class PublishedData(BaseModel):
    """What the source of a study scores, and what is scored here. From `seg.plan.Plan.source`.

    Attributes:
        dataset, classes: dataset of the source and number of classes that it scores (`None`: those of the dataset).
        scored, split: dataset that is scored here, and the official name of its split.
        epochs: full number of epochs of each variant, of which a preset trains a share.
    """

    model_config = ConfigDict(extra="forbid")

    dataset: str
    classes: int | None
    scored: str
    split: str
    epochs: dict[str, int]


def read_source(text: str, variants: Iterable[str]) -> PublishedData:
    """Parse a `PublishedData`. Raises ValueError if it has another form or lacks the epochs of a variant."""
    try:
        source = PublishedData.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"--source {text}: {error.errors()[0]['msg']}; copy it from the command of the rule") from None
    if missing := [name for name in variants if name not in source.epochs]:
        raise ValueError(
            f"--source {text}: has no epochs of {', '.join(missing)}; copy it from the command of the rule"
        )
    return source


def obstacle(source: PublishedData, splits: Iterable[str], classes: int) -> str:
    """Why figures for these splits cannot be compared with scores over `classes` classes; empty if they can."""
    if source.scored != source.dataset:  # split and classes differ with it
        return f"dataset {source.scored} in place of {source.dataset}"
    reasons = [f"split {source.split} in place of {split}" for split in splits if split != source.split]
    if source.classes not in (None, classes):
        reasons.append(f"{classes} classes in place of {source.classes}")
    return ", ".join(reasons)


def read_figures(path: Path) -> list[PublishedRow]:
    """All rows of a file of published figures.

    Raises:
        ValueError: the file is missing or not CSV, a value is not a number or beyond the range of its metric, a metric
            is unknown, or a figure is repeated; one line per row.
    """
    text = read_bytes(path, _RESTORE)
    try:
        rows = csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""), strict=True)
        if missing := [column for column in _COLUMNS if column not in (rows.fieldnames or ())]:
            raise ValueError(f"{path}: lacks the columns {', '.join(missing)}; {_RESTORE}")
        numbered = [(rows.line_num, row) for row in rows]
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not a CSV file in UTF-8 ({error}); {_RESTORE}") from None
    lines: dict[tuple[str, ...], int] = {}

    def read(numbered_row: tuple[int, dict[Any, Any]]) -> PublishedRow:
        line, row = numbered_row
        where = f"{path}, line {line}"
        if None in row or None in row.values():
            raise ValueError(f"{where}: expected {len(_COLUMNS)} cells; put text that contains a comma in quotes")
        study, variant, split, metric, name, value, note = (row[column] for column in _COLUMNS)
        first = lines.setdefault((study, variant, metric, name), line)
        if first != line:
            column = f"{metric}[{name}]" if name else metric
            raise ValueError(f"{where}: {variant} has a second figure for {column}, after line {first}; remove one")
        if metric not in _METRICS:
            raise ValueError(f"{where}: metric '{metric}' is unknown; {nearest(metric, _METRICS)}")
        if bool(name) != (metric == "iou"):
            expected = "expected a class" if metric == "iou" else f"'{name}' is a class, which only iou has"
            raise ValueError(f"{where}: {metric}: {expected}")
        return PublishedRow(
            line, study, variant, metric, name, Published(split, _value(where, metric, value, note), note)
        )

    return read_all(read, numbered)


def _value(where: str, metric: str, text: str, note: str) -> float | None:
    """A figure; `None` for nan. Raises ValueError if it is not a number or beyond the range of its metric."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: '{text}' is not a number; write a fraction or nan") from None
    if math.isnan(value):
        return None
    highest = math.inf if metric == "loss" else 1
    if not (0 <= value <= highest and math.isfinite(value)) and not note.startswith(_IMPOSSIBLE):
        raise ValueError(
            f"{where}: {metric} {text} is outside of [0, {highest}]; write a fraction, or if the source prints this, "
            f"a note that begins with '{_IMPOSSIBLE}'"
        )
    return value


def read_published(path: Path, study: str) -> dict[tuple[str, str], Published]:
    """Published figures of a study by (variant, column of the table): `miou`, `iou[car]` and so on.

    Raises:
        ValueError: see `read_figures`.
    """
    return {
        (figure.variant, f"{figure.metric}[{figure.name}]" if figure.name else figure.metric): figure.published
        for figure in read_figures(path)
        if figure.study == study
    }
