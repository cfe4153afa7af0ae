"""That the benchmarks still measure what the project has; their figures are no test."""

from pathlib import Path

import torch

from benchmarks.scenes import street_pack
from benchmarks.step import BATCH, recipe
from seg.data.pack_format import Pack
from seg.system.progress import Progress
from seg.training.resume import Course
from seg.training.step import Trainer


def test_the_measured_training_step_trains(tmp_path: Path) -> None:
    pack = Pack(street_pack(tmp_path, 2 * BATCH, 64, 64))
    trainer = Trainer(recipe("fcn"), pack, pack, torch.device("cpu"), workers=0)
    course = Course()
    trainer.train_epoch(course, Progress(1, len(pack)), lambda: None)
    assert course.step == 2
    assert course.loss > 0
