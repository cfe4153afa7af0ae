"""All pairs of a study's variants: `pairs.csv`, and how each variant compares with the best one.

The verdict on a variant, from the intervals that hold for all pairs of the study at once, is

- `equivalent` if the 90% interval is within the margin of equivalence: two one-sided tests at 5%,
- else `better` or `worse` if the 95% interval excludes 0,
- else `undecided`: neither a difference nor its absence is shown.

All verdicts of a study hold at once. They are empty if the variants were trained with different shares of their
budgets. Variants are paired by image and by seed; with the same seed they see the training images in the same order. If
this does not correlate their scores, pairing is still valid but gains no precision. Variants with different input sizes
are also paired by image, each scored at its own size. With a cross-validation, the mIoU is that of the confusion
matrices of all folds together, in which every image is once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import TypeAdapter, ValidationError

from seg.evaluation.comparison import differences
from seg.evaluation.jackknife import Estimate
from seg.report.rows import BEST, NEAR_BEST, REMAKE_TABLE, Row, read_table, table_text

Verdict = Literal["better", "worse", "equivalent", "undecided", ""]
_MIRRORED: dict[Verdict, Verdict] = {"better": "worse", "worse": "better"}


class PairDifference(NamedTuple):
    """A row of `pairs.csv`.

    Attributes:
        study: the study.
        variant: a variant.
        other: the one that it is compared with.
        difference: mIoU of `variant` minus that of `other`, each the mean over its seeds.
        low: lower end of the 95% interval of this pair alone.
        high: its upper end.
        joint_low: lower end of a 95% interval; those of all pairs of the study hold at once.
        joint_high: its upper end.
        equivalence_low: lower end of a 90% interval; those of all pairs of the study hold at once.
        equivalence_high: its upper end.
        verdict: of `variant`: equivalent, better, worse or undecided; empty if the variants were trained with different
            shares of their budgets.
        classes: number of classes in the mean of `variant`, a range if seeds differ.
        other_classes: that of `other`.
        same_classes: whether they are the same classes; if not, the difference depends on that too.
    """

    study: str
    variant: str
    other: str
    difference: float
    low: float
    high: float
    joint_low: float
    joint_high: float
    equivalence_low: float
    equivalence_high: float
    verdict: Verdict
    classes: str
    other_classes: str
    same_classes: bool


class PairMatrix(NamedTuple):
    """Differences in mIoU (V, V) float64 of row minus column, NaN in the diagonal; verdicts on the row's variant."""

    variants: tuple[str, ...]
    differences: np.ndarray
    verdicts: list[list[Verdict]]


class PairMember(NamedTuple):
    """A variant to compare: its mIoU, and the classes in the mean of each seed."""

    miou: Estimate
    classes: tuple[frozenset[str], ...]


def compare_variants(
    study: str, variants: Mapping[str, PairMember], margin: float, comparable: bool = True
) -> list[PairDifference]:
    """All pairs in the order of the variants; without verdicts if they are not `comparable`."""
    names = list(variants)
    found = differences([each.miou for each in variants.values()])
    figures = np.column_stack([found.value, *found.alone, *found.joint, *found.equivalence]).tolist()
    rows = []
    for (i, j), row in zip(found.pairs.tolist(), figures, strict=True):
        sets = variants[names[i]].classes, variants[names[j]].classes
        verdict = _verdict(row, margin) if comparable else ""
        members = [class_range(sets[0]), class_range(sets[1]), sets[0] == sets[1]]
        rows.append(PairDifference._make([study, names[i], names[j], *row, verdict, *members]))
    return rows


def class_range(classes: Sequence[frozenset[str]]) -> str:
    """Number of classes in a mean; the lowest and the highest if seeds differ."""
    low, high = (extreme(len(each) for each in classes) for extreme in (min, max))
    return str(low) if low == high else f"{low}–{high}"


def _verdict(figures: Sequence[float], margin: float) -> Verdict:
    """Verdict from the columns of a row from `difference` to `equivalence_high`."""
    low, high, equivalence_low, equivalence_high = figures[-4:]
    if -margin < equivalence_low and equivalence_high < margin:
        return "equivalent"
    return "better" if low > 0 else "worse" if high < 0 else "undecided"


def against_best(scores: Mapping[str, float], pairs: Sequence[PairDifference]) -> dict[str, str]:
    """Verdict on each variant against the one with the highest mIoU, which is `best`; empty if there are none."""
    if not any(pair.verdict for pair in pairs):
        return dict.fromkeys(scores, "")
    best = max(scores, key=lambda name: scores[name])
    verdicts: dict[str, str] = {pair.variant: pair.verdict for pair in pairs if pair.other == best}
    verdicts |= {pair.other: _MIRRORED.get(pair.verdict, pair.verdict) for pair in pairs if pair.variant == best}
    return {name: BEST if name == best else verdicts[name] for name in scores}


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


def ranked_by_pairs(rows: Sequence[Row], pairs: Sequence[PairDifference]) -> list[str]:
    """Variants from the highest to the lowest mIoU that the pairs compare."""
    first = rows[0]["variant"]
    below = {pair.other: pair.difference for pair in pairs if pair.variant == first}
    below |= {pair.variant: -pair.difference for pair in pairs if pair.other == first}
    return sorted((row["variant"] for row in rows), key=lambda name: below.get(name, 0.0))


def pair_matrix(variants: Sequence[str], pairs: Sequence[PairDifference]) -> PairMatrix:
    """Differences of these variants, which the pairs must contain."""
    places = {name: i for i, name in enumerate(variants)}
    values = np.full((len(variants), len(variants)), np.nan)
    verdicts: list[list[Verdict]] = [[""] * len(variants) for _ in variants]
    for pair in pairs:
        if pair.variant in places and pair.other in places:
            i, j = places[pair.variant], places[pair.other]
            values[i, j], values[j, i] = pair.difference, -pair.difference
            verdicts[i][j], verdicts[j][i] = pair.verdict, _MIRRORED.get(pair.verdict, pair.verdict)
    return PairMatrix(tuple(variants), values, verdicts)


def pairs_view(rows: Sequence[Row], pairs: Sequence[PairDifference]) -> dict[str, Any] | None:
    """One line per variant from the best to the last but one, one cell per worse variant; `None` without pairs."""
    if not pairs:
        return None
    ranked = ranked_by_pairs(rows, pairs)
    cells = {frozenset((pair.variant, pair.other)): pair for pair in pairs}
    lines = [
        {"variant": better, "cells": [cells[frozenset((better, worse))] for worse in ranked[i:]]}
        for i, better in enumerate(ranked[:-1], start=1)
    ]
    counts = Counter[str](pair.verdict for pair in pairs)
    decided = {"better or worse": counts["better"] + counts["worse"], **{name: counts[name] for name in NEAR_BEST}}
    return {
        "columns": ranked[1:],
        "lines": lines,
        "all": len(pairs),
        "counts": ", ".join(f"{count} {verdict}" for verdict, count in decided.items()),
        "near": NEAR_BEST,
        "classes_differ": any(not pair.same_classes for pair in pairs),
    }
