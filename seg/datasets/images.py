"""Labels by the class table, and the validation of images and labels against each other."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from seg.datasets import IGNORE
from seg.datasets.classes import ClassTable
from seg.datasets.decoding import decode_label, image_header, read_channels
from seg.datasets.matching import ImagePair
from seg.datasets.matlab import is_matlab, read_matlab
from seg.datasets.polygons import POLYGONS, draw_shapes, polygon_size
from seg.system.console import escaped_names, printable

_COLOURS = frozenset({"PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_IDS = frozenset({"1", "L", "P", "I;16", "I;16B", "I"})
_RGB = frozenset({"RGB", "RGBA"})
_LISTED = 5  # classes or values in a message
_MOST_SHADES = 100_000  # colours that count as the nearest one


class UnknownValuesError(ValueError):
    """A label contains values or colours that are not in the table.

    Attributes:
        codes: label values, or colours as 0xRRGGBB, (H, W).
        unknown: where the table lacks them, (H, W) bool.
    """

    def __init__(self, message: str, codes: np.ndarray, unknown: np.ndarray) -> None:
        super().__init__(message)
        self.codes, self.unknown = codes, unknown


def read_label(path: Path, table: ClassTable, encoding: str | None = None) -> np.ndarray:
    """Read the classes (H, W) uint8 of a label: positions in `table.ids`, `IGNORE` where there is none.

    Args:
        path: image of ids (up to 64 bits, palette indices or 1 bit) or of colours.
        table: classes of the values and colours.
        encoding: see `seg.config.description.LabelFiles`.

    Raises:
        ValueError: the file is damaged or contains values or colours that are not in the table.
    """
    codes, mode = read_codes(path, encoding)
    if mode not in _RGB:
        return _positions_of_ids(path, codes, table, encoding)
    if not table.colours:
        raise ValueError(_not_ids(path, mode))
    return _positions_of_colours(path, codes, mode, table)


def read_codes(path: Path, encoding: str | None = None) -> tuple[np.ndarray, str]:
    """Label values (H, W), or colours (H, W) as 0xRRGGBB, and Pillow's mode, which is RGB or RGBA of colours.

    Raises:
        ValueError: the file is damaged, or contains neither ids nor colours, or not those that the encoding names.
    """
    label = read_matlab(path) if is_matlab(path) else decode_label(path)
    if isinstance(label, np.ndarray):
        if encoding == "colours":
            raise ValueError(f"{path}: got values of type {label.dtype}, expected colours; use encoding: ids")
        return label, ""
    if label.mode == "RGBA" and np.asarray(label.getchannel("A")).min() < 255:
        raise ValueError(f"{path}: has transparent pixels; store the mask without an alpha channel")
    label = label.convert("RGB") if encoding == "colours" else label
    if label.mode in _RGB and encoding in (None, "colours"):
        red, green, blue = np.moveaxis(np.asarray(label.convert("RGB")).astype(np.int32), -1, 0)
        return red << 16 | green << 8 | blue, label.mode
    if label.mode not in _IDS:
        raise ValueError(_not_ids(path, label.mode))
    return np.asarray(label, np.uint8 if label.mode == "1" else None), label.mode


def _not_ids(path: Path, mode: str) -> str:
    got = f"colours (mode {mode})" if mode in _COLOURS else f"mode {mode}"
    return f"{path}: got {got}, expected 8-bit ids (mode L or P); store the id of each pixel"


def _positions_of_ids(path: Path, values: np.ndarray, table: ClassTable, encoding: str | None) -> np.ndarray:
    known = table.scored_values() if encoding == "train_ids" else table.values
    if values.dtype == np.uint8:
        look_up = np.full(256, -1, np.int16)
        bytes_known = [value for value in known if 0 <= value < 256]
        look_up[bytes_known] = [known[value] for value in bytes_known]
        positions = look_up[values]
    else:
        positions = _look_up(values, known)
    if (positions < 0).any():
        raise UnknownValuesError(_unknown_values(path, values[positions < 0], known), values, positions < 0)
    return positions.astype(np.uint8)


def _look_up(codes: np.ndarray, known: Mapping[int, int]) -> np.ndarray:
    """Values of a mapping for an array of keys, int16; -1 for keys that it does not have."""
    keys = np.array(sorted(known), np.int64)
    found = np.minimum(np.searchsorted(keys, codes), len(keys) - 1)
    positions = np.array([known[key] for key in keys.tolist()], np.int16)[found]
    return np.where(keys[found] == codes, positions, -1)


def _unknown_values(path: Path, values: np.ndarray, known: Mapping[int, int]) -> str:
    found = list(zip(*np.unique(values, return_counts=True), strict=True))
    listed = [f"id {value} ({count} pixel{'s' if count > 1 else ''})" for value, count in found[:_LISTED]]
    got = ", ".join([*listed, *([f"and {len(found) - _LISTED} other values"] if found[_LISTED:] else [])])
    ids = sorted(value for value, position in known.items() if position != IGNORE)
    ignored = sorted(known.keys() - set(ids))
    expected = (
        f"{ids[0]} to {ids[-1]}"
        if len(ids) == ids[-1] - ids[0] + 1
        else ", ".join(map(str, ids[:20])) + ", ..." * (len(ids) > 20)
    )
    also = f" and {', '.join(map(str, ignored))}" if ignored else ""
    return f"{path}: got {got}, expected {expected}{also}; fix the label"


def _positions_of_colours(path: Path, codes: np.ndarray, mode: str, table: ClassTable) -> np.ndarray:
    known = {red << 16 | green << 8 | blue: position for (red, green, blue), position in table.colours.items()}
    positions = _look_up(codes, known)
    unknown = positions < 0
    if unknown.any() and table.nearest:
        others, where = np.unique(codes[unknown], return_inverse=True)
        if len(others) > _MOST_SHADES:
            raise ValueError(f"{path}: has {len(others)} other colours, as a photograph; expected a label")
        colours = np.array(list(table.colours), np.int64)
        distances = ((np.stack([others >> 16, others >> 8 & 255, others & 255], 1)[:, None] - colours) ** 2).sum(2)
        positions[unknown] = np.array(list(table.colours.values()))[distances.argmin(1)][where]
    elif unknown.any() and (codes == (codes & 255) * 0x010101).all():  # ids in all three channels
        raise ValueError(_not_ids(path, mode))
    elif unknown.any():
        others, counts = np.unique(codes[unknown], return_counts=True)
        most = int(others[counts.argmax()])
        message = (
            f"{path}: {unknown.mean():.1%} of the pixels have colours of no class, such as "
            f"{colour_text(most)} ({counts.max()} pixels); add them to `colours`, store masks "
            "without antialiasing, or set nearest: true"
        )
        raise UnknownValuesError(message, codes, unknown)
    return positions.astype(np.uint8)


def colour_text(code: int) -> str:
    """A colour 0xRRGGBB as it is written in a description."""
    return f"{code >> 16} {code >> 8 & 255} {code & 255}"


def label_size(pair: ImagePair) -> tuple[int, int]:
    """Height and width of a label, without decoding it if its file gives them."""
    with escaped_names(pair.image, pair.label):
        if pair.encoding in POLYGONS:
            return polygon_size(pair.label, pair.encoding, pair.stem) or image_header(pair.image)[:2]
        return read_matlab(pair.label).shape if is_matlab(pair.label) else image_header(pair.label)[:2]


def read_pair_label(pair: ImagePair, table: ClassTable) -> np.ndarray:
    """Read or draw the label of an image, as `read_label` does."""
    with escaped_names(pair.image, pair.label):
        if pair.encoding in POLYGONS:
            return draw_shapes(pair.label, pair.encoding, pair.stem, label_size(pair), table)
        return read_label(pair.label, table, pair.encoding)


def read_pair(pair: ImagePair, table: ClassTable) -> tuple[np.ndarray, np.ndarray, bool]:
    """Read an image (H, W, C) uint8 and its label (H, W) uint8, and whether a band is dropped.

    See `seg.datasets.decoding.read_channels` and `read_label`.

    Raises:
        ValueError: one line per error in the two files.
    """
    problems = []
    try:
        with escaped_names(pair.image):
            image, drops_band = read_channels(pair.image, pair.form)
    except ValueError as error:
        problems.append(str(error))
    try:
        label = read_pair_label(pair, table)
    except ValueError as error:
        problems.append(str(error))
    problems = problems or _misfits(pair, image.shape[1::-1], label.shape[::-1])
    if problems:
        raise ValueError("\n".join(problems))
    return image, label, drops_band


def _misfits(pair: ImagePair, image: tuple[int, ...], label: tuple[int, ...]) -> list[str]:
    """Errors of an image and a label of these sizes (width, height), which their EXIF orientations may contradict."""
    drawn = pair.encoding in POLYGONS or is_matlab(pair.label)
    name = printable(str(pair.label))
    turned, other = image_header(pair.image).orientation, 1 if drawn else image_header(pair.label).orientation
    proven = turned >= 5 and image[0] != image[1]  # the sizes tell that the label is upright, too
    if image != label:
        exif = f" after EXIF orientation {turned}" if turned != 1 else ""
        fix = "store both upright, without EXIF orientation" if turned != other else "resize one"
        sizes = f"label of {label[0]}x{label[1]}, image of {image[0]}x{image[1]}{exif}"
        return [f"{name}: {sizes}; {fix}, their sizes must be equal"]
    if turned == other or drawn or (proven and other == 1):
        return []
    return [
        f"{name}: has EXIF orientation {other}, its image {turned}, so it may be turned against the image; store "
        "both upright, without EXIF orientation (mogrify -auto-orient)"
    ]


def unlabelled(split: str, table: ClassTable, images: int, counts: np.ndarray) -> list[str]:
    """The error of a split without a pixel of a scored class, or nothing.

    Args:
        split: name of the split.
        table: classes of the dataset.
        images: number of images.
        counts: pixels (256,) of all labels by id.
    """
    if not table.scored or counts[list(table.scored)].any():
        return []
    names = dict(enumerate(table.ids))
    found = [f"id {i} ({names.get(int(i), 'ignored')}, {counts[i]:,} pixels)" for i in np.flatnonzero(counts)]
    scored = ", ".join(f"{i} ({names[i]})" for i in table.scored[:_LISTED]) + (", ..." * (len(table.scored) > _LISTED))
    return [
        f"split '{split}': no pixel of its {images} label{'s' if images > 1 else ''} is scored; found only "
        f"{', '.join(found)}; expected ids such as {scored}; correct the labels or the classes"
    ]
