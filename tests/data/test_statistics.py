"""Statistics of a pack against plain NumPy over all pixels at once, and hand-worked weights."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.data import pack_format
from seg.data.class_weights import inverse_weights
from seg.data.pack_format import memory_map
from seg.data.statistics import channel_moments, write_statistics
from seg.results import Statistics, read_result

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("images", [1, 15, 16, 17, 40])
def test_moments_are_those_of_all_pixels(images: int) -> None:
    generator = np.random.default_rng(images)
    pixels = generator.integers([0, 100, 250], [256, 140, 256], (images, 7, 5, 3)).astype(np.uint8)
    mean, deviation = channel_moments(pixels)
    np.testing.assert_allclose(mean, (pixels / 255).mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(deviation, (pixels / 255).std((0, 1, 2)), rtol=1e-12)


def test_moments_of_one_colour_are_exact() -> None:
    mean, deviation = channel_moments(np.full((3, 2, 2, 3), [0, 51, 255], np.uint8))
    assert mean.tolist() == [0, 0.2, 1]
    assert deviation.tolist() == [0, 0, 0]


def test_weights_worked_by_hand() -> None:
    # 1/2, 1/4, 1/8 have the mean 7/24.
    np.testing.assert_allclose(inverse_weights(np.array([1, 3, 7])), [12 / 7, 6 / 7, 3 / 7], rtol=1e-15)


def test_absent_classes_weigh_nothing_and_change_no_other_weight() -> None:
    np.testing.assert_allclose(inverse_weights(np.array([0, 1, 0, 3, 7])), [0, 12 / 7, 0, 6 / 7, 3 / 7], rtol=1e-15)
    assert inverse_weights(np.zeros(3, np.int64)).tolist() == [1, 1, 1]


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=40))
def test_weights_have_mean_one_and_fall_with_the_count(counts: list[int]) -> None:
    weights = inverse_weights(np.array(counts))
    inverse = 1 / (np.array(counts, np.float64) + 1)
    assert weights.tolist() == (inverse / inverse.mean()).tolist()  # to the last bit
    assert weights.mean() == pytest.approx(1)
    assert (weights > 0).all()
    assert (np.diff(weights[np.argsort(counts)]) <= 0).all()


def test_the_schema_version_is_that_of_the_statistics_not_that_of_the_pack(
    packs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pack_format, "PACK_VERSION", 3)
    for file in packs[0].parent.glob(f"{packs[0].stem}.*"):
        shutil.copy(file, tmp_path)
    pack = tmp_path / packs[0].name
    pack.write_text(json.dumps(json.loads(pack.read_text()) | {"schema_version": 3}))
    write_statistics(pack, tmp_path / "statistics.json")
    assert read_result(Statistics, tmp_path / "statistics.json", "").schema_version == 1


def test_the_statistics_of_a_pack(packs: tuple[Path, Path], tmp_path: Path) -> None:
    write_statistics(packs[0], tmp_path / "statistics.json")
    path = tmp_path / "statistics.json"
    found = json.loads(path.read_text())
    assert read_result(Statistics, path, "run again").text() == path.read_text()
    images, labels = (np.asarray(memory_map(packs[0], part)) for part in ("images", "labels"))
    pixels = [int((labels == i).sum()) for i in range(11)]
    assert found["pixels"] == pixels
    assert found["class_images"] == [sum(bool((label == i).any()) for label in labels) for i in range(11)]
    assert found["id_pixels"] == [*pixels, int((labels == 255).sum())]
    np.testing.assert_allclose(found["mean"], images.mean((0, 1, 2)) / 255)
    np.testing.assert_allclose(found["std"], images.std((0, 1, 2)) / 255)
    np.testing.assert_allclose(found["weights"], inverse_weights(np.array(pixels)))
    about = json.loads(packs[0].read_text())
    for key in ("dataset", "split", "images", "height", "width", "classes", "palette", "ids", "scored", "id_images"):
        assert found[key] == about[key]


def test_a_truncated_pack_in_a_real_process(packs: tuple[Path, Path], tmp_path: Path) -> None:
    folder = shutil.copytree(packs[0].parent, tmp_path / "packs")
    os.truncate(folder / "train.images.npy", 1000)
    command = [
        sys.executable,
        "-m",
        "seg.data.statistics",
        "--pack",
        folder / "train.json",
        "--out",
        tmp_path / "s.json",
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {folder}/train.images.npy: cannot be read (")
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "s.json").exists()
