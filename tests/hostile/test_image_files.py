"""Images of kinds that a network cannot read as they are: each is one line with the fix, and no pack is left."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image
from trials import Trial, run_trial

SHAPE = (32, 48)
Write = Callable[[Path], object]  # of an image, to a path without ending


def of_16_bits(path: Path) -> None:
    cv2.imwrite(f"{path}.png", np.full((*SHAPE, 3), 4000, np.uint16))


def of_bands(path: Path) -> None:
    tifffile.imwrite(f"{path}.tif", np.zeros((*SHAPE, 6), np.uint8), photometric="minisblack", planarconfig="contig")


def of_floats(path: Path) -> None:
    tifffile.imwrite(f"{path}.tif", np.full(SHAPE, 0.5, np.float32))


def of_frames(path: Path) -> None:
    frames = [Image.new("L", SHAPE[::-1], k) for k in range(2)]
    frames[0].save(f"{path}.gif", save_all=True, append_images=frames[1:])


def of_pages(path: Path) -> None:
    tifffile.imwrite(f"{path}.TIF", np.zeros((4, *SHAPE), np.uint8), photometric="minisblack")


def turned(path: Path) -> None:
    tags = Image.Exif()
    tags[ExifTags.Base.Orientation] = 3
    Image.new("RGB", SHAPE[::-1]).save(f"{path}.jpg", exif=tags)


def dataset(write: Write) -> Write:
    def arrange(root: Path) -> None:
        (root / "images").mkdir()
        (root / "labels").mkdir()
        write(root / "images/a")
        Image.fromarray(np.indices(SHAPE)[1].astype(np.uint8) % 2).save(root / "labels/a.png")
        (root / "train.txt").write_text("a\n")
        (root / "manifest.json").write_text(json.dumps({"name": "own", "files": {}}))

    return arrange


def pack(name: str, write: Write, line: str, keys: str = "", **more: object) -> Trial:
    description = f'{{"classes": ["wall", "crack"]{keys}}}'
    size = ["--split", "train", "--height", "32", "--width", "48", "--out", "train"]
    command = ["seg.data.pack", "--manifest", "manifest.json", "--dataset", description, *size]
    return Trial(name, command, dataset(write), line, **more)  # type: ignore[arg-type]


DONE = {"code": 0, "errors": 0, "writes": ["train.*"]}
TRIALS = [
    pack(
        "colours of 16 bits",
        of_16_bits,
        r"error: images/a.png: has 16 bits per channel with values from 4000 to 4000; give the range to scale in the "
        r"description of the dataset, such as range: \[0, 4095\]",
    ),
    pack("colours of 16 bits with a range", of_16_bits, "", ', "range": [0, 4095]', **DONE),
    pack(
        "floats",
        of_floats,
        r"error: images/a.tif: has 32 bits per channel with values from 0.5 to 0.5; .* range: \[0, 1\]",
    ),
    pack("floats with a range", of_floats, "", ', "range": [0, 1]', **DONE),
    pack(
        "a range that is turned round",
        of_floats,
        r"error: --dataset: range: got \[1.0, 0.0\], expected the lower value first, such as \[0, 4095\]",
        ', "range": [1, 0]',
    ),
    pack("a range of one number", of_floats, r"error: --dataset: range.*", ', "range": 4095'),
    pack(
        "six bands",
        of_bands,
        r"error: images/a.tif: has 6 bands, expected grey or RGB; choose some .* bands: \[1, 2, 3\], .* channels: 6",
    ),
    pack("three of six bands", of_bands, "", ', "bands": [6, 2, 1]', **DONE),
    pack(
        "a band that the file does not have",
        of_bands,
        "error: images/a.tif: has 6 bands, expected 7; correct `bands`",
        ', "bands": [7, 2, 1]',
    ),
    pack("all of six bands", of_bands, "", ', "channels": 6', **DONE),
    pack(
        "another number of channels",
        of_bands,
        r"error: images/a.tif: has 6 bands, expected 4; choose some .* bands: \[1, 2, 3, 4\], .* channels: 6",
        ', "channels": 4',
    ),
    pack(
        "channels and another number of bands",
        of_bands,
        "error: --dataset: channels: got 4, but 3 bands; give one of the two",
        ', "channels": 4, "bands": [1, 2, 3]',
    ),
    pack(
        "more channels than bands",
        of_bands,
        "error: images/a.tif: has 6 of 9 bands; correct `channels`, or replace the file",
        ', "channels": 9',
    ),
    pack("no channels", of_bands, "error: --dataset: channels: got 0; input should be greater.*", ', "channels": 0'),
    pack(
        "band zero", of_bands, r"error: --dataset: bands.*got 0; input should be greater than.*", ', "bands": [0, 1, 2]'
    ),
    pack(
        "an unknown way to resize",
        of_floats,
        r"error: --dataset: resize: got 'fit'; input should be 'stretch', 'pad' or 'crop'",
        ', "resize": "fit"',
    ),
    pack("an animation", of_frames, "error: images/a.gif: has 2 frames, expected one; store each in a file of its own"),
    pack("a stack", of_pages, "error: images/a.TIF: has 4 pages, expected one; store each in a file of its own"),
    pack(
        "a photograph that turns while its label may not",
        turned,
        r"error: labels/a.png: has EXIF orientation 1, its image 3, so it may be turned .*; store both upright.*",
    ),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_images_that_a_network_cannot_read_as_they_are(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
