"""The comparison of the working tree beside that of another commit, from what DVC has: `seg diff`."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from seg.report.inputs import read_csv
from seg.report.rows import ABSENT, METRICS

_SCORED = ("split", "images")  # what a score was taken on; of other images it is another quantity


class Value(NamedTuple):
    """A score as the table has it: None where it is absent, `low` and `high` of its 95% interval where it has one."""

    score: float | None
    low: float | None
    high: float | None
    std: float | None
    scored: tuple[str, ...]

    def __str__(self) -> str:
        if self.score is None:
            return ABSENT
        if self.low is not None and self.high is not None:
            return f"{self.score:.4f} [{self.low:.4f}, {self.high:.4f}]"
        return f"{self.score:.4f}" if self.std is None else f"{self.score:.4f} ± {self.std:.4f}"


Values = dict[tuple[str, str], Value]


def read_values(path: Path, metric: str) -> Values:
    """A metric of every study and variant in a `comparison.csv`.

    Raises:
        ValueError: the file is missing or no such table, or the metric is unknown.
    """
    if metric not in METRICS:
        raise ValueError(f"--metric {metric}: unknown; known are {', '.join(METRICS)}")
    rows = read_csv(path, ["study", "variant", *_SCORED, *_columns(metric)], "run the workflow to its report")
    try:
        return {(row["study"], row["variant"]): _value(row, metric) for row in rows}
    except ValueError as error:
        raise ValueError(f"{path}: {error}; run the workflow to its report") from None


def _value(row: dict[str, str], metric: str) -> Value:
    score, low, high, std = (None if row[column] in ("", ABSENT) else float(row[column]) for column in _columns(metric))
    return Value(score, low, high, std, tuple(row[name] for name in _SCORED))


def _columns(metric: str) -> list[str]:
    return [metric, f"{metric}_low", f"{metric}_high", f"{metric}_std"]


def earlier_values(path: Path, commit: str, metric: str) -> Values:
    """The same of another commit, from DVC's cache or remote.

    Raises:
        ValueError: the commit is unknown, DVC recorded no such table in it, or nobody has that any more.
    """
    known = _run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if known.returncode:
        raise ValueError(f"{commit}: no commit of this repository; `git log --oneline -- dvc.lock` lists some")
    lock = _run("git", "show", f"{known.stdout.strip()}:dvc.lock")
    if lock.returncode:
        raise ValueError(f"{commit}: has no dvc.lock, so DVC recorded no results; take a commit made after `dvc repro`")
    if not any(f"path: {part.as_posix()}\n" in lock.stdout for part in (path, *path.parents)):
        raise ValueError(f"{commit}: its dvc.lock has no {path}; `--preset` names another one")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, path.name)
        got = _run(
            sys.executable, "-m", "dvc", "get", ".", str(path), "--rev", known.stdout.strip(), "--out", str(copy)
        )
        if got.returncode:
            reason = "; ".join(line[7:] for line in got.stderr.splitlines() if line.startswith("ERROR: "))
            raise ValueError(f"{commit}: DVC finds no {path} ({reason}); `dvc push` it where it was made")
        return read_values(copy, metric)


def compare(before: Values, now: Values) -> list[tuple[str, ...]]:
    """A line a variant, in the order of the table of now, then what is gone: names, values, difference, what it says.

    Nothing is claimed beyond the two intervals: where they overlap or one is missing, the difference may be chance.
    """
    return [
        (
            *key,
            *(str(side[key]) if key in side else "" for side in (before, now)),
            *_change(before.get(key), now.get(key)),
        )
        for key in [*now, *(key for key in before if key not in now)]
    ]


def _change(before: Value | None, now: Value | None) -> tuple[str, str]:
    """The difference, and what it says."""
    if before is None or now is None:
        return "", "added" if before is None else "removed"
    if before.scored != now.scored:
        return "", f"not the same images: {' '.join(before.scored)}, now {' '.join(now.scored)}"
    if before == now:
        return "", "unchanged"
    if before.score is None or now.score is None:
        return "", "absent on one side"
    return f"{now.score - before.score:+.4f}", _verdict(before, now)


def _verdict(before: Value, now: Value) -> str:
    if before.low is None or before.high is None or now.low is None or now.high is None:
        return "no intervals to judge by"
    return "intervals overlap" if before.low <= now.high and now.low <= before.high else "intervals apart"


def table(lines: Sequence[tuple[str, ...]], metric: str) -> list[str]:
    """The lines under their heads, in columns."""
    cells = [("study", "variant", f"{METRICS[metric]} before", "now", "difference", ""), *lines]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
