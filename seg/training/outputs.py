"""Outputs of a training: checkpoint, history, run information."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from seg.data.loader import Loader
from seg.models.checkpoint import save_checkpoint
from seg.results import Machine, TrainingRun, history_text
from seg.system.files import written_whole
from seg.system.machine import commit, machine_info, peak_memory, versions
from seg.training.resume import TrainState
from seg.training.step import TrainStep


class Outputs(NamedTuple):
    """Files that a training writes; `events` is a directory."""

    model: Path
    history: Path
    run: Path
    events: Path


def write_outputs(
    outputs: Outputs,
    step: TrainStep,
    state: TrainState,
    loaders: tuple[Loader, Loader],
    class_weights: Tensor,
    weights_info: dict[str, Any] | None,
    code: str,
    started: datetime,
) -> None:
    """Write checkpoint, history and run information, all or none.

    Args:
        outputs, code: as in `seg.training.train.train`.
        step, state: of the finished training.
        loaders: of the training and the validation pack.
        class_weights: (C,) float32, of the weighted loss.
        weights_info: metadata of the file with the initial weights.
        started: time at which the training or its last resumption started.
    """
    pack, resident_bytes = loaders[0].pack, sum(loader.resident_bytes for loader in loaders)
    parameters = list(step.model.parameters())
    epoch_steps = math.ceil(len(pack) / (step.recipe.batch * step.recipe.accumulate))
    run = TrainingRun(
        recipe=step.recipe.model_dump(mode="json"),
        classes=tuple(pack.classes),
        palette=tuple(map(tuple, pack.about["palette"])),
        weights=weights_info,
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable_parameters=sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        epochs=state.epoch,
        scored_epoch=state.best_epoch if step.recipe.early_stopping else state.epoch,
        train_images=len(pack),
        steps=state.epoch * epoch_steps,
        device=str(step.device),
        machine=Machine(**machine_info(step.device)),
        precision=step.precision,
        seconds=state.seconds,
        images_per_second=state.epoch * len(pack) / (state.seconds - state.validation_seconds),
        peak_memory_bytes=peak_memory(step.device) - resident_bytes,
        resident_bytes=resident_bytes,
        versions=versions(),
        code=code,
        commit=commit(),
        started=started.isoformat(timespec="seconds"),
    )
    about = run.model_dump(mode="json", include={"classes", "palette", "precision", "weights", "versions", "code"})
    about["label_values"] = pack.about["label_values"]
    about["eval_size"] = (loaders[1].pack.height, loaders[1].pack.width)
    about["form"] = pack.about["form"]
    about["class_weights"] = class_weights.tolist()  # of the weighted loss, which evaluation reports too
    with written_whole(outputs.model, outputs.history, outputs.run) as (model_file, history_file, run_file):
        save_checkpoint(model_file, step.model, step.recipe, about)
        history_file.write_text(history_text(state.history), encoding="utf-8")
        run_file.write_text(run.text(), encoding="utf-8")
