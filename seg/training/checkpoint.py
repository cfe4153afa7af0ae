"""Checkpoints: weights as safetensors, and all that is needed to use them as metadata. No pickle is read or written."""

import json
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from seg.files import canonical_json
from seg.models import build_model
from seg.recipe import Recipe

_KEY = "seg"  # one key, because safetensors does not keep the order of several


class Checkpoint(NamedTuple):
    """A trained network and what it was trained as."""

    model: nn.Module
    recipe: Recipe
    about: dict[str, Any]


def save_checkpoint(path: Path, model: nn.Module, recipe: Recipe, about: dict[str, Any]) -> None:
    """Write weights and metadata; the same content gives the same bytes.

    Args:
        path: file to write; `seg.files.written_whole` makes it whole.
        model: its state is written.
        recipe: that it was trained with.
        about: classes, palette, versions, precision, code digest; JSON values.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    about = {**about, "recipe": recipe.model_dump(mode="json")}
    # Not save_file: it leaves a file that others cannot read, and reports a full disk as no OSError.
    path.write_bytes(save(state, metadata={_KEY: canonical_json(about)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """The network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        ValueError: the file is damaged, none of ours, or its network has changed since.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[_KEY])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: no checkpoint of ours or damaged ({error}); delete it and train again") from None
    try:
        recipe = Recipe.model_validate(about["recipe"])
        model = build_model(recipe.model.name, len(about["classes"]), recipe.model.options)
        model.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        why = shorten(str(error), 200)  # torch has a line for every tensor, pydantic for every key
        raise ValueError(f"{path}: does not fit the code as it is now; train again ({why})") from None
    return Checkpoint(model.eval().to(memory_format=torch.channels_last), recipe, about)
