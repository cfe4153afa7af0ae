"""Saved states of a training: an interrupted training continues from the last one and ends with the same bits.

A state is saved when some time has passed, when a signal asks the training to end, and at the end. The last two are
kept beside the outputs as `resume-<digest>-<number>.safetensors`. The digest covers everything that affects the result,
so a training never resumes from a state of another one. The random numbers of a sample depend on (seed, epoch, sample)
only, so the generators of PyTorch are the only random state.

The last state of a finished training is kept until its model is evaluated: if the run ends before Snakemake has
recorded the outputs, the next run deletes them, and the training writes them again from the state.
"""

import hashlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seg.results import HistoryRow
from seg.system.console import say
from seg.system.files import canonical_json, written_whole
from seg.system.signals import Interrupted
from seg.system.tensors import read_tensors, write_tensors
from seg.training.distributed import all_gather, broadcast, is_main, rank, world_size
from seg.training.run_identity import identity_differences
from seg.training.step import TrainStep

SAVE_EVERY = 180.0  # seconds
_VARIABLE = "SEG_SAVE_SECONDS"
_KEPT = 2  # states; if the last one is damaged, the one before it is used
_SHARE = 0.03  # of the time may be spent on saving: states of a large model on a slow disk are saved less often


@dataclass
class TrainState:
    """Position and record of a training; only `seg.training.train` changes it.

    Attributes:
        epoch: finished epochs.
        step: finished steps of the current epoch.
        loss: sum of the losses over the samples of these steps.
        lr: learning rate of the last step.
        history: one row per finished epoch.
        best_epoch, best_loss: epoch with the lowest validation loss, and this loss; 0 and None before a validation.
        best_weights: model state after the best epoch, only with early stopping.
        validations_since_best: validations without a lower loss.
        seconds: wall time, including earlier processes up to the state that was restored.
        validation_seconds: the part of it in validations.
    """

    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    lr: float = 0.0
    history: list[HistoryRow] = field(default_factory=list)
    best_epoch: int = 0
    best_loss: float | None = None
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    validations_since_best: int = 0
    seconds: float = 0.0
    validation_seconds: float = 0.0


class ResumeStore:
    """Saved states of one training; all its processes make the same calls, and the main process writes the files.

    Args:
        directory: of the outputs.
        identity: everything that affects the result, JSON values by what a message calls them.
        save_every: seconds until the next state is due, or longer if saving takes long; 0 saves after every step.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any], save_every: float) -> None:
        self.directory, self.identity, self.save_every = directory, identity, save_every
        self.digest = hashlib.sha256(canonical_json(identity).encode()).hexdigest()[:16]
        self._last_save, self._interval = time.monotonic(), save_every
        self._stopped_by = 0  # signal after which all processes end, once they have agreed on it
        self._next_epoch = 1  # from which a training would resume

    def due(self, signalled: int) -> bool:
        """Whether to save a state now, the same in all processes; `signalled` is a signal to this one, or 0."""
        timed = is_main() and time.monotonic() - self._last_save >= self._interval
        decisions = torch.stack(all_gather(torch.tensor([int(timed), signalled]))).amax(0)
        self._stopped_by = int(decisions[1])
        return bool(decisions.any())

    @contextmanager
    def saved_if_interrupted(self, state: TrainState, step: TrainStep) -> Iterator[None]:
        """Save the state if the block is interrupted, which must change neither of them.

        Several processes would have to agree on it, so they repeat their steps since the last state.
        """
        try:
            yield
        except Interrupted:
            if world_size() == 1:
                self.save(state, step)
            raise

    def save(self, state: TrainState, step: TrainStep) -> None:
        """Write the state whole or not at all, then delete all but the last two.

        Raises:
            Interrupted: it was due because of a signal.
        """
        started = time.monotonic()
        groups = {
            "model": step.model.state_dict(),
            "optimizer": step.optimizer.tensors(),
            "random": _random_states(step.device),
            "best": state.best_weights,
        }
        if is_main():
            files = self._files()
            number = _number(files[-1]) + 1 if files else 1
            tensors = {f"{group}.{name}": tensor for group, part in groups.items() for name, tensor in part.items()}
            record = {name: value for name, value in vars(state).items() if name != "best_weights"}
            record["identity"] = self.identity
            with written_whole(self._file(number)) as (path,):
                write_tensors(path, tensors, record)
            self._next_epoch = min(state.epoch + 1, step.recipe.epochs)
            for file in files[: 1 - _KEPT]:
                file.unlink()
        self._last_save = time.monotonic()
        if self.save_every:
            self._interval = max(self.save_every, (self._last_save - started) / _SHARE)
        if self._stopped_by:
            broadcast([0])  # no process ends before the main one has written the state
            raise Interrupted(self._stopped_by)

    def restore(self, step: TrainStep) -> TrainState:
        """Load the last undamaged state into model, optimizer and random generators.

        A new state if there is none; if there are states of other trainings, a line says how the last one differs.
        """
        number = broadcast([self._latest() if is_main() else 0])[0]
        if not number:
            if is_main():
                self._report_others()
            return TrainState()
        tensors, record = read_tensors(self._file(number))
        del record["identity"]
        self._next_epoch = min(record["epoch"] + 1, step.recipe.epochs)
        step.model.load_state_dict(_group(tensors, "model"))
        step.optimizer.restore(_group(tensors, "optimizer"))
        _set_random_states(_group(tensors, "random"), step.device)
        history = [HistoryRow(*row) for row in record.pop("history")]
        return TrainState(**record, history=history, best_weights=_group(tensors, "best"))

    @contextmanager
    def named_in_interruptions(self) -> Iterator[None]:
        """Add to an interruption the epoch from which the next run continues."""
        try:
            yield
        except Interrupted as end:
            raise Interrupted(end.number, f" to continue from epoch {self._next_epoch}") from None

    def finish(self) -> None:
        """Delete all states but the last one, those of other trainings too: the outputs are complete."""
        for file in {*self.directory.glob("resume-*.safetensors*")} - {*self._files()[-1:]}:
            file.unlink()

    def _report_others(self) -> None:
        others = self.directory.glob("resume-*.safetensors")
        last = max(others, key=lambda file: file.stat().st_mtime, default=None)
        if last is None:
            return
        try:
            _, record = read_tensors(last, metadata_only=True)
            reason = f"saved in epoch {record['epoch'] + 1}, {identity_differences(record['identity'], self.identity)}"
        except (ValueError, KeyError):
            reason = "damaged or of another version of seg"
        say(f"starts at epoch 1, not from {last.name}: {reason}")

    def _latest(self) -> int:
        """Number of the last undamaged state, 0 if there is none; damaged files are renamed to `<name>.damaged`."""
        for file in reversed(self._files()):
            try:
                read_tensors(file)
            except ValueError as error:
                file.replace(file.with_name(f"{file.name}.damaged"))
                say(f"{file}: {error}; renamed to {file.name}.damaged")
            else:
                return _number(file)
        return 0

    def _file(self, number: int) -> Path:
        return self.directory / f"resume-{self.digest}-{number:06}.safetensors"

    def _files(self) -> list[Path]:
        return sorted(self.directory.glob(f"resume-{self.digest}-*.safetensors"), key=_number)


def save_seconds(option: str | None) -> float:
    """Seconds between saved states: the option `--save-every`, or else the environment variable `SEG_SAVE_SECONDS`.

    Raises:
        ValueError: not a number of at least 0.
    """
    name, text = (
        ("SEG_SAVE_SECONDS", os.environ.get("SEG_SAVE_SECONDS")) if option is None else ("--save-every", option)
    )
    with suppress(ValueError):
        seconds = float(text or SAVE_EVERY)
        if 0 <= seconds < math.inf:
            return seconds
    raise ValueError(f"{name}: got '{text}', expected a number of seconds of at least 0")


def _number(file: Path) -> int:
    return int(file.stem.rpartition("-")[2])


def _group(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """Tensors named `<group>.<name>`, by name."""
    prefix = f"{group}."
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _random_states(device: torch.device) -> dict[str, Tensor]:
    """States of PyTorch's generators in all processes."""
    states = {f"cpu.{i}": state for i, state in enumerate(all_gather(torch.get_rng_state()))}
    if device.type == "cuda":
        states |= {f"cuda.{i}": state for i, state in enumerate(all_gather(torch.cuda.get_rng_state(device)))}
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def _set_random_states(states: Mapping[str, Tensor], device: torch.device) -> None:
    torch.set_rng_state(states[f"cpu.{rank()}"])
    if device.type == "cuda":
        torch.cuda.set_rng_state(states[f"cuda.{rank()}"], device)
    if device.type == "mps":
        torch.mps.set_rng_state(states["mps"])
