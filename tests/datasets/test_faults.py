"""Errors about many files are grouped by fault."""

from hypothesis import given
from hypothesis import strategies as st

from seg.datasets.faults import group_faults


def test_few_files_are_all_named() -> None:
    lines = [f"labels/{k}.png: got id {k} ({k} pixels), expected 0 to 1; fix the label" for k in range(10)]
    assert group_faults(lines) == lines


def test_of_many_files_three_are_named() -> None:
    bad = [f"labels/{k}.png: got id {k} ({k} pixels), expected 0 to 1; fix the label" for k in range(700)]
    other = "labels/x.png: cannot be decoded (empty)"
    assert group_faults([*bad[:2], other, *bad[2:]]) == [
        *bad[:2],
        other,
        bad[2],
        "697 more files: got id … (… pixels), expected … to …; fix the label",
    ]


def test_messages_of_several_lines() -> None:
    assert group_faults(["a: x\nb: y", "a: x"]) == ["a: x", "b: y"]


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=60))
def test_no_fault_is_lost(faults: list[str]) -> None:
    shown = group_faults([f"{k}.png: {fault}" for k, fault in enumerate(faults)])
    assert {line.rpartition(": ")[2] for line in shown} == set(faults)
    assert len(shown) <= 3 * 10
