"""Labels in MATLAB files, as the owners of PASCAL Context, COCO-Stuff 10k and SBD publish them."""

from pathlib import Path

import numpy as np

_VARIABLES = ("LabelMap", "S", "GTcls")  # PASCAL Context, COCO-Stuff 10k, SBD


def is_matlab(path: Path) -> bool:
    """Whether the name of a file is that of a MATLAB file."""
    return path.suffix.lower() == ".mat"


def read_matlab(path: Path) -> np.ndarray:
    """Label values (H, W) of a MATLAB file, uint8, uint16 or int32: `LabelMap`, `S` or `GTcls.Segmentation`.

    Raises:
        ValueError: the file is damaged or has no such variable.
        OSError: the file cannot be read.
    """
    from scipy.io import loadmat  # slow to import

    path.open("rb").close()
    try:
        content = loadmat(path, variable_names=_VARIABLES)
        value = next(content[name] for name in _VARIABLES if name in content)
        values = np.asarray(value["Segmentation"][0, 0] if value.dtype.names else value)
    except StopIteration:
        raise ValueError(f"{path}: expected a variable LabelMap, S or GTcls; store the label as PNG") from None
    except Exception as error:  # scipy parses damaged files into any error
        raise ValueError(f"{path}: cannot be decoded ({error}); replace the file") from None
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number) or (values != values.astype(np.int32)).any():
        raise ValueError(f"{path}: got {values.dtype} of shape {values.shape}, expected whole numbers (H, W)")
    return values if values.dtype in (np.uint8, np.uint16) else values.astype(np.int32)
