"""Training from initial weights: fine-tuned and frozen backbones, and refused combinations."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from trainings import command, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Recipe, WeightsFile
from seg.models import build_model
from seg.models.checkpoint import load_checkpoint
from seg.models.weights import write_weights
from seg.system.files import sha256
from seg.training.train import train

OPTIONS = {"backbone": "resnet34"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a backbone, and of a layer that the network does not have."""
    torch.manual_seed(5)
    network = build_model("resnet_fcn", 3, OPTIONS)
    state = {name: value.clone() for name, value in backbone(network).state_dict().items()}
    path = tmp_path_factory.mktemp("weights") / "resnet34_shapes.safetensors"
    write_weights(path, state | {"fc.weight": torch.zeros(10, 512)}, {"name": "resnet34_shapes"})
    return path


@pytest.fixture
def recipe(tiny_recipe: Recipe) -> Recipe:
    model = make_model("resnet_fcn", **OPTIONS)
    return varied(tiny_recipe, model=model, weights="resnet34_shapes", epochs=1, lr=1e-6)


def backbone(network: nn.Module) -> nn.Module:
    return network.get_submodule("backbone")


def trained(folder: Path, recipe: Recipe, packs: Any, weights: Path) -> dict[str, Tensor]:
    done = command(folder, recipe, packs, "--weights", str(weights))
    assert done.returncode == 0, done.stderr
    return backbone(load_checkpoint(folder / "model.safetensors").model).state_dict()


@pytest.mark.slow
def test_a_fine_tuned_backbone_starts_from_the_weights(
    tmp_path: Path, recipe: Recipe, packs: Any, weights: Path
) -> None:
    after, start = trained(tmp_path, recipe, packs, weights), load_file(weights)
    for name in ("conv1.weight", "layer4.2.conv2.weight"):
        assert not torch.equal(after[name], start[name])
        torch.testing.assert_close(after[name], start[name], atol=1e-4, rtol=0)  # 3 steps of 1e-6
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["weights"]["name"] == "resnet34_shapes"
    assert run["trainable_parameters"] == run["parameters"]


@pytest.mark.slow
def test_a_frozen_backbone_stays_to_the_last_bit(tmp_path: Path, recipe: Recipe, packs: Any, weights: Path) -> None:
    after, start = trained(tmp_path, varied(recipe, frozen=True, lr=0.01), packs, weights), load_file(weights)
    assert all(torch.equal(value, start[name]) for name, value in after.items())  # batch-norm statistics too
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["parameters"] - run["trainable_parameters"] == 21_284_672  # torchvision's ResNet-34 without its fc


@pytest.mark.parametrize(("named", "given"), [("resnet34_shapes", False), (None, True)])
def test_weights_and_recipe_belong_together(
    tmp_path: Path, tiny_recipe: Recipe, packs: Any, weights: Path, named: str | None, given: bool
) -> None:
    done = command(tmp_path, varied(tiny_recipe, weights=named), packs, *(["--weights", str(weights)] if given else []))
    assert done.returncode == 2
    assert done.stderr.startswith("error: --weights is ")
    assert not list(tmp_path.glob("model*"))


def test_a_network_without_a_backbone_takes_no_weights(
    tmp_path: Path, tiny_recipe: Recipe, packs: Any, weights: Path
) -> None:
    done = command(tmp_path, varied(tiny_recipe, weights="resnet34_shapes"), packs, "--weights", str(weights))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "backbone" in done.stderr


def test_a_network_starts_from_a_checkpoint_of_other_classes(
    tmp_path: Path, tiny_recipe: Recipe, packs: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "start.safetensors"
    torch.manual_seed(5)
    model = build_model(tiny_recipe.model.name, 2, tiny_recipe.model.options)
    write_weights(start, model.state_dict(), {"classes": ["wall", "crack"]})
    recipe = varied(tiny_recipe, weights=WeightsFile(file=str(start)), epochs=1, lr=1e-9)
    train(recipe, packs[0], packs[1], start, outputs(tmp_path), torch.device("cpu"), 0, "0123")
    printed = [line for line in capsys.readouterr().err.splitlines() if "tensors loaded" in line]
    info = json.loads((tmp_path / "run.json").read_text())["weights"]
    assert len(printed) == 1
    assert info["sha256"] == sha256(start)
    after, before = load_checkpoint(tmp_path / "model.safetensors").model.state_dict(), load_file(start)
    assert {name for name in after if after[name].shape != before[name].shape} == info["not_loaded"].keys()
    assert all(name in printed[0] for name in info["not_loaded"])
    for name in before.keys() - info["not_loaded"].keys():
        if name.endswith("weight"):
            torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)
