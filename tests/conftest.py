"""Shared fixtures, which tests must not change: random datasets in two layouts, packs of one, a recipe, clones."""

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from clones import Clone, write_clone
from hypothesis import settings
from PIL import Image
from requirements import mounted

from seg.config.architectures import make_model
from seg.config.description import describe
from seg.config.recipe import Augmentation, Recipe, Schedule
from seg.data.native_labels import write_native_labels
from seg.data.pack import pack_split
from seg.datasets.classes import class_table
from seg.datasets.manifest import write_manifest

settings.register_profile("seg", deadline=None)  # speed is measured in benchmarks/, not on a busy machine
settings.load_profile("seg")

HEIGHT, WIDTH = 48, 64
COUNTS = {"train": 12, "val": 4, "test": 4}
FILES = {
    "camvid": ("{split}/scene_{k:04d}.png", "{split}annot/scene_{k:04d}.png"),
    "cityscapes": (
        "leftImg8bit/{split}/ulm/ulm_{k:06d}_000019_leftImg8bit.png",
        "gtFine/{split}/ulm/ulm_{k:06d}_000019_gtFine_labelIds.png",
    ),
}

WriteDataset = Callable[..., Path]


class Packs(NamedTuple):
    """The `.json` of each split's pack."""

    train: Path
    val: Path


def draw(generator: np.random.Generator, ids: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Image (H, W, 3) and label ids (H, W), uint8: blocks of 8 pixels, each id with its own colour and noise."""
    blocks = generator.integers(ids, size=(-(-height // 8), -(-width // 8)), dtype=np.uint8)
    label = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    colours = np.random.default_rng(ids).integers(20, 236, size=(ids, 3))
    noise = generator.integers(-20, 20, size=(height, width, 3))
    return (colours[label] + noise).astype(np.uint8), label


def write_dataset(
    root: Path, layout: str, counts: Mapping[str, int] = COUNTS, height: int = HEIGHT, width: int = WIDTH
) -> Path:
    """Write a dataset with `counts` images per split, and its manifest. Returns `root`."""
    ids = len(class_table(describe(layout)).ids)
    for number, (split, count) in enumerate(counts.items()):
        for k in range(count):
            arrays = draw(np.random.default_rng([number, k]), ids, height, width)
            for name, pixels in zip(FILES[layout], arrays, strict=True):
                path = root / name.format(split=split, k=k)
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels).save(path, compress_level=1)
    about = {"name": f"tiny {layout}", "version": "1", "licence": "MIT", "citation": "none", "source": "the tests"}
    write_manifest(root / "manifest.json", about)
    return root


@pytest.fixture
def default_signals() -> Iterator[None]:
    """The handlers of a process that a user starts; a test may run where some signals are ignored."""
    defaults = {
        signal.SIGINT: signal.default_int_handler,
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGHUP: signal.SIG_DFL,
    }
    before = {number: signal.signal(number, handler) for number, handler in defaults.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(name="write_dataset", scope="session")
def _write_dataset() -> WriteDataset:
    """`write_dataset`, for tests that change their dataset."""
    return write_dataset


@pytest.fixture(scope="session")
def camvid_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dataset of 12 train, 4 val and 4 test images of 48x64 in the CamVid layout, with `manifest.json`. Read only."""
    return write_dataset(tmp_path_factory.mktemp("camvid"), "camvid")


@pytest.fixture(scope="session")
def cityscapes_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same in the Cityscapes layout, with all 34 ids. Read only."""
    return write_dataset(tmp_path_factory.mktemp("cityscapes"), "cityscapes")


@pytest.fixture(scope="session")
def packs(camvid_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Packs:
    """Packs (train, val) of `camvid_root` with native labels, 48x64: 11 classes, some pixels ignored. Read only."""
    folder = tmp_path_factory.mktemp("packs")
    for split in Packs._fields:
        for write in (pack_split, write_native_labels):
            write(camvid_root / "manifest.json", describe("camvid"), split, HEIGHT, WIDTH, folder / split)
    return Packs(*(folder / f"{split}.json" for split in Packs._fields))


@pytest.fixture(scope="session")
def tiny_recipe() -> Recipe:
    """The FCN for two epochs; vary it with `model_copy(update=...)`."""
    return Recipe(
        model=make_model("fcn"),
        weights=None,
        frozen=False,
        loss="cross_entropy",
        optimizer="adam",
        lr=0.005,
        weight_decay=0.0,
        momentum=0.9,
        schedule=Schedule(),
        clip_norm=None,
        batch=4,
        accumulate=1,
        eval_batch=4,
        epochs=2,
        validate_every=1,
        early_stopping=None,
        augmentation=Augmentation(),
        scaling="imagenet",
        precision="fp32",
        compile=False,
        deterministic=True,
        threads=1,
        gpus=1,
        train_images=None,
        seed=0,
    )


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of 1 MiB, or of the parameter. Without root, the test fails in CI and is skipped elsewhere."""
    folder = tmp_path / "disk"
    folder.mkdir()
    size = f"size={getattr(request, 'param', '1m')}"
    mounted("-t", "tmpfs", "-o", size, "tmpfs", str(folder), what="a full disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def new_clone(tmp_path: Path) -> Clone:
    """A clone that has not run."""
    return write_clone(tmp_path / "clone")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The finished clone; tests do not change it."""
    clone = write_clone(tmp_path_factory.mktemp("workflow") / "clone")
    clone.snakemake()
    return clone


@pytest.fixture
def clone(template: Clone, tmp_path: Path) -> Clone:
    """A copy of the finished clone with its time stamps."""
    return Clone(Path(shutil.copytree(template.path, tmp_path / "clone", symlinks=True)))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests of a GPU where there is none; pytest reports how many. Long tests come first.

    One of the files whose tests run workflows, in minutes, would otherwise start last and run alone.
    """
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
    if not torch.cuda.is_available():
        left_out = [item for item in items if item.get_closest_marker("gpu")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
