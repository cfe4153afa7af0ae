"""Work that requires more memory than is available ends with one line, and nothing is killed or changed silently."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from PIL import Image
from trials import Trial, run_trial

from seg.evaluation import predict as predict_module
from seg.evaluation.passes import live_bytes
from seg.evaluation.predict import segment
from seg.system import memory

WINDOWS = r'{"stride":\[256,256\],"window":\[512,512\]}'
FIX = r"segment it in tiles with --tile, or run fewer jobs at once"
IN_WINDOWS = '{"window": [128, 128], "stride": [96, 96]}'


def photo(height: int, width: int) -> Callable[[Path], None]:
    """The image `a.png`."""
    return lambda root: Image.new("RGB", (width, height), "red").save(root / "a.png")


def claimed(height: int, width: int, kind: bytes = b"IHDR", data: bytes | None = None) -> Callable[[Path], None]:
    """A PNG file that claims a size, and has another chunk before its pixels if `kind` is given."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def arrange(root: Path) -> None:
        parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
        parts += [chunk(kind, data)] if data is not None else []
        parts += [chunk(b"IDAT", zlib.compress(b"\0" * 100)), chunk(b"IEND", b"")]
        (root / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))

    return arrange


def predict(name: str, arrange: Callable[[Path], None], line: str, *arguments: str, **options: Any) -> Trial:
    given = ("seg.cli", "predict", "model.safetensors", "a.png", *arguments)
    return Trial(name, given, arrange, line, **({"code": 1} | options))


FITS = {"code": 0, "errors": 0, "writes": ["predictions*"]}
# With 100 MB available. The layers of the U-Lite keep 876 bytes per pixel at least,
SHORT = [
    predict(
        "an image for which what a layer keeps is too large",
        photo(2000, 3000),
        rf"error: a\.png: 3000x2000 pixels: requires at least [\d.]+ GB of memory, 0\.1 GB are available; {FIX}",
    ),
    predict(
        "an image in windows, with more pixels than fit at once",
        photo(600, 700),
        r"predictions/a\.png",
        "--inference",
        IN_WINDOWS,
        **FITS,
    ),
    predict("a small image", photo(64, 64), r"predictions/a\.png", **FITS),
    predict(
        "windows that are too large",
        photo(2000, 3000),
        r"error: a\.png: 3000x2000 pixels: requires at least [\d.]+ GB of memory, 0\.1 GB are available;"
        r" lower window and scales, or run fewer jobs at once",
        *("--inference", '{"window": [1500, 1500], "stride": [1500, 1500]}'),
    ),
    predict(
        "a scale that is too large",
        photo(400, 400),
        rf"error: a\.png: 400x400 pixels: requires at least [\d.]+ GB of memory, 0\.1 GB are available; {FIX}",
        *("--inference", '{"scales": [0.5, 8.0]}'),
    ),
    predict(
        "windows of an image whose logits are too large",
        photo(4000, 5000),
        r"error: a\.png: 5000x4000 pixels: requires more memory than the 0\.1 GB that are available;"
        r" lower window and scales, or run fewer jobs at once",
        *("--inference", IN_WINDOWS),
    ),
]
# With the memory of the machine.
IMAGES = [
    predict(
        "a claim of 60000x60000 pixels",
        claimed(60_000, 60_000),
        r"error: a\.png: Image size \(3600000000 pixels\) exceeds limit .*; .* raise the limit with --max-pixels",
        process=True,
    ),
    predict(
        "a claim of 12000x12000 pixels",
        claimed(12_000, 12_000),
        r"error: a\.png: cannot be decoded \(.*\); replace the file",
    ),
    predict("a claim of no pixels", claimed(0, 0), r"error: a\.png: cannot be decoded \(.*\); replace the file"),
    predict(
        "a text of 100 MB when decompressed",
        claimed(8, 8, b"zTXt", b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)),
        r"error: a\.png: cannot be decoded \(.*\); replace the file",
    ),
    Trial(
        "a label of 60000x60000 pixels in a dataset",
        ("seg.cli", "doctor", "mine", "--layout", "folder"),
        lambda root: dataset(root / "mine"),
        r"    mine/labels/a\.png: cannot be decoded \(Image size \(3600000000 pixels\) exceeds limit .*",
        code=1,
        errors=2,  # no images are left for two splits
    ),
]


def dataset(root: Path) -> None:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (40, 32), "red").save(root / "images/a.png")
    claimed(60_000, 60_000)(root / "labels")
    (root / "classes.yaml").write_text("[wall, crack]\n")


@pytest.mark.parametrize("trial", SHORT, ids=str)
def test_images_that_do_not_fit(trial: Trial, small_model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    with patch.object(memory, "available_memory", lambda: 100_000_000):
        run_trial(trial, tmp_path)


def test_the_memory_of_a_network_is_determined_once(small_model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    images = [tmp_path / f"{k}.png" for k in range(3)]
    for path in images:
        Image.new("RGB", (300, 260), "red").save(path)
    with patch.object(predict_module, "live_bytes", wraps=live_bytes) as measured:
        assert len(list(segment(tmp_path / "model.safetensors", images, tmp_path / "out", "cpu"))) == 3
    measured.assert_called_once()


def evaluation(name: str, line: str, inference: str, **options: Any) -> Trial:
    outputs = ["--metrics", "m.json", "--confusion", "c.npy", "--predictions", "p.zip", "--samples", "s.png"]
    inputs = ["--run-info", "r.json", "--model", "model.safetensors", "--pack", "val.json", "--inference", inference]
    return Trial(name, ["seg.evaluation.evaluate", *inputs, *outputs], lambda _: None, line, **options)


EVALUATIONS = [
    evaluation("images that fit", r"mIoU .*", "{}", code=0, errors=0, writes=["*.json", "c.npy", "p.zip", "s.png"]),
    evaluation(
        "a scale that is too large for a batch",
        r"error: val\.json: 4 images at a time: 64x48 pixels: requires at least [\d.]+ GB of memory, 0\.1 GB are"
        rf" available; set {WINDOWS} in evaluation of params\.yaml, or run fewer jobs at once",
        '{"scales": [8.0]}',
    ),
    evaluation(
        "windows that are too large for a batch",
        r"error: val\.json: 4 images at a time: 64x48 pixels: requires at least [\d.]+ GB of memory, 0\.1 GB are"
        r" available; lower window and scales, or run fewer jobs at once",
        '{"scales": [8.0], "window": [300, 300], "stride": [300, 300]}',
    ),
]


@pytest.mark.parametrize("trial", EVALUATIONS, ids=str)
def test_evaluations_that_do_not_fit(trial: Trial, small_model: bytes, packs: Any, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    for file in packs.val.parent.glob("val.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with patch.object(memory, "available_memory", lambda: 100_000_000):
        run_trial(trial, tmp_path)


@pytest.mark.parametrize("trial", IMAGES, ids=str)
def test_decompression_bombs(trial: Trial, small_model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    run_trial(trial, tmp_path)
