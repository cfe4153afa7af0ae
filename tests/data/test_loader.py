"""Batches: order and pixels of the samples, independent of workers, batch size and restarts."""

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import ResNet34_Weights

from seg.config.recipe import Affine, Augmentation, Crop, Interval, Rotation, Snow
from seg.data.loader import SCALING, Batch, Loader, epoch_order, scaled
from seg.data.pack_format import Pack, memory_map

CPU = torch.device("cpu")
SNOW = Snow(p=0.5, threshold=Interval(low=0.4, high=0.9))
STRONG = Augmentation(
    flip=0.5,
    vertical_flip=0.2,
    rotation=Rotation(p=0.7, degrees=20),
    affine=Affine(p=0.5, degrees=5, translation=0.1, scale=Interval(low=0.9, high=1.1), shear=5),
    snow=SNOW,
    crop=Crop(p=0.7, area=Interval(low=0.5, high=1), aspect=Interval(low=0.8, high=1.25)),
)


@pytest.fixture
def train(packs: tuple[Path, Path]) -> Pack:
    """12 images of 48x64."""
    return Pack(packs[0])


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.images, b.images) and torch.equal(a.labels, b.labels) and (a.samples == b.samples).all()
        for a, b in zip(one, other, strict=True)
    )


# Order


def test_an_order_is_a_permutation_of_the_seed_and_the_epoch_alone() -> None:
    orders = {(seed, epoch): tuple(epoch_order(50, seed, epoch)) for seed in (0, 1, 2**32 - 1) for epoch in range(4)}
    assert len(set(orders.values())) == 12
    assert all(sorted(order) == list(range(50)) for order in orders.values())
    np.random.seed(3)  # noqa: NPY002  # must have no effect
    torch.manual_seed(3)
    epoch_order(50, 1, 2)
    assert tuple(epoch_order(50, 1, 3)) == orders[1, 3]


def test_seed_and_epoch_are_not_interchangeable() -> None:
    assert (epoch_order(50, 1, 2) != epoch_order(50, 2, 1)).any()


# Pixels


def test_batches_hold_the_packs_pixels_in_the_given_order(train: Pack, packs: tuple[Path, Path]) -> None:
    images, labels = (memory_map(packs[0], part) for part in ("images", "labels"))
    order = np.array([7, 0, 11, 3, 3, 10, 1])
    batches = list(Loader(train, CPU).batches(order, 3))
    assert [batch.samples.tolist() for batch in batches] == [[7, 0, 11], [3, 3, 10], [1]]
    for batch in batches:
        assert batch.images.shape == (len(batch.samples), 3, 48, 64)
        assert batch.images.dtype == batch.labels.dtype == torch.uint8
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert (batch.images.permute(0, 2, 3, 1).numpy() == images[batch.samples]).all()
        assert (batch.labels.numpy() == labels[batch.samples]).all()


def test_an_epoch_sees_every_sample_once(train: Pack) -> None:
    batches = list(Loader(train, CPU).batches(epoch_order(len(train), 0, 0), 5))
    assert [len(batch.samples) for batch in batches] == [5, 5, 2]
    assert sorted(np.concatenate([batch.samples for batch in batches])) == list(range(12))


def test_changing_a_batch_does_not_change_the_next(train: Pack) -> None:
    loader = Loader(train, CPU)
    first = next(loader.batches(np.arange(2), 2))
    before = first.images.clone()
    for batch in loader.batches(np.arange(2), 2):
        batch.images.zero_()
    assert torch.equal(first.images, before)
    assert torch.equal(next(loader.batches(np.arange(2), 2)).images, before)


@pytest.mark.parametrize("augmentation", [None, Augmentation(), STRONG], ids=["none", "off", "strong"])
def test_the_number_of_workers_changes_nothing(train: Pack, augmentation: Augmentation | None) -> None:
    order = epoch_order(len(train), 1, 2)
    runs = [
        list(Loader(train, CPU, workers).batches(order, 2, augmentation=augmentation, seed=1, epoch=2))
        for workers in (0, 1, 3)
    ]
    assert same(runs[0], runs[1])
    assert same(runs[0], runs[2])


def test_a_samples_change_is_drawn_from_seed_epoch_and_sample_alone(train: Pack) -> None:
    def by_sample(order: np.ndarray, batch: int, **draw: int) -> torch.Tensor:
        batches = list(Loader(train, CPU).batches(order, batch, augmentation=STRONG, **draw))
        samples = np.concatenate([batch.samples for batch in batches])
        return torch.cat([batch.images for batch in batches])[np.argsort(samples)]

    alone = by_sample(np.arange(12), 1, seed=4, epoch=5)
    assert torch.equal(alone, by_sample(epoch_order(12, 0, 0), 5, seed=4, epoch=5))
    assert not torch.equal(alone, by_sample(np.arange(12), 1, seed=4, epoch=6))
    assert not torch.equal(alone, by_sample(np.arange(12), 1, seed=5, epoch=5))


@pytest.mark.parametrize("resident", [False, True])
def test_snow_changes_images_and_not_labels(train: Pack, resident: bool) -> None:
    loader = Loader(train, CPU)
    if resident:
        loader._resident = loader._upload()

    def batch(augmentation: Augmentation) -> Batch:
        return next(loader.batches(np.arange(12), 12, augmentation=augmentation, seed=1, epoch=1))

    for warped in (Augmentation(), STRONG.model_copy(update={"snow": None})):
        sunny, snowy = batch(warped), batch(warped.model_copy(update={"snow": SNOW}))
        assert torch.equal(sunny.labels, snowy.labels)
        brighter = (snowy.images.float() - sunny.images.float()).mean((1, 2, 3))
        changed = (snowy.images != sunny.images).flatten(1).any(1)
        assert 2 < changed.sum() < 10
        assert (brighter[changed] > 1).all()
    assert torch.equal(
        batch(Augmentation()).images, batch(Augmentation(snow=SNOW.model_copy(update={"p": 0.0}))).images
    )


def test_processes_share_every_batch(train: Pack) -> None:
    order = np.array([5, 3, 8, 1, 9, 0, 2])

    def shares(batch: int, processes: int) -> list[list[list[int]]]:
        return [
            [part.samples.tolist() for part in Loader(train, CPU).batches(order, batch, share=(rank, processes))]
            for rank in range(processes)
        ]

    assert shares(4, 2) == [[[5, 8], [9, 2]], [[3, 1], [0]]]
    assert shares(6, 2) == [[[5, 8, 9], [2]], [[3, 1, 0], []]]  # the last batch has one image
    assert shares(4, 3) == [[[5, 1], [9]], [[3], [0]], [[8], [2]]]


def test_a_pack_in_the_devices_memory_gives_the_same_batches(train: Pack) -> None:
    plain, resident = Loader(train, CPU), Loader(train, CPU)
    resident._resident = resident._upload()  # as on a GPU where the pack fits
    order = epoch_order(len(train), 0, 0)
    assert same(list(plain.batches(order, 5)), list(resident.batches(order, 5)))
    draw = {"augmentation": STRONG, "seed": 1, "epoch": 1}
    for one, other in zip(plain.batches(order, 5, **draw), resident.batches(order, 5, **draw), strict=True):
        assert other.images.dtype == torch.uint8
        # Sampling differs by OpenCV's steps of 1/32 pixel, on noise of 40 levels and edges between colours.
        assert (one.images.int() - other.images.int()).abs().float().mean() < 2
        assert (one.labels == other.labels).float().mean() > 0.98


# Scaling


@pytest.mark.parametrize(
    ("scaling", "black", "white"),
    [
        ("unit", [0, 0, 0], [1, 1, 1]),
        ("symmetric", [-1, -1, -1], [1, 1, 1]),
        # (0 - 0.485) / 0.229 and so on, as torchvision's weights expect.
        ("imagenet", [-2.1179039, -2.0357143, -1.8044444], [2.2489083, 2.4285714, 2.64]),
    ],
)
def test_scaling_at_its_ends(scaling: str, black: list[float], white: list[float]) -> None:
    ends = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 5)
    out = scaled(ends.contiguous(memory_format=torch.channels_last), scaling)
    assert out.dtype == torch.float32
    assert out.is_contiguous(memory_format=torch.channels_last)
    for values, expected in zip(out, (black, white), strict=True):
        torch.testing.assert_close(
            values, torch.tensor(expected, dtype=torch.float32).view(3, 1, 1).expand(3, 4, 5), atol=2e-6, rtol=0
        )


def test_imagenet_is_what_torchvisions_weights_expect() -> None:
    transform = ResNet34_Weights.IMAGENET1K_V1.transforms()
    assert [list(values) for values in SCALING["imagenet"]] == [transform.mean, transform.std]


def test_scaling_keeps_every_level_apart() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).expand(1, 3, 16, 16)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = (np.arange(256)[:, None] / 255 - mean) / std
    np.testing.assert_allclose(scaled(levels, "imagenet").view(3, 256).T.numpy(), expected, atol=1e-6)


# Threads, files and errors


def test_stopping_early_leaves_no_thread(train: Pack) -> None:
    before = threading.active_count()
    batches = Loader(train, CPU, workers=3).batches(np.arange(12), 1)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_closed_packs_close_their_files(packs: tuple[Path, Path]) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(20):
        Pack(packs[0])
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("workers", [0, 2])
def test_a_pack_that_is_truncated_while_it_is_read(packs: tuple[Path, Path], tmp_path: Path, workers: int) -> None:
    folder = shutil.copytree(packs[0].parent, tmp_path / "packs")
    batches = Loader(Pack(folder / "train.json"), CPU, workers).batches(np.arange(12), 4)
    os.truncate(folder / "train.images.npy", 128 + 6 * 48 * 64 * 3 + 5)
    if not workers:
        assert next(batches).samples.tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match="pack 'train': sample 6 is truncated; delete the pack and run again"):
        list(batches)


@pytest.mark.parametrize("part", ["images", "labels"])
def test_a_truncated_pack_is_refused_before_the_first_batch(
    packs: tuple[Path, Path], tmp_path: Path, part: str
) -> None:
    folder = shutil.copytree(packs[0].parent, tmp_path / "packs")
    path = folder / f"train.{part}.npy"
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(ValueError, match=r"cannot be read \(.*\); delete the pack and run again") as caught:
        Pack(folder / "train.json")
    assert str(caught.value).startswith(f"{path}: ")


def test_size_and_classes_of_a_pack(train: Pack) -> None:
    assert (len(train), train.height, train.width, train.nbytes) == (12, 48, 64, 12 * 48 * 64 * 4)
    assert train.classes[:2] == ["sky", "building"]
