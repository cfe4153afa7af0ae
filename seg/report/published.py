"""The figures that the sources print."""

import math
from pathlib import Path
from typing import NamedTuple

from seg.report.inputs import read_all, read_csv

COLUMNS = ("study", "variant", "split", "metric", "class", "value", "note")


class Published(NamedTuple):
    """A published figure. NaN in the file, for a class that the source calls absent, is `None` here."""

    split: str
    value: float | None
    note: str


def read_published(path: Path, study: str) -> dict[tuple[str, str], Published]:
    """Published figures of a study by (variant, column of the table): `miou`, `iou[car]` and so on.

    Raises:
        ValueError: a row is damaged or a figure stands twice; each with its line.
    """
    found: dict[tuple[str, str], Published] = {}

    def read(numbered: tuple[int, dict[str, str]]) -> None:
        line, row = numbered
        key = row["variant"], f"{row['metric']}[{row['class']}]" if row["class"] else row["metric"]
        if key in found:
            raise ValueError(f"{path}, line {line}: {' has a second figure for '.join(key)}; remove one")
        found[key] = Published(row["split"], _value(row["value"], f"{path}, line {line}"), row["note"])

    rows = enumerate(read_csv(path, COLUMNS, "restore it from the repository"), start=2)
    read_all(read, ((line, row) for line, row in rows if row["study"] == study))
    return found


def _value(text: str, where: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: '{text}' is no number; write a fraction, or nan for an absent class") from None
    return None if math.isnan(value) else value
