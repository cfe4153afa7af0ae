"""Checkpoints: the weights of a network as safetensors, with everything needed to use them as metadata."""

from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from torch import nn

from seg.config.image_form import ImageForm
from seg.config.recipe import Recipe
from seg.models import build_model
from seg.system.tensors import read_tensors, write_tensors

CHECKPOINT_VERSION = 1  # of the metadata; increases when older files would be misread


class Checkpoint(NamedTuple):
    """A trained network, its recipe and its metadata."""

    model: nn.Module
    recipe: Recipe
    about: dict[str, Any]


def save_checkpoint(path: Path, model: nn.Module, recipe: Recipe, about: dict[str, Any]) -> None:
    """Write the state dict of `model` and metadata; the same content gives the same bytes.

    Args:
        path: file to write; use `seg.system.files.written_whole` to write it whole or not at all.
        model: trained with `recipe`.
        recipe: stored in the metadata.
        about: classes, their palette, weights and label values in the dataset, size (height, width) of the images in
            evaluation, versions, precision, code digest; JSON values.
    """
    metadata = {**about, "schema_version": CHECKPOINT_VERSION, "recipe": recipe.model_dump(mode="json")}
    write_tensors(path, model.state_dict(), metadata)


def load_checkpoint(path: Path) -> Checkpoint:
    """Load a checkpoint; the network is in evaluation mode, on the CPU and channels-last.

    Raises:
        ValueError: the file is damaged, not a checkpoint of this version of seg, or does not fit the current code.
        OSError: the file is missing or not readable.
    """
    try:
        state, about = read_tensors(path)
    except ValueError as error:
        raise ValueError(f"{path}: checkpoint is {error}; use another one, or delete it and train again") from None
    except FileNotFoundError:
        if folds := sorted(map(str, path.parent.glob(f"fold*/{path.name}"))):
            raise ValueError(f"{path}: no such file; there is one per fold: give {' or '.join(folds)}") from None
        raise
    if (version := about.get("schema_version")) != CHECKPOINT_VERSION:
        raise ValueError(f"{path}: schema version {version}, expected {CHECKPOINT_VERSION}; train again")
    try:
        recipe = Recipe.model_validate(about["recipe"])
        channels = ImageForm.model_validate(about.get("form", {})).channel_count()
        model = build_model(recipe.model.name, len(about["classes"]), recipe.model.options, channels)
        model.load_state_dict(state)
        if missing := [key for key in ("palette", "precision") if key not in about]:
            raise ValueError(f"no {missing[0]}")
    except (KeyError, ValueError, RuntimeError) as error:
        if isinstance(error.__cause__, ImportError):  # of an optional library
            raise ValueError(f"{path}: {error}") from None
        reason = shorten(str(error), 200)  # torch lists every tensor, pydantic every key
        raise ValueError(f"{path}: does not fit the current code; train again ({reason})") from None
    return Checkpoint(model.eval().to(memory_format=torch.channels_last), recipe, about)
