"""The benchmarks still run on the current code; their timings are not tested."""

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import demo
from benchmarks.processes import in_process
from benchmarks.scenes import street_pack
from benchmarks.step import BATCH, plain_epoch, recipe, training_epoch


def test_the_measured_training_step_trains(tmp_path: Path) -> None:
    epoch = training_epoch(recipe("fcn"), street_pack(tmp_path, 2 * BATCH, 64, 64))
    losses = epoch()
    assert len(losses) == 2
    assert min(losses) > 0
    assert sum(epoch()) < sum(losses)


def test_the_plain_loop_trains_the_same_network(tmp_path: Path) -> None:
    losses = plain_epoch("fcn", BATCH, "fp32", street_pack(tmp_path, 2 * BATCH, 64, 64))()
    own = training_epoch(recipe("fcn", precision="fp32"), tmp_path / "train.json")()
    assert losses == pytest.approx(own, rel=0.2)  # other initial weights and another order


def test_a_call_in_a_process_has_its_environment_and_keeps_its_state() -> None:
    with in_process(_counting, "SEG_BENCHMARK", environment={"SEG_BENCHMARK": "here"}) as call:
        assert [call(), call()] == [("here", 1), ("here", 2)]
    assert "SEG_BENCHMARK" not in os.environ


def _counting(name: str) -> Callable[[], tuple[str, int]]:
    numbers = count(1)
    return lambda: (os.environ[name], next(numbers))


def test_the_demo_is_scored_against_the_commonest_class() -> None:
    confusion = np.array([[6, 0, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    scores = demo.score(confusion)
    assert scores.miou == pytest.approx((6 / 8 + 2 / 3 + 0) / 3)  # the third class is in neither truth nor prediction
    assert scores.common == pytest.approx(scores.miou)
    assert scores.commonest == pytest.approx(6 / 10 / 3)


def test_what_the_demo_misses_is_listed() -> None:
    good = {"epochs": 3, "validations": 2, "miou": 0.5, "common": 0.5, "margin": 0.4}
    rows = [{"study": study, "variant": "a"} | good for study in demo.BEST]
    assert demo.missed(pd.DataFrame(rows)) == []
    weak = rows[0] | {"variant": "b", "epochs": 1, "miou": 0.05, "margin": 0.01}
    assert [line.split(":")[0] for line in demo.missed(pd.DataFrame([*rows[1:], weak]))] == [
        "cityscapes_fcn/b", "cityscapes_fcn/b", "cityscapes_fcn",
    ]  # fmt: skip
