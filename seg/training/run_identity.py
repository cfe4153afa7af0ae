"""What affects the result of a training: only a training with the same continues from a saved state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zlib import crc32

import torch

from seg.config.base import leaves
from seg.system.files import sha256
from seg.system.machine import machine_info
from seg.training.distributed import all_gather, world_size
from seg.training.step import TrainStep

STATE_VERSION = 2  # of saved states, part of their digest; increases when older states would be misread
_DIGEST = 16  # letters of a digest, at least


def run_identity(train_pack: Path, val_pack: Path, weights: Path | None, step: TrainStep, code: str) -> dict[str, Any]:
    """Everything that affects the result, and the format of states."""
    return {
        "recipe": step.recipe.model_dump(mode="json"),
        "the training pack": sha256(train_pack),
        "the validation pack": sha256(val_pack),
        "the file with the initial weights": sha256(weights) if weights else None,
        "the resolved precision": step.precision,
        "the device": _device_names(step.device),
        "the version of torch": torch.__version__,
        "the code": code,
        "the format of saved states": STATE_VERSION,
    }


def _device_names(device: torch.device) -> str:
    """The kind of the device, or the models of the GPUs of all processes, the same text in each of them."""
    name = machine_info(device)["gpu"]
    if name is None or world_size() == 1:
        return name or device.type
    checksums = all_gather(torch.tensor(crc32(name.encode())))
    return " ".join(f"GPU model {int(each):08x}" for each in checksums)


def identity_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs between the identities of two trainings; old and new values where they are short, in one line."""
    old, new = dict(leaves(dict(before))), dict(leaves(dict(now)))
    texts = []
    for key in sorted({*old, *new}):
        values = old.get(key), new.get(key)
        if values[0] != values[1]:
            digests = any(isinstance(value, str) and len(value) >= _DIGEST for value in values)
            name = key.removeprefix("recipe.")
            texts.append(f"{name} differs" if digests else f"{name} was {values[0]}, is {values[1]}")
    return "; ".join(texts)
