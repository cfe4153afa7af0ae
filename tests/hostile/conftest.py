"""A model for trials of commands that read one."""

import pytest
import torch

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.models import build_model
from seg.models.checkpoint import save_checkpoint


@pytest.fixture(scope="session")
def small_model(tiny_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Content of a checkpoint: an untrained U-Lite with three classes."""
    recipe = tiny_recipe.model_copy(update={"model": make_model("u_lite")})
    torch.manual_seed(0)
    network = build_model("u_lite", 3, recipe.model.options)
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    about = {"classes": list("abc"), "palette": [[0, 0, 0], [255, 0, 0], [0, 255, 0]], "precision": "fp32"}
    save_checkpoint(path, network, recipe, about)
    return path.read_bytes()
