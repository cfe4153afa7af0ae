"""Checkpoints: weights as safetensors, and all that is needed to use them as metadata. No pickle is read or written."""

from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from torch import nn

from seg.config.recipe import Recipe
from seg.models import build_model
from seg.system.tensors import read_tensors, write_tensors


class Checkpoint(NamedTuple):
    """A trained network and what it was trained as."""

    model: nn.Module
    recipe: Recipe
    about: dict[str, Any]


def save_checkpoint(path: Path, model: nn.Module, recipe: Recipe, about: dict[str, Any]) -> None:
    """Write weights and metadata; the same content gives the same bytes.

    Args:
        path: file to write; `seg.system.files.written_whole` makes it whole.
        model: its state is written.
        recipe: that it was trained with.
        about: classes, palette, versions, precision, code digest; JSON values.
    """
    write_tensors(path, model.state_dict(), {**about, "recipe": recipe.model_dump(mode="json")})


def load_checkpoint(path: Path) -> Checkpoint:
    """The network of a checkpoint, in evaluation mode on the CPU.

    Raises:
        ValueError: the file is damaged, none of ours, or its network has changed since.
    """
    try:
        state, about = read_tensors(path)
    except ValueError as error:
        raise ValueError(f"{path}: checkpoint is {error}; delete its folder and train again") from None
    try:
        recipe = Recipe.model_validate(about["recipe"])
        model = build_model(recipe.model.name, len(about["classes"]), recipe.model.options)
        model.load_state_dict(state)
    except (KeyError, ValueError, RuntimeError) as error:
        why = shorten(str(error), 200)  # torch has a line for every tensor, pydantic for every key
        raise ValueError(f"{path}: does not fit the code as it is now; train again ({why})") from None
    return Checkpoint(model.eval().to(memory_format=torch.channels_last), recipe, about)
