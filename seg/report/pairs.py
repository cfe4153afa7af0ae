"""Every pair of a study's variants: `pairs.csv`, and what the table says of a variant beside the best one.

A row holds the difference in mIoU of `variant` minus `other`, means over the seeds. `low` and `high` are the ends of
the 95% interval of this pair by itself, for who asks of this pair alone; `joint_low` and `joint_high` those with which
all intervals of the study hold at once. `distinguishable` says that 0 is not among the latter. Variants are paired by
image, and by seed, which gives them the same order of images: where that makes nothing alike, pairing costs precision
but is not wrong. Where they are scored at different sizes, the images are still the same: the difference is then of
each at its own size.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import TypeAdapter, ValidationError

from seg.evaluation.comparison import differences
from seg.report.inputs import read_csv
from seg.report.rows import BEHIND, BEST, INDISTINCT, Row, csv_text, number


class Pair(NamedTuple):
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


def compare_variants(study: str, scores: Mapping[str, float], resampled: Sequence[np.ndarray]) -> list[Pair]:
    """Every pair in the order of the variants, from the mIoU of each and its resamples (RESAMPLES,)."""
    names = list(scores)
    found = differences(np.array(list(scores.values())), np.stack(resampled, 1))
    figures = np.column_stack([found.value, *found.alone, *found.joint]).tolist()
    return [
        Pair(study, names[i], names[j], value, low, high, joint_low, joint_high, not joint_low <= 0 <= joint_high)
        for (i, j), (value, low, high, joint_low, joint_high) in zip(found.pairs.tolist(), figures, strict=True)
    ]


def against_best(scores: Mapping[str, float], pairs: Sequence[Pair]) -> dict[str, str | None]:
    """Where each variant stands beside the one with the highest mIoU; nowhere where it is the only one."""
    if len(scores) == 1:
        return dict.fromkeys(scores)
    best = max(scores, key=lambda name: scores[name])
    behind = {name for pair in pairs if pair.distinguishable for name in pair[1:3] if best in pair[1:3]}
    return {name: BEST if name == best else BEHIND if name in behind else INDISTINCT for name in scores}


def pairs_text(pairs: Sequence[Pair]) -> str:
    """`pairs.csv`; a study of one variant has the line of names alone."""
    return csv_text([pair._asdict() for pair in pairs], Pair._fields)


def read_pairs(path: Path, variants: Sequence[str]) -> list[Pair]:
    """The rows of a `pairs.csv`. Raises ValueError where it is missing, damaged or of other variants."""
    if len(variants) == 1:
        return []
    mend = "make the study's table again"
    rows = read_csv(path, Pair._fields, mend)
    try:
        pairs = TypeAdapter(list[Pair]).validate_python([tuple(row[name] for name in Pair._fields) for row in rows])
    except ValidationError as error:
        raise ValueError(f"{path}: {error.errors()[0]['msg']}; {mend}") from None
    if [(pair.variant, pair.other) for pair in pairs] != list(combinations(variants, 2)):
        raise ValueError(f"{path}: its pairs are not those of {', '.join(variants)}; {mend}")
    return pairs


def pairs_view(rows: Sequence[Row], pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """A line a variant from the best to the last but one, a cell for each that is worse; nothing without a pair."""
    ranked = [str(row["variant"]) for row in sorted(rows, key=lambda row: -(number(row["miou"]) or 0))]
    cells = {frozenset((pair.variant, pair.other)): _cell(pair) for pair in pairs}
    lines = [
        {"variant": better, "cells": [cells[frozenset((better, worse))] for worse in ranked[i:]]}
        for i, better in enumerate(ranked[:-1], start=1)
    ]
    told_apart = sum(pair.distinguishable for pair in pairs)
    return {"columns": ranked[1:], "lines": lines, "all": len(pairs), "told_apart": told_apart} if pairs else None


def _cell(pair: Pair) -> dict[str, Any]:
    """A difference that is not negative, and how far its joint interval, which lies evenly about it, reaches."""
    reach = (pair.joint_high - pair.joint_low) / 2
    return {"difference": f"{abs(pair.difference):.4f}", "reach": f"± {reach:.4f}", "near": not pair.distinguishable}
