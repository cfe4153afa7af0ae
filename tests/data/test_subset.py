"""Subsets of a training split: whole groups, independent of everything but the names, and their pixel counts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.data.pack_format import Pack
from seg.data.subset import choose_subset, class_pixels

GROUPS = st.lists(st.sampled_from(["", *"abcdefgh"]), min_size=1, max_size=60)


def named(groups: list[str]) -> list[str]:
    return [f"{group or 'alone'}-{i:03}" for i, group in enumerate(groups)]


@given(GROUPS, st.integers(1, 70))
def test_groups_are_whole_but_for_the_last(groups: list[str], count: int) -> None:
    chosen = choose_subset(named(groups), groups, count)
    assert len(chosen) == min(count, len(groups))
    assert (np.diff(chosen) > 0).all()
    inside = {i: groups[i] for i in chosen.tolist()}
    cut = {group for i, group in enumerate(groups) if group and i not in inside} & set(inside.values())
    assert len(cut) <= 1


@given(GROUPS, st.integers(1, 70), st.randoms())
def test_a_subset_depends_on_names_and_groups_alone(groups: list[str], count: int, random: object) -> None:
    names = named(groups)
    chosen = {names[i] for i in choose_subset(names, groups, count)}
    shuffled = list(zip(names, groups, strict=True))
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    order = choose_subset([name for name, _ in shuffled], [group for _, group in shuffled], count)
    assert {shuffled[i][0] for i in order} == chosen


@given(GROUPS, st.integers(1, 70))
def test_a_larger_subset_contains_the_smaller(groups: list[str], count: int) -> None:
    smaller, larger = (set(choose_subset(named(groups), groups, n).tolist()) for n in (count, count + 1))
    assert smaller <= larger


def test_the_subset_of_today_stays_the_subset() -> None:
    """Another choice would make trainings on a subset differ from older ones."""
    names = [f"{group}-{i}" for group in "abcde" for i in range(3)]
    assert choose_subset(names, [name[0] for name in names], 7).tolist() == [7, 9, 10, 11, 12, 13, 14]
    assert choose_subset(names, [""] * 15, 4).tolist() == [0, 7, 12, 13]


def test_a_pack_of_a_subset_reads_its_samples(packs: tuple[Path, Path]) -> None:
    whole, part = Pack(packs[0]), Pack(packs[0], np.array([1, 4, 11]))
    assert (len(part), part.names) == (3, [whole.names[i] for i in (1, 4, 11)])
    assert part.nbytes * 4 == whole.nbytes
    for got, expected in zip(part.read(np.array([2, 0])), whole.read(np.array([11, 1])), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("samples", [[0], [1, 4, 11], list(range(11))], ids=len)
def test_class_pixels_are_those_of_the_samples(packs: tuple[Path, Path], samples: list[int]) -> None:
    labels = Pack(packs[0]).read_labels(np.array(samples))
    expected = [int((labels == k).sum()) for k in range(11)]
    assert class_pixels(Pack(packs[0], np.array(samples))).tolist() == expected


def test_class_pixels_of_a_whole_pack_are_those_in_its_description(packs: tuple[Path, Path]) -> None:
    labels = Pack(packs[0]).read_labels(np.arange(12))
    assert class_pixels(Pack(packs[0])).tolist() == [int((labels == k).sum()) for k in range(11)]
