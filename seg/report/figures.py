"""Figures as files: SVG, whose text stays text, and PNG. The same input gives the same bytes.

`draw_study` draws those of a study, `results/<preset>/<study>/figures/<name>.{svg,png}`, for `seg.report.table`;
`seg.report.page` draws `results/<preset>/figures/cost.{svg,png}`. What is drawn is computed in `seg.report.series`. A
figure shows at most `SHOWN` variants, those with the highest mIoU, and says so; tables and page have all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from seg.report.class_figures import draw_class_scores, draw_confusion
from seg.report.curve_figures import draw_curves
from seg.report.figure_names import STUDY_FIGURES
from seg.report.intervals import summed_confusion
from seg.report.pairs import PairDifference, pair_matrix, ranked_by_pairs
from seg.report.rows import Row
from seg.report.runs import Run
from seg.report.score_figures import draw_pairs, draw_scores
from seg.report.series import SHOWN, class_scores, confusion_shares, curves, ranked, score_dots, truth_shares


def draw_study(
    rows: Sequence[Row],
    all_runs: Mapping[str, Sequence[Run]],
    pairs: Sequence[PairDifference],
    files: list[Path],
) -> None:
    """Draw all `STUDY_FIGURES` into the files with their names.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged.
    """
    paths = {name: [path for path in files if path.stem == name] for name in STUDY_FIGURES}
    drawn_rows = ranked(rows)[:SHOWN]
    runs = {row["variant"]: all_runs[row["variant"]] for row in drawn_rows}
    order = "with the highest mIoU" if rows[0]["against_best"] else "first in the table"
    note = f"The {SHOWN} of {len(rows)} variants {order}" if len(rows) > SHOWN else ""
    classes = next(iter(runs.values()))[0].metrics.classes
    confusion = {variant: summed_confusion(each) for variant, each in runs.items()}
    truth = truth_shares(next(iter(confusion.values())))
    draw_scores(score_dots(drawn_rows, runs), note, *paths["scores"])
    draw_pairs(pair_matrix(ranked_by_pairs(drawn_rows, pairs), pairs), note, *paths["pairs"])
    for score, title in {"iou": "IoU", "boundary_iou": "Boundary IoU"}.items():
        values = class_scores(runs, score, classes)
        draw_class_scores(values, truth, list(runs), classes, title, note, *paths[f"class_{score}"])
    shares = {variant: confusion_shares(matrix) for variant, matrix in confusion.items()}
    draw_confusion(shares, classes, note, *paths["confusion"])
    losses = {variant: str(each[0].training.recipe.get("loss", "loss")) for variant, each in runs.items()}
    draw_curves({variant: curves(each) for variant, each in runs.items()}, losses, note, *paths["curves"])
