"""Compare ways to do the same, and print the comparison with what it was measured on."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
import torch

from seg.system.console import run_stage
from seg.system.files import write_text
from seg.system.machine import commit, machine_info, versions

PEERS = ("numpy", "opencv-python-headless", "pillow", "torchvision", "torchmetrics", "cityscapesScripts")


class Row(NamedTuple):
    """One comparison; rates are medians over the rounds, ratios are taken within a round."""

    what: str
    unit: str
    ours: float
    other: str
    others: float
    ratio: float
    lowest: float
    highest: float
    aim: float | None


def compare(
    what: str,
    ours: Callable[[], object],
    others: Mapping[str, tuple[Callable[[], object], float | None]],
    *,
    unit: str,
    amount: float,
    rounds: int = 9,
) -> list[Row]:
    """Time `ours` against each of the others in turn: one untimed round, then now one first and now the other.

    Args:
        what: that is done.
        ours: our way.
        others: by name the other way, and the ratio that we aim at against it.
        unit: of the rate, for example images/s.
        amount: how many of them one call handles.
        rounds: how often each is called.
    """
    rows = []
    for name, (theirs, aim) in others.items():
        seconds: dict[Callable[[], object], list[float]] = {ours: [], theirs: []}
        for step in range(rounds + 1):
            for way in (ours, theirs) if step % 2 else (theirs, ours):
                time.sleep(0.02)  # PyTorch's threads spin for a while after their work, here on the next way's core
                start = time.perf_counter()
                way()
                if step:
                    seconds[way].append(time.perf_counter() - start)
        ratios = [their / our for their, our in zip(seconds[theirs], seconds[ours], strict=True)]
        rates = {way: amount / median(spent) for way, spent in seconds.items()}
        row = Row(what, unit, rates[ours], name, rates[theirs], median(ratios), min(ratios), max(ratios), aim)
        print(_cells(row), file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def report(*measurements: Callable[[], list[Row]]) -> None:
    """Run a script's measurements, print the table, and write it where `--out` says."""
    parser = argparse.ArgumentParser(description="Compare our ways with the usual ones.")
    parser.add_argument("--out", type=Path, help="Markdown file to write the table to, beside printing it")
    arguments = parser.parse_args()

    def main() -> None:
        text = "\n".join([_circumstances(), "", *_table(list(chain(*(measure() for measure in measurements))))])
        print(text)
        if arguments.out:
            write_text(arguments.out, text + "\n")

    run_stage(main)


def _circumstances() -> str:
    here = machine_info(torch.device("cpu"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else here["cores"]  # macOS pins nothing
    return (
        f"{here['cpu']}, {cores} cores; threads: PyTorch {torch.get_num_threads()}, "
        f"OpenCV {cv2.getNumThreads()}; load before: {os.getloadavg()[2]:.1f}; Python {platform.python_version()}; "
        f"commit {commit() or 'none'}\n\n"
        + ", ".join([f"torch {versions()['torch']}", *(f"{name} {_version(name)}" for name in PEERS)])
        + "\n\nRates are medians; ratio = their time / our time, the median of the rounds and its range."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _table(rows: list[Row]) -> list[str]:
    head = ("what", "unit", "ours", "against", "theirs", "ratio", "range", "aim")
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *map(_cells, rows)]


def _cells(row: Row) -> str:
    aim = "" if row.aim is None else f"{row.aim:g}"
    spread = f"{row.lowest:.2f} to {row.highest:.2f}"
    cells = (row.what, row.unit, f"{row.ours:.4g}", row.other, f"{row.others:.4g}", f"{row.ratio:.2f}", spread, aim)
    return "| " + " | ".join(cells) + " |"
