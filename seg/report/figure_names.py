"""Names of the figures that are files; a module of its own, because every start of Snakemake imports it.

A figure `<name>` is `figures/<name>.svg` and `figures/<name>.png` in the directory of its study or preset.
"""

STUDY_FIGURES = ("scores", "pairs", "class_iou", "class_boundary_iou", "confusion", "curves")
PRESET_FIGURES = ("cost",)
FORMATS = (".svg", ".png")


def suffixes(names: tuple[str, ...]) -> tuple[str, ...]:
    """What is added to the directory of the figures: `/scores.svg`, `/scores.png` and so on."""
    return tuple(f"/{name}{suffix}" for name in names for suffix in FORMATS)
