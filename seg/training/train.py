"""Train one variant with one seed: epochs, validation, early stopping, and the files that are left."""

import argparse
import copy
import csv
import hashlib
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seg.config.recipe import Recipe, recipe_from_json
from seg.data.pack_format import Pack
from seg.digest import code_digest
from seg.models.checkpoint import save_checkpoint
from seg.system.console import run_stage, say
from seg.system.files import canonical_json, held, sha256, written_whole
from seg.system.machine import commit, machine_info, peak_memory, versions
from seg.system.progress import Progress
from seg.training.distributed import broadcast, is_main, own_device, process_group, world_size
from seg.training.numerics import set_up
from seg.training.resume import Course, States
from seg.training.step import Trainer, part

SAVE_EVERY = 180.0  # seconds
COLUMNS = ("epoch", "lr", "train_loss", "val_loss", "val_pixel_accuracy", "val_miou")


class Outputs(NamedTuple):
    """What a training leaves."""

    model: Path
    history: Path
    cost: Path
    events: Path


def train(
    recipe: Recipe,
    train_pack: Path,
    val_pack: Path,
    weights: Path | None,
    outputs: Outputs,
    device: torch.device,
    workers: int,
    code: str,
    save_every: float = SAVE_EVERY,
) -> None:
    """Train a network by its recipe and write checkpoint, history, cost and TensorBoard events.

    A training that did not end goes on where it stood, and comes to the same bits.

    Args:
        recipe: everything that decides the result.
        train_pack: `.json` of the pack to train on.
        val_pack: `.json` of the pack to validate on.
        weights: file that the backbone starts from, where the recipe names one.
        outputs: files to write; all or none.
        device: to train on.
        workers: threads that prepare batches ahead.
        code: digest of the code, for the record.
        save_every: seconds between two states within an epoch; after an epoch there always is one.

    Raises:
        ValueError: packs, weights and recipe do not fit together, the loss is no longer finite, or another process
            trains into the same folder.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    if recipe.gpus != world_size():
        start = f"torchrun --standalone --nproc-per-node {recipe.gpus}"
        raise ValueError(f"the recipe is for {recipe.gpus} GPUs, this is one of {world_size()} processes; use {start}")
    if (recipe.weights is None) != (weights is None):
        raise ValueError(f"the recipe starts from {recipe.weights or 'no weights'}, --weights is {weights}; give both")
    set_up(recipe.threads, recipe.deterministic, device)
    packs = Pack(train_pack), Pack(val_pack)
    if packs[0].classes != packs[1].classes:
        raise ValueError(f"{train_pack} and {val_pack} have other classes; take packs of one data set")
    trainer = Trainer(recipe, *packs, device, workers, weights)
    with held(outputs.model.parent) if is_main() else nullcontext():
        inputs = [sha256(path) for path in (train_pack, val_pack, weights) if path]
        states = States(outputs.model.parent, _digest(trainer, inputs, code))
        course = _fit(trainer, states, outputs.events, clock, save_every)
        if is_main():
            _write(trainer, course, outputs, code, started)
            states.clear()


def _write(trainer: Trainer, course: Course, outputs: Outputs, code: str, started: datetime) -> None:
    """Write checkpoint, history and cost, all or none."""
    recipe, pack, device = trainer.recipe, trainer.train_loader.pack, trainer.device
    about = {
        "classes": pack.classes,
        "palette": pack.about["palette"],
        "precision": trainer.precision,
        "weights": trainer.weights,
        "versions": versions(),
        "code": code,
    }
    parameters = list(trainer.model.parameters())
    cost = about | {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trainable_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "epochs": course.epoch,
        "best_epoch": course.best,
        "device": str(device),
        "machine": machine_info(device),
        "commit": commit(),
        "started": started.isoformat(timespec="seconds"),
        "seconds": course.seconds,
        "images_per_second": course.epoch * len(pack) / course.seconds,
        "peak_memory_bytes": peak_memory(device),
        "recipe": recipe.model_dump(mode="json"),
    }
    with written_whole(outputs.model, outputs.history, outputs.cost) as (model_part, history_part, cost_part):
        save_checkpoint(model_part, trainer.model, recipe, about)
        history_part.write_text(_csv(course.history), encoding="utf-8")
        cost_part.write_text(canonical_json(cost) + "\n", encoding="utf-8")


def _digest(trainer: Trainer, inputs: list[str], code: str) -> str:
    """Of all that decides the bits of a training, 16 hexadecimal digits."""
    content = [trainer.recipe.json_line(), *inputs, trainer.precision, trainer.device.type, torch.__version__, code]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()[:16]


def _fit(trainer: Trainer, states: States, events: Path, clock: float, save_every: float) -> Course:
    """Run the epochs that are left, or fewer with early stopping, after which the model has its best weights.

    Args:
        trainer: whose model is trained.
        states: to go on from, and to save to.
        events: folder of TensorBoard events, written anew.
        clock: `time.monotonic()` when this process began to spend time on it.
        save_every: seconds between two states within an epoch.
    """
    recipe, samples = trainer.recipe, len(trainer.train_loader.pack)
    course, best_state = _resumed(trainer, states)
    progress = Progress(recipe.epochs, recipe.epochs * samples - _seen(trainer, course), enabled=is_main())
    before, saved = course.seconds, time.monotonic()

    def save() -> None:
        nonlocal saved
        tensors = trainer.tensors() | {f"best.{name}": tensor for name, tensor in best_state.items()}
        course.seconds = before + time.monotonic() - clock
        if is_main():
            states.save(tensors, course)
        saved = time.monotonic()

    def save_if_due() -> None:
        if broadcast([time.monotonic() - saved >= save_every])[0]:
            save()

    with _writer(events) as record:
        for row in course.history:
            record(row)
        while course.epoch < recipe.epochs and not _stopped_early(recipe, course):
            trainer.train_epoch(course, progress, save_if_due)
            row = {"epoch": course.epoch + 1, "lr": course.lr, "train_loss": course.loss / samples}
            if row["epoch"] % recipe.validate_every == 0 or row["epoch"] == recipe.epochs:
                row |= trainer.validate()
                course.waited += 1
                if course.best_loss is None or row["val_loss"] < course.best_loss:
                    course.best, course.best_loss, course.waited = row["epoch"], row["val_loss"], 0
                    if recipe.early_stopping:
                        best_state = copy.deepcopy(trainer.model.state_dict())
            course.history.append(row)
            course.epoch, course.step, course.loss = row["epoch"], 0, 0.0
            save()
            progress.epoch(row)
            record(row)
    if course.epoch < recipe.epochs:
        _tell(f"stopped early: no lower validation loss than in epoch {course.best}")
    if best_state:
        trainer.model.load_state_dict(best_state)
    return course


@contextmanager
def _writer(events: Path) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What writes a row of the history into a new folder of TensorBoard events; only the first process does."""
    if not is_main():
        yield lambda _: None
        return
    shutil.rmtree(events, ignore_errors=True)
    with SummaryWriter(str(events)) as writer:

        def record(row: dict[str, Any]) -> None:
            for name in row.keys() & set(COLUMNS[1:]):
                writer.add_scalar(name, row[name], row["epoch"])

        yield record


def _resumed(trainer: Trainer, states: States) -> tuple[Course, dict[str, Tensor]]:
    """Where a training that did not end stood, and its best weights so far; else the start."""
    number = broadcast([states.latest() if is_main() else 0])[0]
    if not number:
        return Course(), {}
    tensors, course = states.read(number)
    trainer.restore(tensors)
    _tell(f"resumed at epoch {course.epoch + 1}, after step {course.step} of {trainer.steps}")
    return course, part(tensors, "best")


def _tell(line: str) -> None:
    if is_main():
        say(line)


def _seen(trainer: Trainer, course: Course) -> int:
    """Images of the epochs and steps that lie behind."""
    samples = len(trainer.train_loader.pack)
    return course.epoch * samples + min(course.step * trainer.recipe.batch * trainer.recipe.accumulate, samples)


def _stopped_early(recipe: Recipe, course: Course) -> bool:
    return recipe.early_stopping is not None and course.waited >= recipe.early_stopping.patience


def _csv(history: list[dict[str, Any]]) -> str:
    """History as CSV, an epoch a row; empty where an epoch was not validated."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue()


def main() -> None:
    """Train one variant with one seed."""
    parser = argparse.ArgumentParser(prog="python -m seg.training.train", description=main.__doc__)
    parser.add_argument("--recipe", required=True, help="JSON, as Snakemake prints it")
    parser.add_argument("--train-pack", type=Path, required=True, help=".json of a pack")
    parser.add_argument("--val-pack", type=Path, required=True, help=".json of a pack")
    parser.add_argument("--weights", type=Path, help="safetensors that the backbone starts from")
    parser.add_argument("--model", type=Path, required=True, help="checkpoint to write")
    parser.add_argument("--history", type=Path, required=True, help="CSV to write, an epoch a row")
    parser.add_argument("--cost", type=Path, required=True, help="JSON to write: time, memory, machine")
    parser.add_argument("--events", type=Path, required=True, help="folder of TensorBoard events to write")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps, cpu; by default what is there")
    parser.add_argument("--workers", type=int, default=0, help="threads that prepare batches ahead")
    parser.add_argument("--save-every", type=float, default=SAVE_EVERY, help="seconds between states within an epoch")
    parser.add_argument("--code", help="digest of the code, for the record")
    arguments = parser.parse_args()
    recipe = recipe_from_json(arguments.recipe)
    with process_group():
        train(
            recipe,
            arguments.train_pack,
            arguments.val_pack,
            arguments.weights,
            Outputs(arguments.model, arguments.history, arguments.cost, arguments.events),
            own_device(arguments.device),
            arguments.workers,
            arguments.code or code_digest("seg.training.train", f"seg.models.{recipe.model.name}"),
            arguments.save_every,
        )


if __name__ == "__main__":
    run_stage(main)
