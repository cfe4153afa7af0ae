"""BDD100K, earlier release with 41 ids: `bdd100k/seg/images/<split>/*.jpg`, `bdd100k/seg/labels/<split>/*_id.png`.

All 41 ids including "unlabeled" are scored, as in bdd100k_lite (table 1, in the order of the ids). Colours are the
official ones, most of them from Cityscapes, except where two classes would share one.

The study splits all labelled images, the official `train` and `val`, 70:15:15 (the labels of `test` are not public).
Frames of one recording are similar, so all of them are in one split: the hash of the recording's id, the part of the
name before the dash, selects the split.
"""

from pathlib import Path

from seg.datasets.classes import ClassTable
from seg.datasets.layouts import draw_split

CLASSES = ClassTable.from_rows(
    (
        ("unlabeled", (0, 0, 0)),
        ("dynamic", (111, 74, 0)),
        ("ego vehicle", (60, 40, 40)),  # not the official colour
        ("ground", (81, 0, 81)),
        ("static", (40, 60, 60)),  # not the official colour
        ("parking", (250, 170, 160)),
        ("rail track", (230, 150, 140)),
        ("road", (128, 64, 128)),
        ("sidewalk", (244, 35, 232)),
        ("bridge", (150, 100, 100)),
        ("building", (70, 70, 70)),
        ("fence", (190, 153, 153)),
        ("garage", (180, 100, 180)),
        ("guard rail", (180, 165, 180)),
        ("tunnel", (150, 120, 90)),
        ("wall", (102, 102, 156)),
        ("banner", (250, 170, 100)),
        ("billboard", (220, 220, 250)),
        ("lane divider", (255, 165, 0)),
        ("parking sign", (160, 220, 20)),  # not the official colour
        ("pole", (153, 153, 153)),
        ("polegroup", (193, 193, 193)),  # not the official colour
        ("street light", (220, 220, 100)),
        ("traffic cone", (255, 70, 0)),
        ("traffic device", (220, 220, 220)),
        ("traffic light", (250, 170, 30)),
        ("traffic sign", (220, 220, 0)),
        ("traffic sign frame", (250, 170, 250)),
        ("terrain", (152, 251, 152)),
        ("vegetation", (107, 142, 35)),
        ("sky", (70, 130, 180)),
        ("person", (220, 20, 60)),
        ("rider", (255, 0, 0)),
        ("bicycle", (119, 11, 32)),
        ("bus", (0, 60, 100)),
        ("car", (0, 0, 142)),
        ("caravan", (0, 0, 90)),
        ("motorcycle", (0, 0, 230)),
        ("trailer", (0, 0, 110)),
        ("train", (0, 80, 100)),
        ("truck", (0, 0, 70)),
    )
)


def find(root: Path, split: str, label: str = "_id.png") -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and labels of a split by name; label files have the suffix `label`."""
    return _files(root / "bdd100k/seg/images", ".jpg", split), _files(root / "bdd100k/seg/labels", label, split)


def group(name: str) -> str:
    """Recording of an image. Its frames have random numbers, so their order is unknown."""
    return name.partition("-")[0]


def _files(folder: Path, suffix: str, split: str) -> dict[str, Path]:
    paths = [path for official in ("train", "val") for path in (folder / official).glob(f"*{suffix}")]
    files = {path.name.removesuffix(suffix): path for path in paths}
    names = (name for name in files if not name.endswith("_train"))  # `*_train_id.png`
    return {name: files[name] for name in names if draw_split(group(name)) == split}
