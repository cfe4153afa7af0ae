"""Labels of tools whose files are not read: what to export in place of them."""

import re
from collections.abc import Iterable
from pathlib import Path

from seg.datasets.polygons import coco_images

_EXPORT = "export masks, COCO, LabelMe or YOLO"
_KINDS = (
    (r"task-\d+-annotation-\d+-", "masks of Label Studio, which do not name their images; export COCO"),
    (r"(^|/)project-\d+-at-[^/]*\.json$", "exports of Label Studio in JSON; export COCO"),
    (r"\.(jpe?g|png|tiff?|bmp)\.json$", f"annotations of Supervisely; {_EXPORT}"),
    (r"\.xml$", f"annotations in XML; {_EXPORT}"),
    (r"(^|/)via_[^/]*\.json$", f"annotations of VIA; {_EXPORT}"),
    (r"\.(nii|nii\.gz|dcm|mha|nrrd)$", "medical volumes; store their slices as images"),
    (r"\.(mat|npy|npz)$", "arrays; store them as images"),
)


def foreign_labels(files: Iterable[str]) -> str:
    """What files are that look like labels of a tool, with the first of them; empty if there are none."""
    names = list(files)
    for pattern, what in _KINDS:
        if match := next((name for name in names if re.search(pattern, name, re.IGNORECASE)), None):
            return f"{match} is one of the {what}"
    return ""


def coco_fault(root: Path, files: Iterable[str]) -> str:
    """Why a file of COCO describes no masks; empty if there is none."""
    for file in files:
        if file.endswith(".json"):
            try:
                coco_images(root / file)
            except ValueError as error:
                if " has no outline" in str(error):
                    return str(error)
    return ""
