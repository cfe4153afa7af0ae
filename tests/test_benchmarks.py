"""The benchmarks still run on the current code; their timings are not tested."""

from pathlib import Path

from benchmarks.scenes import street_pack
from benchmarks.step import BATCH, recipe, training_epoch


def test_the_measured_training_step_trains(tmp_path: Path) -> None:
    epoch = training_epoch(recipe("fcn"), street_pack(tmp_path, 2 * BATCH, 64, 64))
    losses = epoch()
    assert len(losses) == 2
    assert min(losses) > 0
    assert sum(epoch()) < sum(losses)
