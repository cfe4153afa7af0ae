"""Images and labels are placed in a pack as by hand, and networks are scored on the pixels that they saw."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seg.config.description import Description
from seg.config.inference import Inference
from seg.config.recipe import Recipe
from seg.data.loader import Loader
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.data.pack_format import NativeLabels, Pack
from seg.data.resizing import place, resize_image, resize_label
from seg.datasets import IGNORE
from seg.evaluation.evaluate import evaluate_images
from seg.evaluation.predict_inputs import Picture
from seg.evaluation.predict_loading import load_pictures
from seg.evaluation.predict_regions import Network, Sizes, segment_group
from seg.models.checkpoint import Checkpoint

Resize = Literal["stretch", "pad", "crop"]
NOISE = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("resize", "image", "pack", "source", "target"),
    [
        ("stretch", (60, 100), (32, 32), (0, 0, 60, 100), (0, 0, 32, 32)),
        ("pad", (64, 128), (32, 32), (0, 0, 64, 128), (8, 0, 16, 32)),
        ("pad", (100, 50), (32, 40), (0, 0, 100, 50), (0, 12, 32, 16)),
        ("pad", (10, 10), (32, 48), (0, 0, 10, 10), (0, 8, 32, 32)),  # enlarged
        ("pad", (3, 2000), (32, 32), (0, 0, 3, 2000), (15, 0, 1, 32)),
        ("crop", (64, 128), (32, 32), (0, 32, 64, 64), (0, 0, 32, 32)),
        ("crop", (100, 50), (32, 40), (30, 0, 40, 50), (0, 0, 32, 40)),
        ("crop", (3, 2000), (32, 32), (0, 998, 3, 3), (0, 0, 32, 32)),
    ],
)
def test_placements_by_hand(
    resize: Resize, image: tuple[int, int], pack: tuple[int, int], source: tuple[int, ...], target: tuple[int, ...]
) -> None:
    assert place(resize, image, pack) == (source, target)


SIDE = st.integers(1, 300)


@given(st.sampled_from(["stretch", "pad", "crop"]), st.tuples(SIDE, SIDE), st.tuples(SIDE, SIDE))
@settings(deadline=None)
def test_placements_are_inside(resize: Resize, image: tuple[int, int], pack: tuple[int, int]) -> None:
    placement = place(resize, image, pack)
    for box, size in zip(placement, (image, pack), strict=True):
        assert 0 <= box.top < box.top + box.height <= size[0]
        assert 0 <= box.left < box.left + box.width <= size[1]
    assert resize == "crop" or placement.source[2:] == image
    assert resize == "pad" or placement.target[2:] == pack


@pytest.mark.parametrize("channels", [1, 3, 4, 6])
def test_channels_are_resized_alone(channels: int) -> None:
    pixels = NOISE.integers(0, 256, (40, 60, channels), np.uint8)
    resized = resize_image(pixels, place("stretch", (40, 60), (20, 30)), (20, 30))
    for k in range(channels):
        alone = Image.fromarray(pixels[..., k]).resize((30, 20), Image.Resampling.BILINEAR)
        assert np.array_equal(resized[..., k], alone)


def test_padding_is_black_and_not_scored() -> None:
    placement = place("pad", (20, 40), (40, 40))
    image = resize_image(np.full((20, 40, 3), 7, np.uint8), placement, (40, 40))
    label = resize_label(np.ones((20, 40), np.uint8), placement, (40, 40))
    inside = np.zeros((40, 40), bool)
    inside[10:30] = True
    assert np.array_equal(image, np.where(inside[..., None], 7, 0).repeat(3, 2))
    assert np.array_equal(label, np.where(inside, 1, IGNORE))


class Oracle(torch.nn.Module):
    """Logits (N, 2, H, W) of black and white."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([1 - images[:, :1], images[:, :1]], 1)


@pytest.mark.parametrize(("resize", "scored"), [("stretch", 64 * 128), ("pad", 64 * 128), ("crop", 64 * 64)])
def test_networks_are_scored_on_the_original_pixels(
    tmp_path: Path, tiny_recipe: Recipe, resize: Resize, scored: int
) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    label = NOISE.integers(0, 2, (4, 8), np.uint8).repeat(16, 0).repeat(16, 1)
    Image.fromarray(label).save(tmp_path / "labels/a.png")
    Image.fromarray(label * 255).save(tmp_path / "images/a.png")
    (tmp_path / "val.txt").write_text("a")
    (tmp_path / "manifest.json").write_text(json.dumps({"name": "own", "files": {}}))
    dataset = Description(classes=["a", "b"], resize=resize)
    for write in (pack_split, write_native_labels):
        write(tmp_path / "manifest.json", dataset, "val", 32, 32, tmp_path / "val")
    about = {"classes": ["a", "b"], "class_weights": [1.0, 1.0], "precision": "fp32"}
    checkpoint = Checkpoint(Oracle(), tiny_recipe.model_copy(update={"scaling": "unit"}), about)
    pack, native = Pack(tmp_path / "val.json"), NativeLabels(tmp_path / "val.json")
    found = evaluate_images(checkpoint, Loader(pack, torch.device("cpu")), native, Inference())
    confusion = found.tallies["native"].confusion[0]
    assert confusion.sum() == scored
    assert confusion.trace() / scored > 0.99  # corners are rounded
    part = label[:, 32:96] if resize == "crop" else label
    assert confusion.sum(1).tolist() == np.bincount(part.ravel(), minlength=2).tolist()
    (image,) = load_pictures([Picture(tmp_path / "images/a.png", "a")], dataset.form(), (32, 32), None, [])
    network = Network(Oracle(), lambda: 0.0, Inference(), "unit", torch.device("cpu"))
    ((_, regions),) = segment_group(network, [image], Sizes(), False, [])
    ((*_, predicted, _),) = regions
    assert (predicted == label).mean() > 0.99  # of all pixels, cropped in training or not
    assert found.tallies["pack"].confusion.sum() == (32 * 16 if resize == "pad" else 32 * 32)
