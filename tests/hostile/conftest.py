"""A model for trials of commands that read one."""

from typing import Any

import pytest
import torch

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.data.pack_format import Pack
from seg.models import build_model
from seg.models.checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def small_model(tiny_recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Content of a checkpoint: an untrained U-Lite for the classes of `packs`."""
    recipe = tiny_recipe.model_copy(update={"model": make_model("u_lite")})
    pack = Pack(packs.val)
    torch.manual_seed(0)
    network = build_model("u_lite", len(pack.classes), recipe.model.options)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    about = {"classes": pack.classes, "palette": pack.about["palette"], "precision": "fp32"}
    save_checkpoint(path, network, recipe, about | {"class_weights": [1.0] * len(pack.classes)})
    return path.read_bytes()
