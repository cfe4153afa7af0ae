"""Inputs of a training: both packs and the initialized model."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from seg.config.recipe import Recipe, WeightsFile
from seg.data.class_weights import inverse_weights
from seg.data.loader import Loader
from seg.data.pack_format import Pack
from seg.data.subset import class_pixels, training_pack
from seg.models import build_model
from seg.models.channels import RGB_CHANNELS
from seg.models.weights import load_backbone, load_fitting
from seg.system.console import say
from seg.training.distributed import is_main, world_size


def open_inputs(
    recipe: Recipe, train_pack: Path, val_pack: Path, weights: Path | None, device: torch.device, workers: int | None
) -> tuple[Loader, Loader, Tensor, nn.Module, dict[str, Any] | None]:
    """Open the packs and build the model; arguments and errors as in `seg.training.train.train`.

    Returns:
        Loaders of the training and the validation pack; class weights (C,) float32 for the weighted loss, and the model
        in channels-last memory, both on the device; metadata of the file with the initial weights.
    """
    if recipe.gpus != world_size():
        fix = f"start it with torchrun --standalone --nproc-per-node {recipe.gpus}"
        raise ValueError(f"number of processes is {world_size()}, but the recipe's gpus are {recipe.gpus}; {fix}")
    if (recipe.weights is None) != (weights is None):
        raise ValueError(f"--weights is {weights}, but the recipe's weights are {recipe.weights}; give both or neither")
    packs = training_pack(train_pack, recipe.train_images), Pack(val_pack)
    if packs[0].classes != packs[1].classes:
        raise ValueError(f"{train_pack} and {val_pack} have different classes; use packs of the same dataset")
    if packs[0].about["form"] != packs[1].about["form"]:
        raise ValueError(f"{train_pack} and {val_pack} have other channels; use packs of the same dataset")
    if recipe.augmentation.snow and packs[0].channels != RGB_CHANNELS:
        raise ValueError(f"{train_pack}: has {packs[0].channels} channels, but snow requires RGB; set snow: null")
    class_weights = torch.from_numpy(inverse_weights(class_pixels(packs[0]))).float().to(device)
    train, val = (Loader(pack, device, workers) for pack in packs)
    torch.manual_seed(recipe.seed)
    build = partial(build_model, recipe.model.name, options=recipe.model.options, channels=packs[0].channels)
    weights_info = None
    if weights and isinstance(recipe.weights, WeightsFile):
        model, weights_info, message = load_fitting(build, recipe.model.name, weights, packs[0].classes, recipe.frozen)
        if is_main():
            say(message)
    else:
        model = build(len(class_weights))
        weights_info = load_backbone(model, weights) if weights else None
    if recipe.frozen:
        model.get_submodule("backbone").requires_grad_(False)
    return train, val, class_weights, model.to(device).to(memory_format=torch.channels_last), weights_info
