"""Time seg and reference implementations alternately, and print the results with the environment."""

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

PEERS = (
    "numpy", "opencv-python-headless", "pillow", "torchvision", "torchmetrics", "cityscapesScripts", "albumentations",
    "lightning", "segmentation-models-pytorch",
)  # fmt: skip


class Row(NamedTuple):
    """One comparison. Rates are medians over the rounds; a ratio is of the two times in the same round."""

    what: str
    unit: str
    rate: float
    reference: str
    reference_rate: float
    ratio: float
    lowest: float
    highest: float
    target: float | None


def compare(
    what: str,
    run: Callable[[], object],
    references: Mapping[str, tuple[Callable[[], object], float | None]],
    *,
    unit: str,
    amount: float,
    rounds: int = 9,
) -> list[Row]:
    """Time `run` against each reference: one untimed round, then `rounds` rounds, in alternating order.

    Args:
        what: operation that is timed.
        run: operation with seg.
        references: reference implementation and target ratio, by name.
        unit: unit of the rate, for example images/s.
        amount: number of units that one call processes.
        rounds: number of timed calls of each.
    """
    rows = []
    for name, (reference, target) in references.items():
        seconds: dict[Callable[[], object], list[float]] = {run: [], reference: []}
        for step in range(rounds + 1):
            for call in (run, reference) if step % 2 else (reference, run):
                time.sleep(0.02)  # PyTorch's threads spin after their work and would slow down the next call
                start = time.perf_counter()
                call()
                if step:
                    seconds[call].append(time.perf_counter() - start)
        ratios = [slow / fast for slow, fast in zip(seconds[reference], seconds[run], strict=True)]
        rates = {call: amount / median(spent) for call, spent in seconds.items()}
        row = Row(what, unit, rates[run], name, rates[reference], median(ratios), min(ratios), max(ratios), target)
        print(_cells(row), file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def report(*measurements: Callable[[], list[Row]]) -> None:
    """Run benchmarks, print their table, and write it to the file `--out` if given."""
    parser = argparse.ArgumentParser(description="Compare seg with reference implementations.")
    parser.add_argument("--out", type=Path, help="Markdown file to write the printed table to")
    arguments = parser.parse_args()

    def main() -> None:
        text = "\n".join([_environment(), "", *_table(list(chain(*(measure() for measure in measurements))))])
        print(text)
        if arguments.out:
            write_text(arguments.out, text + "\n")

    run_stage(main)


def _environment() -> str:
    here = machine_info(torch.device("cpu"))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else here["cores"]  # macOS has no affinity
    return (
        f"{here['cpu']}, {cores} cores; threads: PyTorch {torch.get_num_threads()}, "
        f"OpenCV {cv2.getNumThreads()}; load before: {os.getloadavg()[2]:.1f}; Python {platform.python_version()}; "
        f"commit {commit() or 'none'}\n\n"
        + ", ".join([f"torch {versions()['torch']}", *(f"{name} {_version(name)}" for name in PEERS)])
        + "\n\nRates are medians; ratio = reference time / seg time: median and range over the rounds."
    )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"


def _table(rows: list[Row]) -> list[str]:
    head = ("what", "unit", "seg", "reference", "reference rate", "ratio", "range", "target")
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *map(_cells, rows)]


def _cells(row: Row) -> str:
    target = "" if row.target is None else f"{row.target:g}"
    spread = f"{row.lowest:.2f} to {row.highest:.2f}"
    rates = f"{row.rate:.4g}", row.reference, f"{row.reference_rate:.4g}"
    cells = (row.what, row.unit, *rates, f"{row.ratio:.2f}", spread, target)
    return "| " + " | ".join(cells) + " |"
