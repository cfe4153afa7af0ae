"""Images of five bands are packed, trained on, evaluated and segmented; batches of any channels are those of each."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from trainings import fit

from seg.config.description import Description
from seg.config.recipe import Affine, Augmentation, Interval, Recipe, Snow
from seg.data.augmentation import affine_matrix, warp, warp_tensors
from seg.data.loader import SCALING, channel_scaling, scaled
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.data.pack_format import Pack
from seg.data.statistics import write_statistics
from seg.evaluation.evaluate import evaluate
from seg.evaluation.predict import segment
from seg.models.checkpoint import load_checkpoint
from seg.report.pictures import pictures_of
from seg.report.runs import read_run
from seg.results import Statistics, read_result

CPU = torch.device("cpu")
SIDE = 32


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of five bands."""
    root = tmp_path_factory.mktemp("own")
    noise = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir()
    for k in range(12):
        label = noise.integers(0, 2, (2, 2), np.uint8).repeat(SIDE // 2, 0).repeat(SIDE // 2, 1)
        bands = noise.integers(0, 4096, (SIDE, SIDE, 5), np.uint16)
        tifffile.imwrite(root / f"images/{k}.tif", bands, photometric="minisblack", planarconfig="contig")
        Image.fromarray(label).save(root / f"labels/{k}.png")
    for split, names in (("train", range(8)), ("val", range(8, 12))):
        (root / f"{split}.txt").write_text("\n".join(map(str, names)))
    (root / "manifest.json").write_text(json.dumps({"name": "own", "files": {}}))
    return root


def packs(own: Path, folder: Path, **keys: object) -> tuple[Path, Path]:
    dataset = Description(classes=["wall", "crack"], range=(0, 4095), **keys)  # type: ignore[arg-type]
    for split in ("train", "val"):
        pack_split(own / "manifest.json", dataset, split, SIDE, SIDE, folder / split)  # type: ignore[arg-type]
    write_native_labels(own / "manifest.json", dataset, "val", SIDE, SIDE, folder / "val")
    return folder / "train.json", folder / "val.json"


@pytest.mark.parametrize(("keys", "channels"), [({"channels": 5}, 5), ({"bands": [4]}, 1), ({"bands": [5, 4]}, 2)])
def test_from_bands_to_predictions(
    own: Path, tmp_path: Path, tiny_recipe: Recipe, keys: dict[str, Any], channels: int
) -> None:
    found = packs(own, tmp_path, **keys)
    assert Pack(found[0]).read(np.arange(2))[0].shape == (2, SIDE, SIDE, channels)
    write_statistics(found[0], tmp_path / "statistics.json")
    assert len(read_result(Statistics, tmp_path / "statistics.json", "").mean) == channels
    augmentation = Augmentation(flip=0.5, affine=Affine(p=0.5, translation=0.1))
    out = fit(tmp_path / "seed0", tiny_recipe.model_copy(update={"augmentation": augmentation}), found)
    checkpoint = load_checkpoint(out.model)
    assert next(checkpoint.model.parameters()).shape[1] == channels
    files = ("metrics.json", "confusion.npy", "predictions.zip", "samples.png", "evaluation.json")
    evaluate(out.model, found[1], *(tmp_path / "seed0" / name for name in files), CPU)
    pictures = pictures_of({"own": {"fcn": [read_run(tmp_path / "seed0", "native")]}}, {"own": found[1]}, 10**6)
    assert len(pictures["own"]["predictions"]["fcn"]) == len(Pack(found[1]))
    (written,) = segment(out.model, [own / "images/9.tif"], tmp_path / "out", "cpu")
    images, _ = Pack(found[1]).read(np.array([Pack(found[1]).names.index("9")]))
    stored = tifffile.imread(own / "images/9.tif")[..., [band - 1 for band in keys.get("bands", range(1, 6))]]
    assert np.array_equal(images[0], np.rint(stored / 4095 * 255).astype(np.uint8))
    with torch.inference_mode():
        logits = checkpoint.model(scaled(torch.from_numpy(images).permute(0, 3, 1, 2), "imagenet"))
    assert np.array_equal(Image.open(written), logits[0].argmax(0))


def test_snow_on_other_channels_is_refused(own: Path, tmp_path: Path, tiny_recipe: Recipe) -> None:
    snow = Augmentation(snow=Snow(p=0.5, threshold=Interval(low=0.5, high=0.6)))
    found = packs(own, tmp_path, channels=5)
    with pytest.raises(ValueError, match="has 5 channels, but snow requires RGB; set snow: null"):
        fit(tmp_path / "run", tiny_recipe.model_copy(update={"augmentation": snow}), found)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 8, 9])
def test_channels_are_warped_alone(channels: int) -> None:
    noise = np.random.default_rng(0)
    images = noise.integers(0, 256, (3, 24, 40, channels), np.uint8)
    labels = noise.integers(0, 5, (3, 24, 40), np.uint8)
    matrices = np.stack([affine_matrix(24, 40, **step) for step in ({"degrees": 20}, {"flip": True}, {})])  # type: ignore[arg-type]
    warped, ids = warp(images, labels, matrices)
    tensors, _ = warp_tensors(torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels), matrices)
    for k in range(channels):
        alone, same = warp(np.ascontiguousarray(images[..., [k, k, k]]), labels, matrices)
        assert np.array_equal(warped[..., k], alone[..., 0])
        assert np.array_equal(ids, same)
    assert np.abs(tensors.permute(0, 2, 3, 1).numpy().astype(int) - warped).max() <= 8  # rounding of positions


@pytest.mark.parametrize("scaling", SCALING)
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 8])
def test_channels_are_scaled_in_turn(scaling: str, channels: int) -> None:
    images = torch.randint(256, (2, channels, 6, 7), dtype=torch.uint8)
    mean, std = (np.array(row).reshape(-1, 1, 1) for row in channel_scaling(scaling, channels))
    np.testing.assert_allclose(scaled(images, scaling), (images.numpy() / 255 - mean) / std, rtol=1e-5, atol=1e-6)
    if channels > 3:
        assert channel_scaling(scaling, channels)[0][3] == SCALING[scaling][0][0]
