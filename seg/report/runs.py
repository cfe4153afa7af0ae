"""Files that the report reads, and arguments that name them.

A missing or damaged file gives one line with its path and how to make it again.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, TypeVar

from seg.results import (
    EvaluationRun,
    HistoryRow,
    Metrics,
    Scores,
    Statistics,
    TrainingRun,
    read_history,
    read_result,
)

EVALUATE_AGAIN = "evaluate this seed again"
Item = TypeVar("Item")
Content = TypeVar("Content")


class Run(NamedTuple):
    """One seed of a variant, trained and evaluated; the report uses the scores that `scoring` names.

    With a cross-validation, one fold of it.
    """

    directory: Path
    seed: int
    fold: int | None
    scoring: str
    metrics: Metrics
    training: TrainingRun
    evaluation: EvaluationRun
    history: tuple[HistoryRow, ...]

    @property
    def name(self) -> str:
        """Seed and fold, such as `0` or `0/fold3`."""
        return str(self.seed) if self.fold is None else f"{self.seed}/fold{self.fold}"

    @property
    def scores(self) -> Scores:
        """Scores at the size that `scoring` names."""
        found: Scores = getattr(self.metrics, self.scoring)
        return found

    def score(self, column: str) -> float | None:
        """A score, `iou[<class>]`, `boundary_iou[<class>]` or the loss; `None` for an absent class."""
        for prefix, values in (("iou[", self.scores.iou), ("boundary_iou[", self.scores.class_boundary_iou)):
            if column.startswith(prefix):
                return values[column.removeprefix(prefix)[:-1]]
        value: float = self.metrics.loss if column == "loss" else getattr(self.scores, column)
        return value


def read_all(read: Callable[[Item], Content], items: Iterable[Item]) -> list[Content]:
    """`read(item)` for each item. Raises one ValueError with the errors of all items, one line each."""
    contents: list[Content] = []
    errors: list[str] = []
    for item in items:
        try:
            contents.append(read(item))
        except ValueError as error:
            errors.append(str(error))
    if errors:
        raise ValueError("\n".join(errors))
    return contents


def named_paths(arguments: Sequence[str], option: str) -> dict[str, Path]:
    """`NAME=PATH` arguments as a dictionary. Raises ValueError if one has another form or a name is repeated."""
    paths: dict[str, Path] = {}
    for argument in arguments:
        name, _, path = argument.partition("=")
        if not name or not path or name in paths:
            raise ValueError(f"{option} {argument}: expected NAME=PATH, each name once")
        paths[name] = Path(path)
    return paths


def read_run(directory: Path, scoring: str) -> Run:
    """Files of one seed in `<variant>/seed<k>`, or of a fold in `seed<k>/fold<i>`.

    Raises:
        ValueError: a file is missing or damaged; one line per file.
    """
    place = re.fullmatch(r"(?:.*/)?seed(\d+)(?:/fold(\d+))?", directory.as_posix())
    if not place:
        raise ValueError(f"{directory}: expected a directory named seed<k>, for example seed0")
    readers: tuple[Callable[[], Any], ...] = (
        lambda: read_result(Metrics, directory / "metrics.json", EVALUATE_AGAIN),
        lambda: read_result(TrainingRun, directory / "run.json", "train this seed again"),
        lambda: read_result(EvaluationRun, directory / "evaluation.json", EVALUATE_AGAIN),
        lambda: read_history(directory / "history.csv"),
    )
    fold = None if place[2] is None else int(place[2])
    return Run(directory, int(place[1]), fold, scoring, *read_all(lambda read: read(), readers))


def read_runs(
    variants: Mapping[str, Path], seeds: Sequence[int | str], scoring: str, folds: int = 0
) -> dict[str, list[Run]]:
    """Runs of each variant, in the order of the seeds and then the folds, from the directories of the variants."""
    parts = [f"fold{fold}" for fold in range(folds)] or [""]
    inner = [Path(f"seed{seed}", part) for seed in seeds for part in parts]

    def read(variant: Path) -> list[Run]:
        return read_all(lambda part: read_run(variant / part, scoring), inner)

    return dict(zip(variants, read_all(read, variants.values()), strict=True))


def by_seed(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs of each seed: one, or all folds of a cross-validation."""
    found: dict[int, list[Run]] = {}
    for run in runs:
        found.setdefault(run.seed, []).append(run)
    return list(found.values())


def sampled_scores(runs: Iterable[Run], column: str) -> list[float | None]:
    """A score of each seed; with a cross-validation, of each fold: the mean over the seeds in which it is present."""
    found: dict[int, list[float | None]] = {}
    for run in runs:
        found.setdefault(run.seed if run.fold is None else run.fold, []).append(run.score(column))
    present = [[each for each in values if each is not None] for values in found.values()]
    return [fmean(values) if len(values) > 1 else values[0] if values else None for values in present]


def read_statistics(path: Path) -> Statistics:
    """`statistics.json` of a training pack."""
    return read_result(Statistics, path, "count the classes again")
