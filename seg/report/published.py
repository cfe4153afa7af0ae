"""Scores that the sources report, and whether they can be compared with ours."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from seg.report.rows import read_table
from seg.report.runs import read_all

_COLUMNS = ("study", "variant", "split", "metric", "class", "value", "note")


class Published(NamedTuple):
    """A published figure; `value` is `None` (nan in the file) for a class that the source calls absent."""

    split: str
    value: float | None
    note: str


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


def read_published(path: Path, study: str) -> dict[tuple[str, str], Published]:
    """Published figures of a study by (variant, column of the table): `miou`, `iou[car]` and so on.

    Raises:
        ValueError: values are not numbers or figures are repeated; one line per row.
    """
    found: dict[tuple[str, str], Published] = {}

    def read(row: tuple[Any, ...]) -> None:
        line, _, variant, split, metric, name, text, note = row
        where = f"{path}, line {line + 2}"
        key = variant, f"{metric}[{name}]" if name else metric
        if key in found:
            raise ValueError(f"{where}: {' has a second figure for '.join(key)}; remove one")
        try:
            value = float(text)
        except ValueError:
            raise ValueError(f"{where}: '{text}' is not a number; write a fraction or nan") from None
        found[key] = Published(split, None if math.isnan(value) else value, note)

    frame = read_table(path, _COLUMNS, "restore it from the repository", version=None)
    read_all(read, frame.loc[frame["study"] == study, [*_COLUMNS]].itertuples(name=None))
    return found
