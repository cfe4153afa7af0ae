"""Cityscapes, fine annotations: `leftImg8bit/<split>/<city>/*_leftImg8bit.png`, `gtFine/.../*_gtFine_labelIds.png`.

Of 34 ids 19 are scored (Cordts et al., The Cityscapes Dataset, table 1; ids, train ids and colours as in `labels.py` of
cityscapesScripts). The labels of the test split are blank, so it is never scored.
"""

from pathlib import Path

from seg.datasets.classes import ClassTable

CLASSES = ClassTable.from_rows(
    (
        ("unlabeled", None),
        ("ego vehicle", None),
        ("rectification border", None),
        ("out of roi", None),
        ("static", None),
        ("dynamic", None),
        ("ground", None),
        ("road", (128, 64, 128)),
        ("sidewalk", (244, 35, 232)),
        ("parking", None),
        ("rail track", None),
        ("building", (70, 70, 70)),
        ("wall", (102, 102, 156)),
        ("fence", (190, 153, 153)),
        ("guard rail", None),
        ("bridge", None),
        ("tunnel", None),
        ("pole", (153, 153, 153)),
        ("polegroup", None),
        ("traffic light", (250, 170, 30)),
        ("traffic sign", (220, 220, 0)),
        ("vegetation", (107, 142, 35)),
        ("terrain", (152, 251, 152)),
        ("sky", (70, 130, 180)),
        ("person", (220, 20, 60)),
        ("rider", (255, 0, 0)),
        ("car", (0, 0, 142)),
        ("truck", (0, 0, 70)),
        ("bus", (0, 60, 100)),
        ("caravan", None),
        ("trailer", None),
        ("train", (0, 80, 100)),
        ("motorcycle", (0, 0, 230)),
        ("bicycle", (119, 11, 32)),
    )
)
ORDERED = True
_IMAGE = "_leftImg8bit.png"
_LABEL = "_gtFine_labelIds.png"


def find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images and labels of a split by `<city>_<sequence>_<frame>`."""
    images = (root / "leftImg8bit" / split).glob(f"*/*{_IMAGE}")
    labels = (root / "gtFine" / split).glob(f"*/*{_LABEL}")
    return (
        {path.name.removesuffix(_IMAGE): path for path in images},
        {path.name.removesuffix(_LABEL): path for path in labels},
    )


def group(name: str) -> str:
    """City of an image. Sequences are numbered in the order of recording, and so are the frames of a sequence."""
    return name.partition("_")[0]
