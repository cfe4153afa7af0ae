"""Where the time of a training step on a CPU goes, by kind of operation; prints a Markdown table.

Measured with torch.profiler in the environment of the workflow's commands. Run it as
`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=-1 python -m benchmarks.profile`.
"""

import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.scenes import street_pack
from benchmarks.step import CASES, Case, convolution_rate, operations, recipe, training_epoch
from seg.config.recipe import Augmentation
from seg.system.console import run_stage
from seg.system.machine import commit, machine_info

# Kinds by the names of PyTorch's operators; the first that matches counts.
KINDS = {
    "convolutions, backward": "convolution_backward",
    "convolutions, forward": "convolution",
    "batch norm": "batch_norm",
    "activation": "clamp_min|threshold|relu",
    "loss": "softmax|nll_loss",
    "pooling and unpooling": "max_pool|gather|scatter|where",
    "optimizer": "adam",
    "copies and casts": "copy_|cat|_to|fill_|zero_|contiguous",
    "additions": "add|mul|sum",
    "rest": "",
}


def shares(case: Case) -> tuple[dict[str, float], float]:
    """Share of each kind in the time of a step, and images per second without the profiler's own time."""
    chosen = recipe(case.name, batch=case.batch, precision="bf16", augmentation=Augmentation(flip=0.5))
    with TemporaryDirectory() as folder:
        epoch = training_epoch(chosen, street_pack(Path(folder), case.batch * case.steps, case.height, case.width))
        epoch()
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            epoch()
    spent: Counter[str] = Counter()
    for event in profiler.key_averages():
        kind = next(kind for kind, pattern in KINDS.items() if re.search(pattern, event.key, re.IGNORECASE))
        spent[kind] += event.self_cpu_time_total
    total = spent.total()
    return {kind: spent[kind] / total for kind in KINDS}, case.batch * case.steps / (total / 1e6)


def main() -> None:
    """Profile the cases of `benchmarks.step`."""
    rate = convolution_rate(torch.bfloat16)
    here = machine_info(torch.device("cpu"))
    print(
        f"{here['cpu']}, {torch.get_num_threads()} threads; torch {torch.__version__}; commit {commit() or 'none'}\n\n"
        f"3x3 convolution of 128 to 128 channels in bf16: {rate / 1e9:.0f} GFLOP/s.\n"
    )
    measured = {f"{case.name} {case.height}x{case.width}, batch {case.batch}": shares(case) for case in CASES}
    print("| share of the step | " + " | ".join(measured) + " |")
    print("|---|" + "---|" * len(measured))
    for kind in KINDS:
        print(f"| {kind} | " + " | ".join(f"{share[kind]:.1%}" for share, _ in measured.values()) + " |")
    of_rate = [
        speed * operations(case.name, case.height, case.width) / rate
        for case, (_, speed) in zip(CASES, measured.values(), strict=True)
    ]
    print("| products, of the rate of the convolution | " + " | ".join(f"{each:.0%}" for each in of_rate) + " |")


if __name__ == "__main__":
    run_stage(main)
