"""Labels of tools whose files are not read: what to export in place of them."""

import re
from collections.abc import Iterable

_EXPORT = "export masks, COCO, LabelMe or YOLO"
_KINDS = (
    (r"task-\d+-annotation-\d+-", "masks of Label Studio, which do not name their images; export COCO"),
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
