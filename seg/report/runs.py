"""Files that the report reads, and arguments that name them.

A missing or damaged file gives one line with its path and how to make it again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
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
    """One seed of a variant, trained and evaluated; the report uses the scores that `scoring` names."""

    directory: Path
    seed: int
    scoring: str
    metrics: Metrics
    training: TrainingRun
    evaluation: EvaluationRun
    history: tuple[HistoryRow, ...]

    @property
    def scores(self) -> Scores:
        """Scores at the size that `scoring` names."""
        found: Scores = getattr(self.metrics, self.scoring)
        return found


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
    """Files of one seed in `<variant>/seed<k>`. Raises ValueError if any is missing or damaged, one line per file."""
    seed = directory.name.removeprefix("seed")
    if not seed.isdecimal():
        raise ValueError(f"{directory}: expected a directory named seed<k>, for example seed0")
    readers: tuple[Callable[[], Any], ...] = (
        lambda: read_result(Metrics, directory / "metrics.json", EVALUATE_AGAIN),
        lambda: read_result(TrainingRun, directory / "run.json", "train this seed again"),
        lambda: read_result(EvaluationRun, directory / "evaluation.json", EVALUATE_AGAIN),
        lambda: read_history(directory / "history.csv"),
    )
    return Run(directory, int(seed), scoring, *read_all(lambda read: read(), readers))


def read_runs(variants: Mapping[str, Path], seeds: Sequence[int | str], scoring: str) -> dict[str, list[Run]]:
    """Runs of each variant, in the order of the seeds, from the directories of the variants."""
    directories = [path / f"seed{seed}" for path in variants.values() for seed in seeds]
    found = iter(read_all(lambda directory: read_run(directory, scoring), directories))
    return {variant: [next(found) for _ in seeds] for variant in variants}


def read_statistics(path: Path) -> Statistics:
    """`statistics.json` of a training pack."""
    return read_result(Statistics, path, "count the classes again")
