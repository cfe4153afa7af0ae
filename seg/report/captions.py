"""Sentences about a table of scores: what was measured, what its marks mean and what its intervals are over."""

from collections.abc import Sequence

from seg.report.formatting import NEAR, count
from seg.report.rows import FEW_UNITS, Row, classes_differ, fold_count, split_notes, unequal_budgets

_MANY_SEEDS = 5  # with fewer, Student's quantile is above 3
_SCORED_AT = {"native": "the labels' own size", "pack": "the size of the network's input"}


def introduction(rows: Sequence[Row]) -> str:
    """Images and seeds of the scores, and the split of the published figures."""
    first = rows[0]
    seeds, folds = first["seeds"].split(), fold_count(rows)
    if folds:
        each = f", each the mean over seeds {', '.join(seeds)}," if seeds[1:] else f" of seed {seeds[0]}"
        measured = f"Measured scores are means over {folds} folds{each} with their standard deviation and 95% intervals"
    elif len(seeds) > 1:
        measured = (
            f"Measured scores are means over seeds {', '.join(seeds)} with their standard deviation and 95% intervals "
            "over images and seeds"
        )
    else:
        measured = (
            f"Measured scores are of seed {seeds[0]} with 95% intervals over images, which leave out the "
            "noise of training: how much scores vary from seed to seed"
        )
    splits = sorted({row["published_split"] for row in rows if row["published_split"]})
    published = (
        f"published figures are on the source's {', '.join(splits)} split" if splits else "no figure is published"
    )
    if obstacles := sorted({row["published_obstacle"] for row in rows if row["published_obstacle"]}):
        published += f" and for reference only, without a difference ({'; '.join(obstacles)})"
    where = f"in the {folds} folds of a cross-validation" if folds else f"of the {first['split']} split"
    images = f"{count(first['images'])} images {where}"
    return f"Scored on {images} at {_SCORED_AT[first['scoring']]}. {measured}; {published}."


def captions(rows: Sequence[Row]) -> list[str]:
    """What the marks and numbers of a table mean: budgets, near the best, classes and, last, units of the intervals."""
    texts = [budget_caption(rows), near_best_caption(rows), classes_caption(rows), units_caption(rows)]
    return [text for text in texts if text]


def near_best_caption(rows: Sequence[Row]) -> str:
    """Meaning of the mark of an mIoU near the best one; empty for a single variant."""
    pairs = len(rows) * (len(rows) - 1) // 2
    if not pairs or unequal_budgets(rows):
        return ""
    folds = fold_count(rows)
    which = f" The best one has the highest mIoU of the matrices of all {folds} folds together." if folds else ""
    joint = f" The intervals are wide enough to hold for all {pairs} pairs at once." if pairs > 1 else ""
    seeds = len(rows[0]["seeds"].split())
    limit = f" With {seeds} seeds, only large differences are decided." if seeds < _MANY_SEEDS else ""
    if seeds == 1:
        limit = " With one seed, trainings are compared: another seed may rank variants differently."
    margin = float(rows[0]["margin"])
    return (
        f"{NEAR} marks an mIoU that is equivalent to the best one (the 90% interval of their difference is within "
        f"±{margin:g}) or undecided (the 95% interval contains 0). Undecided does not mean equal.{which}{joint}{limit}"
    )


def units_caption(rows: Sequence[Row]) -> str:
    """What the intervals are over, what they leave out, and for which classes they are too narrow."""
    first = rows[0]
    number_of, length = count(first["units"]), first["block"]
    units, between = {
        "group": ("groups of images (videos, patients, cities)", "groups"),
        "block": (f"blocks of {length} consecutive images (or somewhat more) of a video or a city", "blocks"),
        "image": ("single images", "images, for example frames of a video,"),
    }[first["unit"]]
    text = (
        f"delete-one jackknife intervals over {number_of} {units}. Dependence between {between} remains and makes them "
        "too narrow."
    )
    if folds := fold_count(rows):
        text = (
            "Intervals of scores are Student's over the folds, widened approximately because the folds share training "
            f"images (docs/explanation/intervals.md). Differences are of the matrices of all {folds} folds together, "
            f"with {text}"
        )
    else:
        text = f"Intervals are {text}"
    if int(first["units"]) < FEW_UNITS:
        return f"{text} With so few, {'these' if folds else 'all'} intervals are too narrow."
    if not (scarce := split_notes(first["scarce_classes"])):
        return text
    too_narrow = (
        "Because of them, intervals of differences" if folds else "Their intervals, and those of means with them,"
    )
    return (
        f"{text} Classes in the truth of fewer than {FEW_UNITS} of the {number_of}: {', '.join(scarce)}. {too_narrow} "
        "are too narrow (docs/explanation/intervals.md has the simulated coverage)."
    )


def budget_caption(rows: Sequence[Row]) -> str:
    """That variants were trained with different shares of their full budgets; empty if they were not."""
    if not unequal_budgets(rows):
        return ""
    by_share = sorted(rows, key=lambda row: int(row["budget_epochs"]) / int(row["full_epochs"]))
    least, most = (
        f"{row['variant']} {row['budget_epochs']} of {row['full_epochs']} epochs" for row in (by_share[0], by_share[-1])
    )
    return (
        f"The variants were trained with different shares of their full budgets ({least}, {most}), so their scores do "
        "not rank them: no variant is marked as better, worse or near the best."
    )


def classes_caption(rows: Sequence[Row]) -> str:
    """Meaning of the numbers of classes beside the mIoU; empty if they do not differ."""
    if not classes_differ(rows):
        return ""
    return (
        "The mIoU is the mean over the classes in the truth or in the variant's own predictions; their number is "
        "given, because it differs between variants."
    )
