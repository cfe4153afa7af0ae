import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from seg.data.snow import add_snow, add_snow_tensors, snow_tables

Colour = tuple[int, int, int]


def pixel(colour: Colour, threshold: float, brightness: float) -> Colour:
    tables = snow_tables(np.array([threshold]), brightness)
    return tuple(add_snow(np.array(colour, np.uint8).reshape(1, 1, 1, 3), tables).ravel().tolist())


def noise(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("colour", "brightness", "expected"),
    [
        ((0, 0, 0), 2.5, (0, 0, 0)),
        ((60, 60, 60), 2.0, (120, 120, 120)),
        ((40, 20, 10), 2.5, (100, 50, 25)),  # below the middle, only a factor
        ((120, 120, 120), 2.5, (255, 255, 255)),
        # Lightness 65 -> 130, saturation 35/65: channels 130 +- 125 * 35/65 and 130 - 125 * 15/65.
        ((100, 50, 30), 2.0, (197, 101, 63)),
        ((127, 127, 127), 1.5, (190, 190, 190)),  # 190.5, to even
        ((128, 128, 128), 1.5, (128, 128, 128)),  # above the threshold of 127.5
        ((255, 250, 245), 2.5, (255, 250, 245)),
    ],
)
def test_colours_by_hand(colour: Colour, brightness: float, expected: Colour) -> None:
    assert pixel(colour, 0.5, brightness) == expected


def test_lightness_is_multiplied_in_hls() -> None:
    images, thresholds = noise(6), np.array([0.1, 0.3, 0.5, 0.7, 0.9, 1.0])
    for image, snowy, threshold in zip(images, add_snow(images, snow_tables(thresholds, 2.5)), thresholds, strict=True):
        hls = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HLS)
        lightness = (image.max(-1).astype(int) + image.min(-1)) // 2
        hls[..., 1] = np.where(lightness < 255 * threshold, np.minimum(2.5 * hls[..., 1], 1), hls[..., 1])
        difference = np.abs(snowy - 255 * cv2.cvtColor(hls, cv2.COLOR_HLS2RGB))
        assert difference.max() < 3  # lightness is rounded down to a level, and multiplied
        assert difference.mean() < 0.7


@given(st.tuples(*[st.integers(0, 255)] * 3), st.floats(0.01, 1), st.floats(1, 10))
def test_snow_only_brightens_and_keeps_the_order_of_the_channels(
    colour: Colour, threshold: float, brightness: float
) -> None:
    snowy = pixel(colour, threshold, brightness)
    lightness = (max(colour) + min(colour)) // 2
    if lightness >= 255 * threshold:
        assert snowy == colour
    assert all(after >= before - 1 for before, after in zip(colour, snowy, strict=True))
    assert np.diff(np.array(snowy)[np.argsort(colour)]).min() >= 0
    expected = min(brightness * (max(colour) + min(colour)) / 2, 255) if lightness < 255 * threshold else lightness
    assert abs((max(snowy) + min(snowy)) / 2 - expected) <= 0.5 * brightness + 1


def test_snow_changes_copies_of_the_drawn_samples_only() -> None:
    images = noise(3)
    before = images.copy()
    snowy = add_snow(images, snow_tables(np.array([0.0, 0.8, 0.0]), 2.5))
    assert np.array_equal(images, before)
    assert np.array_equal(snowy[[0, 2]], images[[0, 2]])
    assert snowy[1].mean() > images[1].mean() + 30


def test_more_snow_with_a_higher_threshold() -> None:
    images = np.repeat(noise(1), 4, 0)
    means = add_snow(images, snow_tables(np.array([0.2, 0.4, 0.6, 0.8]), 2.5)).mean((1, 2, 3))
    assert (np.diff(means) > 1).all()


@pytest.mark.parametrize("brightness", [1.0, 1.7, 2.5])
def test_snow_on_tensors_equals_snow_on_arrays(brightness: float) -> None:
    images = noise(5, 33, 65)
    tables = snow_tables(np.array([0.0, 0.3, 0.5, 0.8, 1.0]), brightness)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    snowy = add_snow_tensors(pixels, tables)
    assert snowy.dtype == torch.uint8
    assert snowy.is_contiguous(memory_format=torch.channels_last)
    assert np.array_equal(pixels.permute(0, 2, 3, 1), images)
    difference = np.abs(snowy.permute(0, 2, 3, 1).numpy().astype(int) - add_snow(images, tables))
    assert difference.max() <= 1  # a processor may add before it rounds
    assert (difference > 0).mean() < 1e-3
