"""Train one variant with one seed: epochs, validation, early stopping, and the files that are left."""

import argparse
import copy
import csv
import io
import shutil
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from seg.console import run_stage, say
from seg.data.loader import Pack
from seg.digest import code_digest
from seg.files import canonical_json, written_whole
from seg.recipe import Recipe, recipe_from_json
from seg.runtime import choose_device, commit, machine, peak_memory, set_up, versions
from seg.training.checkpoint import save_checkpoint
from seg.training.progress import Progress
from seg.training.trainer import Trainer

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
) -> None:
    """Train a network by its recipe and write checkpoint, history, cost and TensorBoard events.

    Args:
        recipe: everything that decides the result.
        train_pack: `.json` of the pack to train on.
        val_pack: `.json` of the pack to validate on.
        weights: file that the backbone starts from, where the recipe names one.
        outputs: files to write; all or none.
        device: to train on.
        workers: threads that prepare batches ahead.
        code: digest of the code, for the record.

    Raises:
        ValueError: packs, weights and recipe do not fit together, or the loss is no longer finite.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    if (recipe.weights is None) != (weights is None):
        raise ValueError(f"the recipe starts from {recipe.weights or 'no weights'}, --weights is {weights}; give both")
    set_up(recipe.threads, recipe.deterministic, device)
    packs = Pack(train_pack), Pack(val_pack)
    if packs[0].classes != packs[1].classes:
        raise ValueError(f"{train_pack} and {val_pack} have other classes; take packs of one data set")
    trainer = Trainer(recipe, *packs, device, workers, weights)
    progress = Progress(recipe.epochs, len(packs[0]))
    history, best = _fit(trainer, progress, outputs.events)
    about = {
        "classes": packs[0].classes,
        "palette": packs[0].about["palette"],
        "precision": trainer.precision,
        "weights": trainer.weights,
        "versions": versions(),
        "code": code,
    }
    parameters = list(trainer.model.parameters())
    cost = about | {
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trainable_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "epochs": len(history),
        "best_epoch": best,
        "device": str(device),
        "machine": machine(device),
        "commit": commit(),
        "started": started.isoformat(timespec="seconds"),
        "seconds": time.monotonic() - clock,
        "images_per_second": progress.images_per_second,
        "peak_memory_bytes": peak_memory(device),
        "recipe": recipe.model_dump(mode="json"),
    }
    with written_whole(outputs.model, outputs.history, outputs.cost) as (model_part, history_part, cost_part):
        save_checkpoint(model_part, trainer.model, recipe, about)
        history_part.write_text(_csv(history), encoding="utf-8")
        cost_part.write_text(canonical_json(cost) + "\n", encoding="utf-8")


def _fit(trainer: Trainer, progress: Progress, events: Path) -> tuple[list[dict[str, Any]], int]:
    """Run all epochs, or fewer with early stopping, after which the model has its best weights.

    Returns:
        History, an epoch a row, and the epoch with the lowest validation loss.
    """
    recipe = trainer.recipe
    history: list[dict[str, Any]] = []
    best, best_loss, waited = 0, float("inf"), 0
    best_state: dict[str, Tensor] = {}
    shutil.rmtree(events, ignore_errors=True)
    with SummaryWriter(str(events)) as writer:
        for epoch in range(recipe.epochs):
            loss, lr = trainer.train_epoch(epoch, progress)
            row: dict[str, Any] = {"epoch": epoch + 1, "lr": lr, "train_loss": loss}
            if (epoch + 1) % recipe.validate_every == 0 or epoch + 1 == recipe.epochs:
                row |= trainer.validate()
                waited += 1
                if row["val_loss"] < best_loss:
                    best, best_loss, waited = epoch + 1, row["val_loss"], 0
                    if recipe.early_stopping:
                        best_state = copy.deepcopy(trainer.model.state_dict())
            history.append(row)
            progress.epoch(row)
            for name in row.keys() & set(COLUMNS[1:]):
                writer.add_scalar(name, row[name], epoch + 1)
            if recipe.early_stopping and waited >= recipe.early_stopping.patience:
                say(f"stopped early: no lower validation loss than in epoch {best}")
                break
    if best_state:
        trainer.model.load_state_dict(best_state)
    return history, best


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
    parser.add_argument("--code", help="digest of the code, for the record")
    arguments = parser.parse_args()
    recipe = recipe_from_json(arguments.recipe)
    train(
        recipe,
        arguments.train_pack,
        arguments.val_pack,
        arguments.weights,
        Outputs(arguments.model, arguments.history, arguments.cost, arguments.events),
        choose_device(arguments.device),
        arguments.workers,
        arguments.code or code_digest("seg.training.train", f"seg.models.{recipe.model.name}"),
    )


if __name__ == "__main__":
    run_stage(main)
