"""Files of a segmented image: labels as PNG, overlay, probabilities; and of all images: legend and class shares."""

import csv
import json
import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self, cast, get_args

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from seg.datasets.decoding import viewable
from seg.datasets.overlay import overlaid
from seg.evaluation.png import PngWriter
from seg.system.console import nearest_of_all
from seg.system.files import written_whole

PixelEncoding = Literal["ids", "train_ids", "colours"]  # of labels, as in `seg.config.description.LabelFiles`
_ROWS = 256  # written at a time
_LARGEST_ID = 65535  # in a PNG
_ENDINGS = {"labels": ".png", "overlay": ".overlay.png", "probabilities": ".probabilities.npy"}


class PredictionOutputs(NamedTuple):
    """What is written for an image.

    Attributes:
        encoding: pixels of the labels: `ids` of the dataset, `train_ids` (0 to C - 1) or `colours`.
        overlay: write `<name>.overlay.png`, image and colours mixed, and one `legend.png`.
        probabilities: write `<name>.probabilities.npy`, (C, H, W) uint8, 255 times the softmax of the logits.
        shares: write `shares.json` and `shares.csv`, the share of the pixels of each class in each image.
    """

    encoding: PixelEncoding = "ids"
    overlay: bool = False
    probabilities: bool = False
    shares: bool = False

    def files(self, out: Path, name: str) -> dict[str, Path]:
        """Files of an image by kind; the first are its labels."""
        kinds = ["labels", *(kind for kind in ("overlay", "probabilities") if getattr(self, kind))]
        return {kind: out / f"{name}{_ENDINGS[kind]}" for kind in kinds}

    def summaries(self, out: Path) -> list[Path]:
        """Files of all images."""
        names = ["legend.png"] * self.overlay + ["shares.json", "shares.csv"] * self.shares
        return [out / name for name in names]


def prediction_outputs(encoding: str, overlay: bool, probabilities: bool, shares: bool) -> PredictionOutputs:
    """The outputs of options. Raises ValueError for an unknown encoding."""
    if encoding not in get_args(PixelEncoding):
        raise ValueError(f"--encoding {encoding}: unknown; {nearest_of_all(encoding, get_args(PixelEncoding))}")
    return PredictionOutputs(cast("PixelEncoding", encoding), overlay, probabilities, shares)


class PredictedClasses:
    """Names, colours and label values of the classes of a checkpoint, by train id.

    Raises:
        ValueError: a label value does not fit into a PNG.
    """

    def __init__(self, about: Mapping[str, Any], encoding: PixelEncoding) -> None:
        self.names = list(about["classes"])
        self.colours = np.array(about["palette"], np.uint8)
        self.encoding = encoding
        train_ids = list(range(len(self.names)))
        values = about.get("label_values", train_ids) if encoding == "ids" else train_ids
        if wrong := [value for value in values if not 0 <= value <= _LARGEST_ID]:
            raise ValueError(f"id {wrong[0]} is not in 0 to {_LARGEST_ID}, the ids of a PNG; use --encoding train_ids")
        self.values = np.array(values, np.uint8 if max(values) < 256 else np.uint16)

    def writer(self, path: Path, height: int, width: int) -> PngWriter:
        """Writer of labels. Ids up to 255 have a palette."""
        if self.encoding == "colours":
            return PngWriter(path, height, width, np.uint8, rgb=True)
        palette = None
        if self.values.dtype == np.uint8:
            palette = np.zeros((256, 3), np.uint8)
            palette[self.values] = self.colours
        return PngWriter(path, height, width, self.values.dtype.type, palette)

    def encoded(self, labels: np.ndarray) -> np.ndarray:
        """Rows to write of train ids (h, W)."""
        return (self.colours if self.encoding == "colours" else self.values)[labels]

    def legend(self) -> Image.Image:
        """Colour, label value and name of each class."""
        from matplotlib.font_manager import findfont  # slow to import; its font has most scripts, Pillow's ASCII

        font, line = ImageFont.truetype(findfont("DejaVu Sans"), 16), 24
        texts = [f"{value}  {name}" for value, name in zip(self.values, self.names, strict=True)]
        width = 2 * line + round(max(font.getlength(text) for text in texts))
        picture = Image.new("RGB", (width, line * len(texts)), "white")
        draw = ImageDraw.Draw(picture)
        for k, text in enumerate(texts):
            draw.rectangle((4, k * line + 4, line, (k + 1) * line - 5), tuple(self.colours[k].tolist()), "black")
            draw.text((line + 8, k * line + 3), text, "black", font)
        return picture


class PictureWriter:
    """Writer of the files of an image, region by region.

    Args:
        parts: files to write by kind, see `PredictionOutputs.files`.
        classes: classes of the network.
        size: height and width of the image.
        pixels: the image (H, W, channels) uint8, for the overlay.

    Attributes:
        counts: number of pixels (C,) of each class.
    """

    def __init__(
        self, parts: Mapping[str, Path], classes: PredictedClasses, size: tuple[int, int], pixels: np.ndarray | None
    ) -> None:
        self._classes, self._pixels = classes, pixels
        self._labels = np.empty((0, size[1]), np.uint8)  # rows of which not all columns are here yet
        self._overlay = self._probabilities = None
        self.counts = np.zeros(len(classes.names), np.int64)
        with ExitStack() as files:
            self._png = files.enter_context(classes.writer(parts["labels"], *size))
            if "overlay" in parts:
                self._overlay = files.enter_context(PngWriter(parts["overlay"], *size, np.uint8, rgb=True))
            if "probabilities" in parts:
                self._probabilities = _mapped(parts["probabilities"], (len(classes.names), *size))
            self._files = files.pop_all()

    def add(self, rows: slice, columns: slice, labels: np.ndarray, probabilities: np.ndarray | None = None) -> None:
        """Add a region: train ids (h, w) uint8, and probabilities (C, h, w). Regions come in the order of reading."""
        if probabilities is not None and self._probabilities is not None:
            self._probabilities[:, rows, columns] = np.rint(255 * probabilities)
        width = self._labels.shape[1]
        if columns.start == 0:
            whole = columns.stop == width
            self._labels = labels if whole else np.empty((rows.stop - rows.start, width), np.uint8)
        self._labels[:, columns] = labels
        if columns.stop == width:
            for start in range(0, len(self._labels), _ROWS):
                self._write(rows.start + start, self._labels[start : start + _ROWS])

    def _write(self, top: int, labels: np.ndarray) -> None:
        self.counts += np.bincount(labels.reshape(-1), minlength=len(self.counts))
        self._png.write(self._classes.encoded(labels))
        if self._overlay is not None and self._pixels is not None:
            image = viewable(self._pixels[top : top + len(labels)])
            self._overlay.write(overlaid(image, labels, self._classes.colours))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._probabilities = None  # unmapped
        self._files.__exit__(kind, error, trace)


def _mapped(path: Path, shape: tuple[int, ...]) -> np.memmap:
    """New .npy file (uint8) of its full size, so that a full disk is an error here, not a signal at a write."""
    pixels = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, pixels.offset + pixels.nbytes)
    return pixels


def write_summaries(
    out: Path, outputs: PredictionOutputs, classes: PredictedClasses, counts: Mapping[tuple[str, str], np.ndarray]
) -> None:
    """Write legend and class shares.

    Args:
        out: directory.
        outputs: what is written.
        classes: classes of the network.
        counts: number of pixels (C,) of each class, by image and label file.
    """
    if not (files := outputs.summaries(out)) or not counts:
        return
    with written_whole(*files) as parts:
        by_name = {part.name: part for part in parts}
        if outputs.overlay:
            classes.legend().save(by_name["legend.png"], "PNG")
        if outputs.shares:
            _write_shares(by_name["shares.json"], by_name["shares.csv"], classes, counts)


def _write_shares(
    json_path: Path, csv_path: Path, classes: PredictedClasses, counts: Mapping[tuple[str, str], np.ndarray]
) -> None:
    def shares(pixels: np.ndarray) -> dict[str, float]:
        fractions = (pixels / pixels.sum()).tolist()
        return {name: round(share, 6) for name, share in zip(classes.names, fractions, strict=True)}

    images = [{"image": image, "labels": labels, "shares": shares(each)} for (image, labels), each in counts.items()]
    content = {
        "classes": dict(zip(classes.names, classes.values.tolist(), strict=True)),
        "total": shares(np.sum(list(counts.values()), 0)),
        "images": images,
    }
    json_path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with csv_path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "labels", *classes.names])
        table.writerows([*files, *shares(pixels).values()] for files, pixels in counts.items())
