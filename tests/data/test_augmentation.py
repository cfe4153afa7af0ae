import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as torchvision

from seg.config.recipe import Affine, Augmentation, Crop, Interval, Rotation, Snow
from seg.data.augmentation import (
    affine_matrices,
    affine_matrix,
    has_effect,
    has_warp,
    random_numbers,
    snow_thresholds,
    warp,
    warp_tensors,
)

CROP = Crop(p=0.9, area=Interval(low=0.2, high=1.0), aspect=Interval(low=0.7, high=1.4))
EVERYTHING = Augmentation(flip=0.5, rotation=Rotation(p=0.8, degrees=30.0), crop=CROP)
AFFINE = Affine(p=0.7, degrees=15.0, translation=0.1, scale=Interval(low=0.8, high=1.25), shear=10.0)
SNOW = Snow(p=0.4, threshold=Interval(low=0.3, high=0.8))
MORE = EVERYTHING.model_copy(update={"vertical_flip": 0.5, "affine": AFFINE, "snow": SNOW})


def draw(augmentation: Augmentation, samples: object, height: int = 64, width: int = 96, **key: int) -> np.ndarray:
    drawn = random_numbers(np.array(samples), **({"seed": 1, "epoch": 2} | key))
    return affine_matrices(augmentation, drawn, height=height, width=width)


def scenes(count: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random images and labels in patches."""
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    patches = rng.integers(0, 19, (count, height // 8, width // 8), dtype=np.uint8)
    images = np.stack([cv2.GaussianBlur(image, (0, 0), 2) for image in noise])
    return images, patches.repeat(8, 1).repeat(8, 2)


def warp_one(image: np.ndarray, label: np.ndarray, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    images, labels = warp(image[None], label[None], matrix[None])
    return images[0], labels[0]


def sampling_points(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """Input coordinates x and y (2, H, W) of every output pixel."""
    y, x = np.mgrid[:height, :width]
    return np.einsum("ij,jhw->ihw", matrix, np.stack([x, y, np.ones_like(x)]))


def bilinear(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Reference in float64: (H, W, 3), 0 outside."""
    height, width = image.shape[:2]
    x, y = sampling_points(matrix, height, width)
    padded = np.pad(image.astype(np.float64), ((1, 2), (1, 2), (0, 0)))
    x, y = np.clip(x, -1, width) + 1, np.clip(y, -1, height) + 1
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    u, v = (x - left)[..., None], (y - top)[..., None]
    upper = padded[top, left] * (1 - u) + padded[top, left + 1] * u
    lower = padded[top + 1, left] * (1 - u) + padded[top + 1, left + 1] * u
    return upper * (1 - v) + lower * v


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_right_angles_are_exact(turns: int) -> None:
    (image,), (label,) = scenes(1, 48, 48)
    matrix = affine_matrix(48, 48, degrees=90 * turns)
    warped_image, warped_label = warp_one(image, label, matrix)
    assert np.array_equal(warped_image, np.rot90(image, turns))
    assert np.array_equal(warped_label, np.rot90(label, turns))


def test_a_flip_is_the_mirror_image_and_twice_the_original() -> None:
    images, labels = scenes(1, 40, 56)
    flip = affine_matrix(40, 56, flip=True)[None]
    flipped = warp(images, labels, flip)
    assert np.array_equal(flipped[0], images[:, :, ::-1])
    assert np.array_equal(flipped[1], labels[:, :, ::-1])
    assert all(np.array_equal(*pair) for pair in zip(warp(*flipped, flip), (images, labels), strict=True))


def test_vertical_flips_are_exact_alone_and_with_the_other() -> None:
    images, labels = scenes(1, 40, 56)
    pixels, ids = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    for flip, across in ((False, 1), (True, -1)):
        matrix = affine_matrix(40, 56, flip=flip, vertical_flip=True)[None]
        expected = images[:, ::-1, ::across], labels[:, ::-1, ::across]
        assert all(np.array_equal(*pair) for pair in zip(warp(images, labels, matrix), expected, strict=True))
        warped, warped_ids = warp_tensors(pixels, ids, matrix)
        assert np.array_equal(warped.permute(0, 2, 3, 1), expected[0])
        assert np.array_equal(warped_ids, expected[1])


def test_an_affine_step_by_hand() -> None:
    # Of a 5x5 image, centre (2, 2): where the pixel (3, 2) of the output comes from.
    point = np.array([3, 2, 1])
    for affine, expected in (
        ((0, 1, -1, 1, 0), (2, 3)),  # shifted to the right and up
        ((90, 0, 0, 1, 0), (2, 3)),  # counter-clockwise: the pixel below the centre moves to its right
        ((0, 0, 0, 0.5, 0), (4, 2)),  # at half the size, twice as far out
        ((0, 0, 0, 1, 45), (3, 2)),  # sheared along x: the centre's row stays
        ((90, 0, 0, 1, 45), (3, 3)),  # sheared first, (3, 3) -> (2, 3), then turned
        ((90, 1, 0, 1, 0), (2, 2)),  # shifted last
    ):
        assert np.allclose(affine_matrix(5, 5, affine=affine) @ point, expected), affine


@given(
    st.tuples(st.floats(-180, 180), st.integers(-20, 20), st.integers(-20, 20), st.floats(0.25, 4), st.floats(-60, 60)),
    st.integers(1, 300),
    st.integers(1, 300),
)
def test_an_affine_step_undoes_shear_scale_rotation_and_shift_about_the_centre(
    affine: tuple[float, float, float, float, float], height: int, width: int
) -> None:
    degrees, right, down, scale, shear = affine
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear = np.array([[cos, sin], [-sin, cos]]) * scale @ np.array([[1, -np.tan(np.radians(shear))], [0, 1]])
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = affine_matrix(height, width, affine=affine)
    assert np.allclose(matrix[:, :2] @ linear, np.eye(2))
    assert np.allclose(matrix @ np.append(centre + np.array([right, down]), 1), centre)


@pytest.mark.parametrize("size", [(64, 96), (47, 63)])
@pytest.mark.parametrize(
    "affine", [(20, 0, 0, 1, 0), (0, 7, -5, 1, 0), (0, 0, 0, 0.7, 0), (0, 0, 0, 1, 25), (-35, -6, 9, 1.3, -20)]
)
def test_an_affine_step_is_torchvisions(
    affine: tuple[float, float, float, float, float], size: tuple[int, int]
) -> None:
    images, labels = (np.ascontiguousarray(part[:, : size[0], : size[1]]) for part in scenes(2, 64, 96))
    pixels, ids = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    degrees, right, down, scale, shear = affine
    values = {"angle": -degrees, "translate": [right, down], "scale": scale, "shear": [shear, 0.0]}
    expected = torchvision.affine(pixels, **values, interpolation=InterpolationMode.BILINEAR).int()
    expected_ids = torchvision.affine(ids, **values, interpolation=InterpolationMode.NEAREST, fill=255)
    matrices = np.repeat(affine_matrix(*size, affine=affine)[None], 2, 0)
    warped, warped_ids = warp_tensors(pixels, ids, matrices)
    assert (warped - expected).abs().max() <= 1
    assert (warped_ids != expected_ids).float().mean() < 2e-3
    sampled, sampled_ids = warp(images, labels, matrices)
    assert (torch.from_numpy(sampled).permute(0, 3, 1, 2) - expected).abs().float().mean() < 0.5
    assert (torch.from_numpy(sampled_ids) != expected_ids).float().mean() < 0.02


def test_an_integer_crop_at_its_own_size_moves_pixels() -> None:
    (image,), (label,) = scenes(1, 16, 24)
    shifted_image, shifted_label = warp_one(image, label, affine_matrix(16, 24, crop=(3, -2, 24, 16)))
    assert np.array_equal(shifted_image[2:, :-3], image[:-2, 3:])
    assert np.array_equal(shifted_label[2:, :-3], label[:-2, 3:])
    assert (shifted_image[:2] == 0).all()
    assert (shifted_label[:, -3:] == 255).all()


def test_a_crop_of_a_quarter_doubles_each_label() -> None:
    (image,), (label,) = scenes(1, 32, 48)
    _, doubled = warp_one(image, label, affine_matrix(32, 48, crop=(8, 8, 24, 16)))
    assert np.array_equal(doubled, label[8:24, 8:32].repeat(2, 0).repeat(2, 1))


def test_the_full_crop_is_the_identity() -> None:
    for size in ((32, 32), (64, 128)):
        aspect = Interval(low=size[1] / size[0], high=size[1] / size[0])
        crop = Crop(p=1.0, area=Interval(low=1.0, high=1.0), aspect=aspect)
        assert np.allclose(draw(Augmentation(crop=crop), range(5), *size), np.eye(3)[:2], atol=1e-12)


def test_the_steps_are_flips_then_rotation_then_affine_then_crop() -> None:
    affine, crop = (10, 3, -4, 1.2, 8), (10, 5, 48, 32)
    steps = {"flip": True, "vertical_flip": True, "degrees": 20, "affine": affine, "crop": crop}
    whole = affine_matrix(64, 96, **steps)
    parts = [np.vstack([affine_matrix(64, 96, **{step: value}), [0, 0, 1]]) for step, value in steps.items()]
    assert np.allclose(whole, np.linalg.multi_dot(parts)[:2])


def test_bilinear_sampling_is_exact_to_the_rounding() -> None:
    images, labels = scenes(8, 64, 96)
    matrices = draw(MORE, range(8))
    for image, warped, matrix in zip(images, warp(images, labels, matrices)[0], matrices, strict=True):
        assert np.abs(warped - bilinear(image, matrix)).max() < 0.51


def test_image_and_labels_are_sampled_at_the_same_points() -> None:
    # Ramps in x and y as image and as labels: nearest sampling reads a value within half a pixel of the point.
    y, x = np.mgrid[:64, :96].astype(np.uint8)
    matrices = draw(MORE, range(16))
    points = np.stack([sampling_points(matrix, 64, 96) for matrix in matrices])
    inside = (points >= 0).all(1) & (points[:, 0] <= 95) & (points[:, 1] <= 63)
    images = np.repeat(np.stack([x, y, x], -1)[None], 16, 0)
    for axis, ramp in enumerate((x, y)):
        warped, labels = warp(images, np.repeat(ramp[None], 16, 0), matrices)
        for sampled in (warped[..., axis], labels):
            difference = (sampled - points[:, axis])[inside]
            assert np.abs(difference).max() < 0.501
            assert abs(difference.mean()) < 0.01
        assert (labels[(points < -0.51).any(1)] == 255).all()


def test_unchanged_samples_pass_through() -> None:
    images, labels = scenes(2, 40, 56)
    matrices = draw(Augmentation(), range(2), 40, 56)
    assert np.array_equal(matrices, np.broadcast_to(np.eye(3)[:2], (2, 2, 3)))
    warped = warp(images, labels, matrices)
    assert np.array_equal(warped[0], images)
    assert np.array_equal(warped[1], labels)


def test_a_draw_depends_on_seed_epoch_and_sample_alone() -> None:
    batch = draw(MORE, [3, 100_000, 7])
    assert np.array_equal(batch[::-1], draw(MORE, [7, 100_000, 3]))
    assert np.array_equal(batch[2:], draw(MORE, [7]))
    assert not np.allclose(batch, draw(MORE, [3, 100_000, 7], epoch=3))
    assert not np.allclose(batch, draw(MORE, [3, 100_000, 7], seed=2))


def test_random_numbers_of_the_first_version_are_unchanged() -> None:
    # Drawn before there were a vertical flip, an affine step and snow: seed 1, epoch 2, sample 2, of 64x96.
    expected = [
        [-0.5560476317870001, -0.15863665227449267, 66.05332436998857],
        [-0.13191927878066997, 0.6686629553100221, 23.280842826171778],
    ]
    assert np.allclose(draw(EVERYTHING, [2])[0], expected, rtol=0, atol=1e-12)
    still = Affine(p=1.0, scale=Interval(low=1.0, high=1.0))
    more = EVERYTHING.model_copy(update={"affine": still, "snow": SNOW})
    assert np.allclose(draw(more, range(50)), draw(EVERYTHING, range(50)), rtol=0, atol=1e-9)


def test_disabling_a_step_does_not_change_the_others() -> None:
    full = draw(EVERYTHING, range(50))
    without = draw(EVERYTHING.model_copy(update={"rotation": None}), range(50))
    assert np.array_equal(np.linalg.det(full[:, :, :2]) < 0, np.linalg.det(without[:, :, :2]) < 0)


def test_draws_follow_the_recipe() -> None:
    count = 4000
    flips = draw(Augmentation(flip=0.3), range(count))[:, 0, 0] < 0
    assert abs(flips.mean() - 0.3) < 0.03
    turned = draw(Augmentation(rotation=Rotation(p=0.6, degrees=20.0)), range(count))
    angles = np.degrees(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert abs((angles != 0).mean() - 0.6) < 0.03
    assert np.abs(angles).max() <= 20
    assert abs(angles[angles != 0].std() - 20 / 3**0.5) < 0.4
    crop = Crop(p=1.0, area=Interval(low=0.1, high=0.3), aspect=Interval(low=0.5, high=2.0))
    cropped = draw(Augmentation(crop=crop), range(count), 64, 64)
    areas, aspects = cropped[:, 0, 0] * cropped[:, 1, 1], cropped[:, 0, 0] / cropped[:, 1, 1]
    assert areas.min() >= 0.1
    assert areas.max() <= 0.3
    assert abs(areas.mean() - 0.2) < 0.005
    assert abs(np.log(aspects).mean()) < 0.03
    assert abs(np.log(aspects).std() - np.log(4) / 12**0.5) < 0.02


def test_new_draws_follow_the_recipe() -> None:
    count, within = 4000, 1 / 3**0.5  # the standard deviation of a uniform draw from [-1, 1]
    flips = draw(Augmentation(vertical_flip=0.3), range(count))[:, 1, 1] < 0
    assert abs(flips.mean() - 0.3) < 0.03
    turned = draw(Augmentation(affine=Affine(p=0.6, degrees=20.0)), range(count))
    angles = np.degrees(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    assert abs((angles != 0).mean() - 0.6) < 0.03
    assert np.abs(angles).max() <= 20
    assert abs(angles[angles != 0].std() - 20 * within) < 0.4
    shifts = draw(Augmentation(affine=Affine(p=1.0, translation=0.25)), range(count), 64, 96)[:, :, 2]
    assert (shifts == shifts.round()).all()
    assert (np.abs(shifts).max(0) == [24, 16]).all()
    assert np.allclose(shifts.std(0), np.array([24, 16]) * within, rtol=0.05)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.05
    grown = draw(Augmentation(affine=Affine(p=1.0, scale=Interval(low=0.5, high=2.0))), range(count))
    scales = 1 / grown[:, 0, 0]
    assert scales.min() >= 0.5
    assert scales.max() <= 2
    assert abs(scales.mean() - 1.25) < 0.03
    sheared = draw(Augmentation(affine=Affine(p=1.0, shear=30.0)), range(count))
    slopes = np.degrees(np.arctan(sheared[:, 0, 1]))
    assert (sheared[:, 1, :2] == [0, 1]).all()
    assert np.abs(slopes).max() <= 30
    assert abs(slopes.std() - 30 * within) < 0.6
    thresholds = snow_thresholds(SNOW, random_numbers(np.arange(count), seed=1, epoch=2))
    snowy = thresholds[thresholds > 0]
    assert abs(len(snowy) / count - 0.4) < 0.03
    assert snowy.min() >= 0.3
    assert snowy.max() <= 0.8
    assert abs(snowy.mean() - 0.55) < 0.01


def test_steps_are_drawn_independently() -> None:
    samples, half = range(3000), {"p": 0.5}
    steps = [
        {"flip": 0.5},
        {"vertical_flip": 0.5},
        {"rotation": Rotation(degrees=9.0, **half)},
        {"affine": Affine(degrees=9.0, **half)},
        {"crop": CROP.model_copy(update=half)},
    ]
    changed = [(draw(Augmentation(**step), samples) != np.eye(3)[:2]).any((1, 2)) for step in steps]
    thresholds = snow_thresholds(SNOW, random_numbers(np.array(samples), seed=1, epoch=2))
    correlations = np.corrcoef([*changed, thresholds > 0, thresholds])[:6]
    correlations[5, 6] = 0  # a snowy sample has a threshold
    assert np.abs(correlations - np.eye(6, 7)).max() < 0.07


@pytest.mark.parametrize(
    ("augmentation", "moved", "changed"),
    [
        (Augmentation(), False, False),
        (Augmentation(flip=0.1), True, True),
        (Augmentation(vertical_flip=0.1), True, True),
        (Augmentation(rotation=Rotation(p=0.0, degrees=5.0)), False, False),
        (Augmentation(affine=AFFINE), True, True),
        (Augmentation(crop=CROP), True, True),
        (Augmentation(snow=SNOW), False, True),
        (Augmentation(snow=SNOW.model_copy(update={"p": 0.0})), False, False),
    ],
)
def test_steps_that_can_change_a_sample(augmentation: Augmentation, moved: bool, changed: bool) -> None:
    assert (has_warp(augmentation), has_effect(augmentation)) == (moved, changed)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"affine": {"p": 0.5}}, "affine has no effect; set degrees, translation, scale or shear"),
        ({"affine": {"p": 0.5, "shear": 90.0}}, "less than 90"),
        ({"affine": {"p": 0.5, "translation": 1.5}}, "less than or equal to 1"),
        ({"snow": {"p": 0.5, "threshold": {"low": 0.5, "high": 1.5}}}, "got up to 1.5, expected at most 1"),
        ({"snow": {"p": 0.5, "threshold": {"low": 0.5, "high": 0.9}, "brightness": 0.5}}, "greater than or equal to 1"),
    ],
)
def test_impossible_recipes_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Augmentation.model_validate(values)


def test_recipes_of_the_first_version_keep_their_meaning() -> None:
    first = {"flip": 0.2, "rotation": {"p": 0.2, "degrees": 10.0}, "crop": None}
    assert Augmentation.model_validate(first) == Augmentation(flip=0.2, rotation=Rotation(p=0.2, degrees=10.0))
    assert Augmentation.model_validate_json(MORE.model_dump_json()) == MORE


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 1), st.floats(0.1, 10))
def test_crops_are_inside_the_image(seed: int, height: int, width: int, area: float, aspect: float) -> None:
    crop = Crop(p=1.0, area=Interval(low=area, high=1.0), aspect=Interval(low=aspect, high=aspect * 1.1))
    corners = np.array([[-0.5, -0.5, 1], [width - 0.5, height - 0.5, 1]]).T
    (matrix,) = draw(Augmentation(crop=crop), [0], height, width, seed=seed)
    left, top, right, bottom = (matrix @ corners).T.ravel()
    assert -0.5 - 1e-9 <= left < right <= width - 0.5 + 1e-9
    assert -0.5 - 1e-9 <= top < bottom <= height - 0.5 + 1e-9
    assert aspect / 1.001 <= (right - left) / (bottom - top) <= aspect * 1.101


def test_a_crop_that_cannot_fit_falls_back_to_the_middle() -> None:
    crop = Crop(p=1.0, area=Interval(low=1.0, high=1.0), aspect=Interval(low=1.0, high=1.0))
    (matrix,) = draw(Augmentation(crop=crop), [0], 32, 64)
    assert np.allclose(matrix, affine_matrix(32, 64, crop=(16, 0, 32, 32)))


@pytest.mark.parametrize("threads", [1, 3])
def test_does_not_depend_on_threads(threads: int) -> None:
    images, labels = scenes(2, 512, 1024)
    matrices = draw(MORE, range(2), 512, 1024)
    expected, before = warp(images, labels, matrices), cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        assert all(np.array_equal(*pair) for pair in zip(warp(images, labels, matrices), expected, strict=True))
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize("size", [(64, 96), (63, 97)])
def test_warp_tensors_equals_warp(size: tuple[int, int]) -> None:
    images, labels = scenes(16, 64, 104)
    images, labels = (np.ascontiguousarray(part[:, : size[0], : size[1]]) for part in (images, labels))
    matrices = draw(MORE, range(16), *size)
    matrices[0], matrices[1] = affine_matrix(*size), affine_matrix(*size, flip=True)
    expected_images, expected_labels = warp(images, labels, matrices)
    pixels, ids = torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(labels)
    warped, warped_ids = warp_tensors(pixels, ids, matrices)
    assert warped.dtype == warped_ids.dtype == torch.uint8
    assert warped.is_contiguous(memory_format=torch.channels_last)
    difference = np.abs(warped.permute(0, 2, 3, 1).numpy().astype(int) - expected_images)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3
    assert (difference[:2] == 0).all()
    assert (warped_ids.numpy() != expected_labels).mean() < 1e-3
    assert np.array_equal(warped_ids[:2], expected_labels[:2])
    floats, _ = warp_tensors(pixels.float() / 255, ids, matrices)
    assert floats.dtype == torch.float32
    assert torch.allclose(floats * 255, warped.float(), atol=0.501)
