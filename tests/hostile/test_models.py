"""Files that are given as a model, and images that a model segments."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from trials import Trial, run_trial

from seg.config.architectures import make_model
from seg.config.recipe import Recipe
from seg.models import build_model
from seg.models.checkpoint import CHECKPOINT_VERSION, save_checkpoint
from seg.system.tensors import read_tensors, write_tensors

PREDICT = ("seg.cli", "predict", "model.safetensors", "image.png", "--device", "cpu")
UNUSABLE = r"use another one, or delete it and train again"
FOREIGN = r"error: model\.safetensors: checkpoint is damaged or not written by this version of seg \(.+\); " + UNUSABLE
MODEL = Path("model.safetensors")
ABOUT = {"classes": ["a", "b", "c"], "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]], "precision": "fp32"}

Arrange = Callable[[Path], None]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Recipe) -> Path:
    """A checkpoint of the FCN with three classes."""
    path = tmp_path_factory.mktemp("models") / MODEL
    torch.manual_seed(0)
    save_checkpoint(path, build_model("fcn", 3, {}), tiny_recipe, ABOUT)
    return path


def replaced(content: bytes | None) -> Arrange:
    """Another file in place of the model; `None`: no file."""

    def arrange(root: Path) -> None:
        (root / MODEL).unlink()
        if content is not None:
            (root / MODEL).write_bytes(content)

    return arrange


def cut(size: int) -> Arrange:
    return lambda root: (root / MODEL).write_bytes((root / MODEL).read_bytes()[:size])


def described(**changes: Any) -> Arrange:
    """The model with other metadata; `None` removes a key."""

    def arrange(root: Path) -> None:
        tensors, about = read_tensors(root / MODEL)
        about = {key: value for key, value in (about | changes).items() if value is not None}
        write_tensors(root / MODEL, tensors, about)

    return arrange


def with_recipe(**changes: Any) -> Arrange:
    def arrange(root: Path) -> None:
        recipe = read_tensors(root / MODEL)[1]["recipe"]
        described(recipe=recipe | changes)(root)

    return arrange


def metadata(content: str) -> Arrange:
    return lambda root: save_file({"a": torch.zeros(3)}, root / MODEL, {"seg": content})


def pickled(root: Path) -> None:
    torch.save({"weight": torch.zeros(3)}, root / MODEL)


def directory(root: Path) -> None:
    (root / MODEL).unlink()
    (root / MODEL).mkdir()


def linked(target: str) -> Arrange:
    def arrange(root: Path) -> None:
        (root / MODEL).unlink()
        (root / MODEL).symlink_to(target)

    return arrange


def image(height: int, width: int, mode: str = "RGB") -> Arrange:
    return lambda root: Image.new(mode, (width, height)).save(root / "image.png")


def image_file(content: bytes | None) -> Arrange:
    def arrange(root: Path) -> None:
        (root / "image.png").unlink()
        if content is not None:
            (root / "image.png").write_bytes(content)

    return arrange


def image_directory(root: Path) -> None:
    (root / "image.png").unlink()
    (root / "image.png").mkdir()


def unchanged(root: Path) -> None:
    """Keep the model and the image."""


FILES = [
    Trial("a missing model", PREDICT, replaced(None), r"error: model\.safetensors: No such file .+; check .+"),
    Trial("a directory", PREDICT, directory, r"error: model\.safetensors: Is a directory; give a file"),
    Trial("a file in the path", ("seg.cli", "predict", "model.safetensors/x", "image.png"), unchanged,
          r"error: model\.safetensors/x: Not a directory; a part of the path is a file; use another path"),
    Trial("a link to nothing", PREDICT, linked("gone"), r"error: model\.safetensors: No such file or directory; .+"),
    Trial("a link to itself", PREDICT, linked("model.safetensors"),
          r"error: model\.safetensors: Too many levels of symbolic links; a link leads to itself; remove it"),
    Trial("a device", PREDICT, linked("/dev/null"), FOREIGN),
    Trial("an empty file", PREDICT, replaced(b""), FOREIGN),
    Trial("noise", PREDICT, replaced(bytes(range(256)) * 9), FOREIGN),
    Trial("a text", PREDICT, replaced(b"weights\n"), FOREIGN),
    Trial("half of the header", PREDICT, cut(300), FOREIGN),
    Trial("all but the last byte", PREDICT, lambda root: cut((root / MODEL).stat().st_size - 1)(root), FOREIGN),
    Trial("a pickle", PREDICT, pickled, FOREIGN),
    Trial("safetensors of another program", PREDICT, lambda root: save_file({"a": torch.zeros(3)}, root / MODEL),
          FOREIGN),
    Trial("metadata that is no JSON", PREDICT, metadata("model"), FOREIGN),
    Trial("metadata that is a list", PREDICT, metadata("[]"), FOREIGN),
    Trial("metadata about a list", PREDICT, metadata(json.dumps({"about": [1], "crc32": ""})), FOREIGN),
    Trial("a weights file", PREDICT, described(schema_version=None, recipe=None),
          rf"error: model\.safetensors: schema version None, expected {CHECKPOINT_VERSION}; train again"),
    Trial("a newer version", PREDICT, described(schema_version=CHECKPOINT_VERSION + 1),
          rf"error: model\.safetensors: schema version {CHECKPOINT_VERSION + 1}, expected {CHECKPOINT_VERSION}; .+"),
    Trial("an unknown model", PREDICT, with_recipe(model={"name": "fcnn", "options": {}}),
          r"error: model\.safetensors: does not fit the current code; train again \(.+\)"),
    Trial("an unknown key in the recipe", PREDICT, with_recipe(lrr=1),
          r"error: model\.safetensors: does not fit the current code; train again \(.+\)"),
    Trial("no classes", PREDICT, described(classes=None),
          r"error: model\.safetensors: does not fit the current code; train again \('classes'\)"),
    Trial("no palette", PREDICT, described(palette=None),
          r"error: model\.safetensors: does not fit the current code; train again \(no palette\)"),
    Trial("another number of classes", PREDICT, described(classes=["a", "b"]),
          r"error: model\.safetensors: does not fit the current code; train again \(.+\)"),
]  # fmt: skip

IMAGES = [
    Trial(f"{height}x{width}", PREDICT, image(height, width), r"predictions/image\.png", code=0, errors=0,
          writes=("predictions*",))
    for height, width in ((1, 1), (1, 5000), (5000, 1), (7, 3))
] + [
    Trial("a missing image", PREDICT, image_file(None), r"error: image\.png: No such file or directory; check .+"),
    Trial("a directory as an image", PREDICT, image_directory,
          r"error: image\.png: no images there; expected files that end in png, .+"),
    Trial("a text as an image", PREDICT, image_file(b"text"),
          r"error: image\.png: cannot be decoded \(cannot identify image file .+\); replace the file", code=1),
    Trial("an image without its end", PREDICT,
          lambda root: image_file((root / "image.png").read_bytes()[:200])(root),
          r"error: image\.png: cannot be decoded \(image file is truncated.*\); replace the file", code=1),
    Trial("16 bits per channel", PREDICT, image(4, 4, "I;16"),
          r"error: image\.png: has 16 bits per channel with values from 0 to 0, but the model was trained on .*",
          code=1),
    Trial("an unknown device", (*PREDICT[:-1], "gpu"), unchanged, r"error: --device gpu: not available; available .+"),
]  # fmt: skip


def test_a_network_that_does_not_accept_the_size_names_the_image(tmp_path: Path, tiny_recipe: Recipe) -> None:
    recipe = tiny_recipe.model_copy(update={"model": make_model("unet")})
    save_checkpoint(tmp_path / MODEL, build_model("unet", 3, {}), recipe, ABOUT)
    line = r"error: image\.png: images of \(1, 1\): the network halves them 4 times; use sides >= 16"
    run_trial(Trial("1x1", PREDICT, image(1, 1), line, code=1), tmp_path)


@pytest.mark.parametrize("trial", [*FILES, *IMAGES], ids=str)
def test_models_and_images(trial: Trial, model: Path, tmp_path: Path) -> None:
    shutil.copyfile(model, tmp_path / MODEL)
    pixels = np.random.default_rng(0).integers(256, size=(24, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    run_trial(trial, tmp_path)
