"""Scores that the sources report."""

import math
from pathlib import Path
from typing import Any, NamedTuple

from seg.report.rows import read_table
from seg.report.runs import read_all

_COLUMNS = ("study", "variant", "split", "metric", "class", "value", "note")


class Published(NamedTuple):
    """A published figure; `value` is `None` (nan in the file) for a class that the source calls absent."""

    split: str
    value: float | None
    note: str


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
