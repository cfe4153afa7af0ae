"""Warnings on the page about the data of a study: few labelled pixels, and classes that a split lacks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from seg.data.pack_format import read_pack_info
from seg.report.formatting import count
from seg.results import Statistics

FEW_LABELS = 0.05  # share of the training pixels; the fully labelled datasets here have 0.7 or more
_EFFECT = {
    "validation": "the loss curves and early stopping do not show how well they are learned",
    "evaluation": "their IoU is absent, or 0 where a model predicts them",
}


def data_warnings(statistics: Statistics, packs: Mapping[str, Path]) -> list[str]:
    """One sentence per warning.

    Args:
        statistics: those of the training pack.
        packs: `.json` of the other packs by use, `validation` or `evaluation`.

    Raises:
        ValueError: a pack is missing or damaged, or has other classes.
    """
    warnings = []
    pixels, labelled = statistics.images * statistics.height * statistics.width, sum(statistics.pixels)
    if labelled < FEW_LABELS * pixels:
        share = f"{100 * labelled / pixels:.2g}% of the training pixels ({count(labelled)} of {count(pixels)})"
        warnings.append(f"Only {share} are labelled; the scores may depend on which.")
    if absent := _absent(statistics.classes, statistics.pixels):
        warnings.append(f"Classes that the training split lacks: {', '.join(absent)}. They cannot be learned.")
    for use, path in packs.items():
        info = read_pack_info(path)
        if tuple(info["classes"]) != statistics.classes:
            raise ValueError(f"{path}: its classes are not those of the training pack; delete both packs and run again")
        found = _absent(statistics.classes, [info["id_pixels"][i] for i in info["scored"]])
        if lacking := [name for name in found if name not in absent]:
            named = f"Classes of the training split that the {use} split lacks: {', '.join(lacking)}"
            warnings.append(f"{named}. Therefore {_EFFECT[use]}.")
    return warnings


def _absent(classes: Sequence[str], pixels: Sequence[Any]) -> list[str]:
    return [name for name, number in zip(classes, pixels, strict=True) if not number]
