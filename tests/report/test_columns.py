"""Every column of a table is described, and every described column exists."""

from pathlib import Path

import pandas as pd
import pytest
from test_table import make_table

from seg.report.columns import COLUMNS, SCORE_SUFFIXES, SCORES


def test_columns_of_a_table_are_described(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_table(results, monkeypatch, classes=("person",))
    scores = [name.replace("<class>", "person") + suffix for name in SCORES for suffix in SCORE_SUFFIXES]
    assert set(pd.read_csv(study / "table.csv").columns) == {*scores, *COLUMNS} - {"folds"}
