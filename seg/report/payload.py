"""Plain values behind the plots and dialogs of the page, embedded once as JSON for its script."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from seg.report.formatting import duration, size
from seg.report.intervals import summed_confusion
from seg.report.pairs import PairDifference
from seg.report.provenance import command, facts, predict_command, recipes
from seg.report.rows import BEST, Row, class_columns, number
from seg.report.runs import Run, read_all
from seg.report.score_table import DETAIL_TITLES, TITLES
from seg.report.series import COSTS, class_scores, cost_points
from seg.results import HistoryRow

CLASS_TITLES = {"iou": "IoU", "boundary_iou": "Boundary IoU"}
_VERDICTS = {"better": 1, "worse": -1, "equivalent": 2, "undecided": 0, "": None}


def study_data(rows: Sequence[Row], runs: Mapping[str, Sequence[Run]], pairs: Sequence[PairDifference]) -> Any:
    """Values of a study; lists by variant are in the order of the rows.

    Raises:
        ValueError: a `confusion.npy` is missing or damaged; one line per file.
    """
    first = next(iter(runs.values()))[0]
    places = {variant: i for i, variant in enumerate(runs)}
    keys, values = recipes(runs)
    return {
        "name": rows[0]["study"],
        "title": rows[0]["title"],
        "variants": list(runs),
        "best": next((i for i, row in enumerate(rows) if row["against_best"] == BEST), None),
        "verdicts": [row["against_best"] for row in rows],
        "obstacle": next((row["published_obstacle"] for row in rows if row["published_obstacle"]), ""),
        "scores": {metric: _score(rows, metric) for metric in [*TITLES, *class_columns(rows[0])]},
        "costs": {cost: [_rounded(number(row[cost])) for row in rows] for cost in COSTS},
        "fronts": {cost: [i for i, point in enumerate(cost_points(rows, cost)) if point.front] for cost in COSTS},
        "classes": list(first.metrics.classes),
        "colours": ["#{:02x}{:02x}{:02x}".format(*colour) for colour in first.training.palette],
        "confusion": [each.ravel().tolist() for each in read_all(summed_confusion, runs.values())],
        **{score: _by_class(runs, score) for score in CLASS_TITLES},
        "histories": [[_history(run) for run in each] for each in runs.values()],
        "losses": [str(each[0].training.recipe.get("loss", "loss")) for each in runs.values()],
        "recipe": {"keys": keys, "values": values},
        "pairs": [_pair(pair, places) for pair in pairs],
    }


def page_data(preset: str, studies: Sequence[Mapping[str, Any]]) -> Any:
    """Values of all studies, and how their runs came about; `machines` has each combination of facts once."""
    machines: list[dict[str, str]] = []
    found = []
    for study in studies:
        runs = [[_provenance(preset, run, machines) for run in each] for each in study["runs"].values()]
        found.append(study["data"] | {"runs": runs})
    titles = {"titles": TITLES | DETAIL_TITLES, "class_titles": CLASS_TITLES}
    return {"preset": preset, **titles, "costs": COSTS, "machines": machines, "studies": found}


def json_for_script(data: Any) -> str:
    """JSON that is safe inside a `<script>` of HTML."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _provenance(preset: str, run: Run, machines: list[dict[str, str]]) -> dict[str, Any]:
    training = run.training
    if facts(run) not in machines:
        machines.append(facts(run))
    return {
        "run": run.name,
        "scores": {name: run.score(name) for name in [*TITLES, *DETAIL_TITLES]},
        **{score: [_rounded(run.score(f"{score}[{name}]")) for name in run.metrics.classes] for score in CLASS_TITLES},
        "machine": machines.index(facts(run)),
        "device": f"{training.device}, {training.precision}",
        "started": training.started,
        "training": duration(training.seconds),
        "evaluation": duration(run.evaluation.seconds),
        "memory": size(training.peak_memory_bytes),
        "code": training.code,
        "epochs": training.epochs,
        "scored": training.scored_epoch,
        "steps": training.steps,
        "command": command(preset, run),
        "predict": predict_command(run),
        "edited": (training.commit or "").endswith("-dirty"),
    }


def _score(rows: Sequence[Row], metric: str) -> dict[str, list[float | None]]:
    suffixes = {"value": "", "low": "_low", "high": "_high", "published": "_published"}
    return {name: [_rounded(number(row[metric + suffix])) for row in rows] for name, suffix in suffixes.items()}


def _by_class(runs: Mapping[str, Sequence[Run]], score: str) -> list[list[float | None]]:
    """A score of each variant and class; `None` for an absent class."""
    classes = next(iter(runs.values()))[0].metrics.classes
    scores = class_scores(runs, score, classes).tolist()
    return [[None if math.isnan(value) else _rounded(value) for value in line] for line in scores]


def _history(run: Run) -> dict[str, Any]:
    """Columns of a history by name, and the scored epoch."""
    columns = zip(HistoryRow._fields, zip(*run.history, strict=True), strict=True)
    return {"run": run.name, "scored": run.training.scored_epoch} | {
        name: [_rounded(value) for value in values] for name, values in columns
    }


def _pair(pair: PairDifference, places: Mapping[str, int]) -> list[Any]:
    ends = [_rounded(value) for value in (pair.difference, pair.joint_low, pair.joint_high)]
    return [places[pair.variant], places[pair.other], *ends, _VERDICTS[pair.verdict], int(pair.same_classes)]


def _rounded(value: float | None) -> float | int | None:
    """Shorter numbers, with more digits than the page shows, which rounds them as the tables do."""
    if value is None or isinstance(value, int):
        return value
    rounded = float(f"{value:.9g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded
