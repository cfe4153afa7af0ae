"""All pairs of a study's variants: `pairs.csv`, and how each variant compares with the best one.

A row is the difference in mIoU of `variant` minus `other`, each the mean over its seeds. `low` and `high` are the ends
of the 95% interval of this pair alone; `joint_low` and `joint_high` are wide enough for all pairs of the study to hold
at once. A pair is `distinguishable` if its joint interval excludes 0. Variants are paired by image and by seed;
with the same seed they see the training images in the same order. If this does not correlate their scores, pairing is
still valid but gains no precision. Variants with different input sizes are also paired by image, each scored at its own
size.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from seg.evaluation.comparison import differences
from seg.report.rows import BEHIND, BEST, INDISTINCT, REMAKE_TABLE, Row, number, read_table, table_text


class PairDifference(NamedTuple):
    """A row of `pairs.csv`."""

    study: str
    variant: str
    other: str
    difference: float
    low: float
    high: float
    joint_low: float
    joint_high: float
    distinguishable: bool


def compare_variants(study: str, scores: Mapping[str, float], resampled: Sequence[np.ndarray]) -> list[PairDifference]:
    """All pairs in the order of the variants, from the mIoU of each variant and its resamples (RESAMPLES,)."""
    names = list(scores)
    found = differences(np.array(list(scores.values())), np.stack(resampled, 1))
    figures = np.column_stack([found.value, *found.alone, *found.joint]).tolist()
    return [
        PairDifference._make([study, names[i], names[j], *row, not row[-2] <= 0 <= row[-1]])
        for (i, j), row in zip(found.pairs.tolist(), figures, strict=True)
    ]


def against_best(scores: Mapping[str, float], pairs: Sequence[PairDifference]) -> dict[str, str]:
    """How each variant compares with the one with the highest mIoU; empty for a single variant."""
    if len(scores) == 1:
        return dict.fromkeys(scores, "")
    best = max(scores, key=lambda name: scores[name])
    behind = {name for pair in pairs if pair.distinguishable for name in pair[1:3] if best in pair[1:3]}
    return {name: BEST if name == best else BEHIND if name in behind else INDISTINCT for name in scores}


def pairs_text(pairs: Sequence[PairDifference]) -> str:
    """`pairs.csv`; only the header for a study of one variant."""
    return table_text(pd.DataFrame(pairs, columns=PairDifference._fields))


def read_pairs(path: Path, variants: Sequence[str]) -> list[PairDifference]:
    """Rows of a `pairs.csv`. Raises ValueError if it is missing, damaged or has other variants."""
    if len(variants) == 1:
        return []
    frame = read_table(path, PairDifference._fields, REMAKE_TABLE)
    try:
        rows = frame[[*PairDifference._fields]].itertuples(index=False, name=None)
        pairs = TypeAdapter(list[PairDifference]).validate_python(list(rows))
    except ValidationError as error:
        raise ValueError(f"{path}: {error.errors()[0]['msg']}; {REMAKE_TABLE}") from None
    if [(pair.variant, pair.other) for pair in pairs] != list(combinations(variants, 2)):
        raise ValueError(f"{path}: its pairs are not those of {', '.join(variants)}; {REMAKE_TABLE}")
    return pairs


def pairs_view(rows: Sequence[Row], pairs: Sequence[PairDifference]) -> dict[str, Any] | None:
    """One line per variant from the best to the last but one, one cell per worse variant; `None` without pairs."""
    if not pairs:
        return None
    ranked = [row["variant"] for row in sorted(rows, key=lambda row: -(number(row["miou"]) or 0))]
    cells = {frozenset((pair.variant, pair.other)): pair for pair in pairs}
    lines = [
        {"variant": better, "cells": [cells[frozenset((better, worse))] for worse in ranked[i:]]}
        for i, better in enumerate(ranked[:-1], start=1)
    ]
    distinguishable = sum(pair.distinguishable for pair in pairs)
    return {"columns": ranked[1:], "lines": lines, "all": len(pairs), "distinguishable": distinguishable}
