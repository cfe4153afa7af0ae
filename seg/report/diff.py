"""Comparison of the results in the working tree with those that DVC recorded at another commit: `seg diff`."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from seg.report.rows import ABSENT, METRIC_TITLES, number, read_table


class ScoreValue(NamedTuple):
    """A score of `comparison.csv`, `None` if absent, and the images that it is from."""

    score: float | None
    low: float | None
    high: float | None
    std: float | None
    split: str
    images: str

    def __str__(self) -> str:
        if self.score is None:
            return ABSENT
        if self.low is not None and self.high is not None:
            return f"{self.score:.4f} [{self.low:.4f}, {self.high:.4f}]"
        return f"{self.score:.4f}" if self.std is None else f"{self.score:.4f} ± {self.std:.4f}"


ComparedScores = dict[tuple[str, str], ScoreValue]


def read_scores(path: Path, metric: str) -> ComparedScores:
    """A metric of all variants in a `comparison.csv`, by (study, variant).

    Raises:
        ValueError: the file is missing or damaged, or the metric is unknown.
    """
    if metric not in METRIC_TITLES:
        raise ValueError(f"--metric {metric}: unknown; known are {', '.join(METRIC_TITLES)}")
    fix = "run the workflow to its report"
    columns = [metric, f"{metric}_low", f"{metric}_high", f"{metric}_std"]
    frame = read_table(path, ["study", "variant", "split", "images", *columns], fix).set_index(["study", "variant"])
    try:
        numbers = [[number(cell) for cell in frame[column]] for column in columns]
    except ValueError as error:
        raise ValueError(f"{path}: {error}; {fix}") from None
    return dict(zip(frame.index, map(ScoreValue, *numbers, frame["split"], frame["images"]), strict=True))


def scores_at(path: Path, commit: str, metric: str) -> ComparedScores:
    """A metric of all variants at another commit, from DVC's cache or remote.

    Raises:
        ValueError: git cannot read this directory, the commit is unknown, DVC recorded no such table in it, or cannot
            get it.
    """
    known = _run("git", "rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if known.returncode > 1:
        reason = (known.stderr.splitlines() or ["git failed"])[0].removeprefix("fatal: ")
        raise ValueError(f"{commit}: {reason}; run in a checkout of the project")
    if known.returncode:
        raise ValueError(f"{commit}: no commit of this repository; `git log --oneline -- dvc.lock` lists some")
    revision = known.stdout.strip()
    lock = _run("git", "show", f"{revision}:dvc.lock")
    if lock.returncode:
        raise ValueError(f"{commit}: has no dvc.lock, so DVC recorded no results; take a commit made after `dvc repro`")
    if not any(f"path: {part.as_posix()}\n" in lock.stdout for part in (path, *path.parents)):
        raise ValueError(f"{commit}: its dvc.lock has no {path}; `--preset` names another one")
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, path.name)
        got = _run(sys.executable, "-m", "dvc", "get", ".", str(path), "--rev", revision, "--out", str(copy))
        if got.returncode:
            reason = "; ".join(line[7:] for line in got.stderr.splitlines() if line.startswith("ERROR: "))
            raise ValueError(f"{commit}: DVC cannot get {path} ({reason}); `dvc push` it where it was made")
        return read_scores(copy, metric)


def compare_scores(before: ComparedScores, now: ComparedScores, metric: str) -> str:
    """A table with one line per variant, in the order of `now`, then the variants that were removed.

    If the two intervals overlap or one is missing, the difference may be due to chance.
    """
    heads = ("study", "variant", f"{METRIC_TITLES[metric]} before", "now", "difference", "")
    lines = [
        (*key, str(before.get(key, "")), str(now.get(key, "")), *_change(before.get(key), now.get(key)))
        for key in dict.fromkeys([*now, *before])
    ]
    return pd.DataFrame([heads, *lines]).to_markdown(index=False, headers=(), tablefmt="plain", disable_numparse=True)


def _change(before: ScoreValue | None, now: ScoreValue | None) -> tuple[str, str]:
    """The difference and its meaning."""
    if before is None or now is None:
        return "", "added" if before is None else "removed"
    if (before.split, before.images) != (now.split, now.images):
        return "", f"not the same images: {before.split} {before.images}, now {now.split} {now.images}"
    if before == now:
        return "", "unchanged"
    if before.score is None or now.score is None:
        return "", "absent on one side"
    change = f"{now.score - before.score:+.4f}"
    if before.low is None or before.high is None or now.low is None or now.high is None:
        return change, "no intervals to compare"
    overlap = before.low <= now.high and now.low <= before.high
    return change, "intervals overlap" if overlap else "intervals do not overlap"


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
