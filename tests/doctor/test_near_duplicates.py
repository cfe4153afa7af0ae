"""Near-duplicates across splits, compared with all pairs of hashes."""

import cv2
import numpy as np

from seg.doctor.near_duplicates import difference_hashes, near_duplicates


def looks(count: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 6, 6), np.uint8)
    return np.array([cv2.resize(each, (32, 32), interpolation=cv2.INTER_CUBIC) for each in coarse])


def test_hashes_are_signs_of_differences_from_left_to_right() -> None:
    ramp = np.tile(np.arange(32, dtype=np.uint8) * 8, (32, 1))
    assert difference_hashes(np.array([ramp, ramp[:, ::-1]])).tolist() == [[255] * 8, [0] * 8]


def test_copies_and_similar_images_are_found_in_later_splits_only() -> None:
    every = looks(60)
    noise = np.random.default_rng(1).integers(-1, 2, (32, 32))
    every[40] = np.clip(every[3].astype(int) + noise, 0, 255)  # val, of train
    every[50] = np.clip(every[7].astype(int) + 6, 0, 255)  # test, of train
    every[5] = every[4]  # both in train
    splits = np.repeat([0, 1, 2], [40, 10, 10])
    found = near_duplicates(every, splits)
    assert [tuple(pair) for pair in found] == [(3, 40, True), (7, 50, False)]


def test_every_pair_of_close_hashes_is_compared() -> None:
    generator = np.random.default_rng(2)
    first = looks(20, seed=5)
    second = np.clip(first.astype(int) + generator.integers(-4, 5, first.shape), 0, 255).astype(np.uint8)
    bits = np.unpackbits(difference_hashes(first) ^ difference_hashes(second), axis=1).sum(1)
    found = near_duplicates(np.concatenate([first, second]), np.repeat([0, 1], 20))
    assert [pair.first for pair in found] == np.flatnonzero(bits <= 7).tolist()


def test_images_without_contrast_are_no_duplicates() -> None:
    assert near_duplicates(np.full((4, 32, 32), 9, np.uint8), np.array([0, 0, 1, 2])) == []
    assert near_duplicates(np.empty((0, 32, 32), np.uint8), np.array([], int)) == []
