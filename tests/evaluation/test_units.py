"""Units of the jackknife: groups, blocks of consecutive images, or images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.evaluation.units import MIN_BLOCKS, MIN_GROUPS, MIN_UNORDERED_GROUPS, Units, choose_units


def sizes(units: Units) -> list[int]:
    return np.bincount(units.index).tolist()


@pytest.mark.parametrize(("count", "ordered"), [(10, True), (6, True), (5, False), (3, False)])
def test_enough_groups_are_the_units(count: int, ordered: bool) -> None:
    groups = [f"video {k % count}" for k in range(35)]
    units = choose_units(groups, ordered, block=5)
    assert (units.kind, units.count) == ("group", count)
    assert sizes(units) == [35 // count + (k < 35 % count) for k in range(count)]
    assert units.index[: count + 2].tolist() == [*range(count), 0, 1]


def test_an_image_without_a_group_is_a_group_of_its_own() -> None:
    """The expression for the group does not match two of the names."""
    units = choose_units(["p2", "p1", "", "p1", "p2", ""], ordered=False, block=5)
    assert units.kind == "group"
    assert units.index.tolist() == [1, 0, 2, 0, 1, 3]


def test_fewer_groups_are_cut_into_blocks_of_consecutive_images() -> None:
    """The test split of CamVid: 62 and 171 frames of two sequences."""
    units = choose_units(["0001TP"] * 62 + ["Seq05VD"] * 171, ordered=True, block=10)
    assert (units.kind, units.length, units.count) == ("block", 10, 6 + 17)
    assert sizes(units) == [11, 10, 10, 11, 10, 10, 11, *[10] * 16]
    assert (np.diff(units.index) >= 0).all()


def test_blocks_do_not_mix_groups_whose_images_alternate() -> None:
    units = choose_units(["a", "b"] * 20, ordered=True, block=4)
    assert units.count == 10
    assert units.index[:10].tolist() == [0, 5, 0, 5, 0, 5, 0, 5, 1, 6]


def test_a_group_smaller_than_a_block_is_one() -> None:
    units = choose_units(["a"] * 3 + ["b"] * 95, ordered=True, block=10)
    assert sizes(units)[0] == 3
    assert units.count == 1 + 9


def test_blocks_of_a_small_split_are_shorter() -> None:
    units = choose_units(["a"] * 25, ordered=True, block=10)
    assert (units.kind, units.length, units.count) == ("block", 2, 12)


@pytest.mark.parametrize(
    ("groups", "ordered"),
    [
        (["a"] * 30, False),  # the order is unknown
        (["a"] * 20 + ["b"] * 10, False),
        ([""] * 30, True),  # the groups are unknown
        (["a"] * 12, True),  # too few for ten blocks of two
    ],
)
def test_otherwise_images_are_the_units(groups: list[str], ordered: bool) -> None:
    units = choose_units(groups, ordered, block=3)
    assert (units.kind, units.length) == ("image", 1)
    assert units.index.tolist() == list(range(len(groups)))


@given(st.lists(st.sampled_from("abcdefghijkl"), min_size=1, max_size=80), st.booleans(), st.integers(1, 12))
def test_units_partition_the_images_and_respect_groups(groups: list[str], ordered: bool, block: int) -> None:
    units = choose_units(groups, ordered, block)
    assert set(units.index) == set(range(units.count))
    if units.kind == "group":
        assert units.count == len(set(groups)) >= (MIN_GROUPS if ordered else MIN_UNORDERED_GROUPS)
    else:
        assert units.count >= min(MIN_BLOCKS, len(groups))
    assert all(len({groups[i] for i in np.flatnonzero(units.index == unit)}) == 1 for unit in range(units.count))
    counts = np.arange(len(groups) * 6).reshape(-1, 3, 2)
    expected = [counts[units.index == unit].sum(0) for unit in range(units.count)]
    assert np.array_equal(units.sum(counts), expected)
