"""Checkpoints: they read back equal, the same content has the same bytes, damage is reported in one line."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.models import build_model
from seg.models.checkpoint import CHECKPOINT_VERSION, load_checkpoint, save_checkpoint
from seg.system.tensors import read_tensors, write_tensors

ABOUT = {
    "classes": ["road", "car", "sky"],
    "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "precision": "fp32",
    "versions": {"torch": "2", "python": "3"},
    "code": "0123",
}
SAVE = """
import sys, torch
from pathlib import Path
from seg.models import build_model
from seg.config.recipe import recipe_from_json
from seg.models.checkpoint import save_checkpoint
torch.manual_seed(3)
save_checkpoint(Path(sys.argv[1]), build_model("fcn", 3, {}), recipe_from_json(sys.argv[2]), eval(sys.argv[3]))
"""


def network() -> nn.Module:
    torch.manual_seed(3)
    return build_model("fcn", 3, {})


@pytest.fixture
def saved(tmp_path: Path, tiny_recipe: Recipe) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, network(), tiny_recipe, ABOUT)
    return path


def refusal(path: Path) -> str:
    """Message of the error for a file: one line that begins with its path."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the callers look at the message
        load_checkpoint(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "train again" in message
    assert len(message.splitlines()) == 1
    assert len(message) < 400 + len(str(path))
    return message


def test_what_is_written_is_read(saved: Path, tiny_recipe: Recipe) -> None:
    model, recipe, about = load_checkpoint(saved)
    assert recipe == tiny_recipe
    assert about == {**ABOUT, "schema_version": CHECKPOINT_VERSION, "recipe": tiny_recipe.model_dump(mode="json")}
    assert not model.training
    expected = network().state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("options", [{}, {"depth": 6, "activation": "prelu"}], ids=["plain", "adapted"])
def test_the_network_predicts_as_before(tmp_path: Path, tiny_recipe: Recipe, options: dict[str, Any]) -> None:
    recipe = tiny_recipe.model_copy(update={"model": make_model("fcn", **options)})
    model = build_model("fcn", 3, options).to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        model.train()(images)  # changes the statistics of batch norm
        expected = model.eval()(images)
        save_checkpoint(tmp_path / "model.safetensors", model, recipe, ABOUT)
        assert torch.equal(load_checkpoint(tmp_path / "model.safetensors").model(images), expected)


def test_any_process_writes_the_same_bytes(saved: Path, tmp_path: Path, tiny_recipe: Recipe) -> None:
    other = tmp_path / "other.safetensors"
    shuffled = dict(reversed(ABOUT.items()))
    command = [sys.executable, "-c", SAVE, str(other), tiny_recipe.json_line(), repr(shuffled)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": "77"})
    assert other.read_bytes() == saved.read_bytes()


def test_its_mode_follows_the_umask(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    assert saved.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_the_weights_are_plain_safetensors(saved: Path) -> None:
    assert load_file(saved).keys() == network().state_dict().keys()


@pytest.mark.parametrize("damage", ["empty", "noise", "short", "cut"])
def test_a_damaged_file_is_refused(saved: Path, damage: str) -> None:
    content = saved.read_bytes()
    saved.write_bytes({"empty": b"", "noise": b"\x80\x04}." * 99, "short": content[:20], "cut": content[:-1]}[damage])
    assert "damaged" in refusal(saved)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"seg": "no JSON"}], ids=["none", "others", "no JSON"])
def test_a_foreign_file_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata=metadata)
    assert "not written by this version of seg" in refusal(path)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save(network().state_dict(), path)
    assert "not written by this version of seg" in refusal(path)


def test_weights_that_no_longer_fit_are_refused(tmp_path: Path, tiny_recipe: Recipe) -> None:
    path = tmp_path / "model.safetensors"
    deeper = build_model("fcn", 3, {"depth": 6})
    save_checkpoint(path, deeper, tiny_recipe, ABOUT)
    assert "does not fit" in refusal(path)


def test_a_recipe_of_another_version_is_refused(tmp_path: Path, tiny_recipe: Recipe) -> None:
    class Older:
        def model_dump(self, mode: str) -> dict[str, Any]:
            return {**tiny_recipe.model_dump(mode=mode), "learning_rate": 1.0, "lr": "fast"}

    path = tmp_path / "model.safetensors"
    save_checkpoint(path, network(), Older(), ABOUT)  # type: ignore[arg-type]
    assert "does not fit" in refusal(path)


@pytest.mark.parametrize("version", [None, CHECKPOINT_VERSION + 1])
def test_another_version_of_the_schema_is_refused(saved: Path, version: int | None) -> None:
    state, about = read_tensors(saved)
    write_tensors(saved, state, {key: value for key, value in about.items() if key != "schema_version"})
    if version:
        write_tensors(saved, state, {**about, "schema_version": version})
    assert refusal(saved) == f"{saved}: schema version {version}, expected {CHECKPOINT_VERSION}; train again"


def test_a_checkpoint_of_the_former_format_is_refused(saved: Path) -> None:
    """It had the checksum in a separate metadata key, and no version."""
    metadata = {"seg": json.dumps({**ABOUT, "recipe": {}}), "crc32": "00000000"}
    save_file(network().state_dict(), saved, metadata=metadata)
    assert "not written by this version of seg" in refusal(saved)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"none\.safetensors"):
        load_checkpoint(tmp_path / "none.safetensors")


def test_a_file_that_cannot_grow_is_an_os_error(tmp_path: Path, tiny_recipe: Recipe) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
        with pytest.raises(OSError, match="File too large"):
            save_checkpoint(tmp_path / "model.safetensors", network(), tiny_recipe, ABOUT)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
