"""Comparison of two `comparison.csv`, value by value."""

import shutil
import subprocess
from pathlib import Path

import pytest

from seg.report.diff import compare_scores, read_scores, scores_at

HEAD = "study,variant,split,images,miou,miou_std,miou_low,miou_high,schema_version"
BEFORE = [
    "s,a,val,20,0.50,,0.45,0.55",
    "s,b,val,20,0.30,,0.28,0.32",
    "s,c,val,20,0.10,,0.05,0.15",
    "s,gone,val,20,0.2,,,",
]
NOW = [
    "s,a,val,20,0.58,,0.53,0.63",
    "s,b,val,20,0.36,,0.33,0.39",
    "s,c,val,20,0.10,,0.05,0.15",
    "s,new,val,20,absent,,,",
]


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEAD, *(f"{row},1" for row in rows)]) + "\n")
    return path


def lines(folder: Path, before: list[str], now: list[str]) -> list[str]:
    sides = (read_scores(write(folder / f"{k}.csv", *rows), "miou") for k, rows in enumerate((before, now)))
    return compare_scores(*sides, "miou").splitlines()


def test_each_value_is_shown_beside_its_earlier_value(tmp_path: Path) -> None:
    assert lines(tmp_path, BEFORE, NOW) == [
        "study  variant  mIoU before              now                      difference",
        "s      a        0.5000 [0.4500, 0.5500]  0.5800 [0.5300, 0.6300]  +0.0800     intervals overlap",
        "s      b        0.3000 [0.2800, 0.3200]  0.3600 [0.3300, 0.3900]  +0.0600     intervals do not overlap",
        "s      c        0.1000 [0.0500, 0.1500]  0.1000 [0.0500, 0.1500]              unchanged",
        "s      new                               absent                               added",
        "s      gone     0.2000                                                        removed",
    ]


@pytest.mark.parametrize(
    ("before", "now", "verdict"),
    [
        ("s,a,val,20,0.5,0.02,,", "s,a,val,20,0.7,0.02,,", "+0.2000     no intervals to compare"),
        ("s,a,val,20,0.5,,0.4,0.6", "s,a,test,24,0.9,,0.8,1.0", "not the same images: val 20, now test 24"),
        ("s,a,val,20,0.5,,0.4,0.6", "s,a,val,20,absent,,,", "absent on one side"),
        ("s,a,val,20,0.5,,0.4,0.6", "s,a,val,20,0.7,,0.6,0.8", "intervals overlap"),
    ],
)
def test_the_verdict_follows_from_the_intervals(tmp_path: Path, before: str, now: str, verdict: str) -> None:
    assert lines(tmp_path, [before], [now])[1].endswith(verdict)


@pytest.mark.parametrize(
    ("rows", "metric", "message"),
    [
        (["s,a,val,20,much,,,"], "miou", r"0.csv: could not convert string to float: 'much'; run the workflow"),
        ([], "miou", r"0.csv: has no rows"),
        (NOW, "mIoU", "--metric mIoU: unknown; known are pixel_accuracy, miou, "),
        (NOW, "mean_accuracy", r"0.csv: lacks the columns mean_accuracy, "),
    ],
)
def test_damaged_tables_give_one_line(tmp_path: Path, rows: list[str], metric: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_scores(write(tmp_path / "0.csv", *rows), metric)


def test_commits_without_results_are_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    git = shutil.which("git")
    assert git
    subprocess.run([git, "init", "-q"], check=True)
    subprocess.run([git, *who, "commit", "-qm", "bare", "--allow-empty"], check=True)
    path = Path("results/demo/comparison.csv")
    for commit, message in (
        ("nowhere", "nowhere: no commit"),
        ("HEAD", "HEAD: has no dvc.lock"),
        ("--help", "no commit"),
    ):
        with pytest.raises(ValueError, match=message):
            scores_at(path, commit, "miou")
    Path("dvc.lock").write_text("stages: {}\n")
    subprocess.run([git, "add", "dvc.lock"], check=True)
    subprocess.run([git, *who, "commit", "-qm", "another preset"], check=True)
    with pytest.raises(ValueError, match=r"HEAD: its dvc.lock has no results/demo/comparison.csv; `--preset`"):
        scores_at(path, "HEAD", "miou")
