"""Stage `train`: trains one variant with one seed and writes checkpoint, history, run information and events."""

import copy
import math
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seg.config.recipe import Recipe, recipe_from_json
from seg.data.loader import Batch, Loader, epoch_order
from seg.digest import code_digest
from seg.results import HistoryRow
from seg.system.arguments import StageParser
from seg.system.console import run_stage, say
from seg.system.files import lock_directory
from seg.system.memory import bounded_memory
from seg.system.progress import Progress
from seg.system.signals import SignalHandler, held_signals
from seg.training.distributed import is_main, own_device, process_group, rank, world_size
from seg.training.events import PREDICTED, Events
from seg.training.inputs import open_inputs
from seg.training.numerics import set_up
from seg.training.optimisation import learning_rate
from seg.training.outputs import Outputs, write_outputs
from seg.training.resume import SAVE_EVERY, ResumeStore, TrainState, save_seconds
from seg.training.run_identity import run_identity
from seg.training.step import TrainStep
from seg.training.validation import validate

_READ_EVERY = 50  # steps between two reads of the losses on a GPU, because each read waits for it


_Unread = tuple[float, np.ndarray, Tensor]  # learning rate, samples and loss of a finished step, still on the device


def train(
    recipe: Recipe,
    train_pack: Path,
    val_pack: Path,
    weights: Path | None,
    outputs: Outputs,
    device: torch.device,
    workers: int | None,
    code: str,
    save_every: float = SAVE_EVERY,
) -> None:
    """Train a model, or continue where an interrupted training of it stopped; the result has the same bits.

    Args:
        recipe: everything that affects the result besides data and code.
        train_pack, val_pack: `.json` of the packs.
        weights: file with the initial weights of the backbone, if the recipe names one.
        outputs: files to write, all or none.
        device: device to train on.
        workers: threads that prepare batches; see `seg.data.loader.Loader`.
        code: digest of the code, recorded in the outputs.
        save_every: see `seg.training.resume.ResumeStore`; a state is also saved at the end.

    Raises:
        ValueError: packs, weights, recipe and number of processes do not match, a loss is not finite, or another
            process trains into the same directory.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    set_up(recipe.threads, recipe.deterministic, recipe.precision, device)
    train_loader, val_loader, class_weights, model, weights_info = open_inputs(
        recipe, train_pack, val_pack, weights, device, workers
    )
    step = TrainStep(recipe, model, class_weights, device)
    images, step_images = len(train_loader.pack), recipe.batch * recipe.accumulate
    steps = math.ceil(images / step_images)  # per epoch
    patience = recipe.early_stopping.patience if recipe.early_stopping else math.inf
    store = ResumeStore(outputs.model.parent, run_identity(train_pack, val_pack, weights, step, code), save_every)
    with (
        lock_directory(outputs.model.parent) if is_main() else nullcontext(),
        Events(outputs.events, recipe) as events,
        store.named_in_interruptions(),
    ):
        state = store.restore(step)
        clock -= state.seconds
        progress = _progress(recipe, state, images, steps)
        events.start(train_loader.pack, state.history)
        with held_signals() as signals:
            while state.epoch < recipe.epochs and state.validations_since_best < patience:
                if state.step == 0:  # for dropout
                    torch.manual_seed(recipe.seed + 1_000_003 * (state.epoch + 1) + 999_983 * rank())
                step.train_mode()
                order = epoch_order(images, recipe.seed, state.epoch)
                unread: list[_Unread] = []
                for number, batches in enumerate(_batches(train_loader, order, recipe, state), start=state.step):
                    state.lr = learning_rate(
                        recipe.schedule, recipe.lr, epoch=state.epoch, step=number, steps=steps, epochs=recipe.epochs
                    )
                    samples = order[number * step_images : (number + 1) * step_images]
                    unread.append((state.lr, samples, step(batches, state.lr)))
                    due = store.due(signals.number)
                    if due or device.type == "cpu" or len(unread) == _READ_EVERY or number == steps - 1:
                        state.loss += _read_losses(unread, state, train_loader, progress)
                        state.step, unread = number + 1, []
                        state.seconds = time.monotonic() - clock
                    if due:
                        store.save(state, step)
                row = HistoryRow(state.epoch + 1, state.lr, state.loss / images)
                row, predictions = _validated(row, state, step, val_loader, class_weights, store, signals)
                state.history.append(row)
                state.epoch, state.step, state.loss = row.epoch, 0, 0.0
                state.seconds = time.monotonic() - clock
                last = state.epoch == recipe.epochs or state.validations_since_best >= patience
                # Before the state: a training that resumes from it does not validate this epoch again.
                progress.epoch({name: value for name, value in row._asdict().items() if value is not None})
                events.epoch(row, val_loader.pack, predictions)
                if store.due(signals.number) or last:
                    store.save(state, step)
        if state.epoch < recipe.epochs and is_main():
            say(f"stopped early: no lower validation loss than in epoch {state.best_epoch}")
        if state.best_weights:
            model.load_state_dict(state.best_weights)
        if is_main():
            loaders = train_loader, val_loader
            write_outputs(outputs, step, state, loaders, class_weights, weights_info, code, started)
            store.finish()


def _validated(
    row: HistoryRow,
    state: TrainState,
    step: TrainStep,
    loader: Loader,
    class_weights: Tensor,
    store: ResumeStore,
    signals: SignalHandler,
) -> tuple[HistoryRow, dict[int, np.ndarray]]:
    """The row of an epoch with the validation after it, which `state` records, and a few of its predictions.

    Without validation after this epoch, the row and no predictions. A signal ends the validation at once.
    """
    if row.epoch % step.recipe.validate_every and row.epoch != step.recipe.epochs:
        return row, {}
    started = time.monotonic()
    with store.saved_if_interrupted(state, step), signals.raised():
        loss, *scores, predictions = validate(step.model, loader, step.recipe, class_weights, step.precision, PREDICTED)
    state.validation_seconds += time.monotonic() - started
    state.validations_since_best += 1
    if state.best_loss is None or loss < state.best_loss:
        state.best_epoch, state.best_loss, state.validations_since_best = row.epoch, loss, 0
        state.best_weights = copy.deepcopy(step.model.state_dict()) if step.recipe.early_stopping else {}
    return HistoryRow(*row[:3], loss, *scores), predictions


def _progress(recipe: Recipe, state: TrainState, images: int, steps: int) -> Progress:
    """Progress over the remaining images; reports where a training resumes."""
    finished = state.epoch * images + min(state.step * recipe.batch * recipe.accumulate, images)
    if finished and is_main():
        where = f"at epoch {state.epoch + 1}, after step {state.step} of {steps}"
        say(f"resumed {where if state.epoch < recipe.epochs else 'after the last epoch'}")
    return Progress(recipe.epochs, recipe.epochs * images - finished, enabled=is_main())


def _batches(loader: Loader, order: np.ndarray, recipe: Recipe, state: TrainState) -> Iterator[list[Batch]]:
    """The batches of this process for every remaining step of the epoch; the last step may have fewer."""
    remaining = order[state.step * recipe.batch * recipe.accumulate :]
    batches = loader.batches(
        remaining,
        recipe.batch,
        augmentation=recipe.augmentation,
        seed=recipe.seed,
        epoch=state.epoch,
        share=(rank(), world_size()),
    )
    return iter(lambda: list(islice(batches, recipe.accumulate)), [])


def _read_losses(unread: list[_Unread], state: TrainState, loader: Loader, progress: Progress) -> float:
    """Read the losses of the steps after `state.step`; their sum over the samples.

    Raises:
        ValueError: a loss is not finite.
    """
    total = 0.0
    losses = torch.stack([loss for *_, loss in unread]).tolist()
    for number, ((lr, samples, _), loss) in enumerate(zip(unread, losses, strict=True), start=state.step):
        if not np.isfinite(loss):
            names = ", ".join(loader.pack.names[i] for i in samples)
            raise ValueError(
                f"loss is {loss} in epoch {state.epoch + 1}, step {number + 1}, at learning rate {lr:g}, "
                f"images {names}; lower lr, set clip_norm or precision: fp32"
            )
        total += loss * len(samples)
        progress.stepped(state.epoch, number, len(samples), loss)
    return total


def main() -> None:
    """Train one variant with one seed."""
    parser = StageParser("seg.training.train", main.__doc__)
    parser.add_argument("--recipe", required=True, help="recipe as JSON, as printed by Snakemake")
    parser.add_argument("--train-pack", type=Path, required=True, help=".json of the pack to train on")
    parser.add_argument("--val-pack", type=Path, required=True, help=".json of the pack to validate on")
    parser.add_argument("--weights", type=Path, help="safetensors with the initial weights of the backbone")
    parser.add_output("--model", ".safetensors", "checkpoint to write")
    parser.add_output("--history", ".csv", "CSV to write, one row per epoch")
    # Not --run: torchrun interprets it as an abbreviation of its own option --run-path.
    parser.add_output("--run-info", ".json", "JSON to write: recipe, time, memory, machine")
    parser.add_argument("--events", type=Path, required=True, help="directory of TensorBoard events to write")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps or cpu; default: the best available")
    parser.add_argument(
        "--workers", type=int, help="threads that prepare batches; default: 4 if a GPU has no room for the pack"
    )
    parser.add_argument("--save-every", help="seconds between saved states; default: SEG_SAVE_SECONDS or 180")
    parser.add_argument("--code", help="digest of the code to record; computed by default")
    arguments = parser.parse_stage()
    recipe = recipe_from_json(arguments.recipe)
    smaller = (
        f"lower batch ({recipe.batch}) and raise accumulate ({recipe.accumulate}), or lower train_size; "
        f"in a validation, lower eval_batch ({recipe.eval_batch})"
    )
    with process_group(), bounded_memory("training", smaller, None):
        train(
            recipe,
            arguments.train_pack,
            arguments.val_pack,
            arguments.weights,
            Outputs(arguments.model, arguments.history, arguments.run_info, arguments.events),
            own_device(arguments.device),
            arguments.workers,
            arguments.code or code_digest("seg.training.train", f"seg.models.{recipe.model.name}"),
            save_seconds(arguments.save_every),
        )


if __name__ == "__main__":
    run_stage(main)
