"""PASCAL VOC segmentation: `VOCdevkit/VOC<year>/{JPEGImages,SegmentationClass,ImageSets/Segmentation}`.

21 classes including the background; 255 is the border of objects and is not scored. Label files are palette PNG whose
indices are the ids. Names, border and colours are those of the development kit.

Splits are the official lists. If no test labels are public, as in 2012, the official validation list is halved by the
hash of its names: one half is the test split, the other the validation split.
"""

from pathlib import Path

from seg.datasets.classes import ClassTable, bit_colour
from seg.datasets.layouts import unit_hash

_NAMES = (
    "background aeroplane bicycle bird boat bottle bus car cat chair cow diningtable dog horse motorbike person "
    "pottedplant sheep sofa train tvmonitor"
)
CLASSES = ClassTable(
    ids=tuple(_NAMES.split()), scored=tuple(range(21)), palette=tuple(map(bit_colour, range(21))), ignored=255
)


def find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and labels of a split by name, as listed. Raises ValueError for more than one year below `root`."""
    years = sorted((root / "VOCdevkit").glob("VOC[0-9]*"))
    if len(years) > 1:
        found = ", ".join(year.name for year in years)
        raise ValueError(f"{root}/VOCdevkit: got {found}, expected one year per dataset; move the others away")
    names = {name: year for year in years for name in _names(year, split)}
    images = {name: year / "JPEGImages" / f"{name}.jpg" for name, year in names.items()}
    return images, {name: _label(year, name) for name, year in names.items()}


def _names(year: Path, split: str) -> list[str]:
    public = any(_label(year, name).is_file() for name in _listed(year, "test"))
    if split == "train" or public:
        return _listed(year, split)
    val = sorted(set(_listed(year, "val")), key=unit_hash)
    half = len(val) // 2
    return {"test": val[:half], "val": val[half:]}.get(split, [])


def _listed(year: Path, split: str) -> list[str]:
    path = year / "ImageSets" / "Segmentation" / f"{split}.txt"
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def _label(year: Path, name: str) -> Path:
    return year / "SegmentationClass" / f"{name}.png"
