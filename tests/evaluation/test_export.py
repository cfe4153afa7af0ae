"""Exported networks: their logits in onnxruntime and torch are those of the checkpoint, and their metadata suffices."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image

from seg.config.architectures import OPTIONS, make_model
from seg.config.recipe import Recipe
from seg.data.loader import scaled
from seg.evaluation import export
from seg.evaluation.export import export_model
from seg.evaluation.export_formats import ExportedRunError, load_onnx
from seg.evaluation.predict import segment
from seg.models import build_model
from seg.models.checkpoint import load_checkpoint, save_checkpoint
from seg.system.files import sha256

ABOUT = {
    "classes": ["wall", "crack", "łuk"],
    "palette": [[1, 2, 3], [4, 5, 6], [7, 8, 9]],
    "label_values": [3, 7, 100],
    "precision": "fp32",
    "eval_size": [64, 64],
}
# The smallest options of each family, and the steps of pixels in which height and width are free. Where it is 0, the
# size is fixed here, which takes half the time: one network with each step is exported with free sizes, and SegNet.
FAMILIES: dict[str, tuple[dict[str, Any], int]] = {
    "darrennet": ({}, 0),
    "deeplab": ({"backbone": "resnet50"}, 1),
    "erfnet": ({}, 0),
    "fcn": ({}, 32),
    "resnet_fcn": ({}, 0),
    "resnet_unet": ({}, 0),
    "segnet": ({}, 16),
    "smp": ({"encoder": "resnet18"}, 0),
    "torchvision_zoo": ({"architecture": "lraspp_mobilenet_v3_large"}, 0),
    "u_lite": ({}, 0),
    "unet": ({"widths": "voc2007_erfnet"}, 16),
}
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _one_thread_and_no_log() -> Iterator[None]:
    """pytest collects the records of torch's tracing, hundreds of thousands."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    torch.set_num_threads(threads)


@pytest.fixture
def write(tiny_recipe: Recipe, tmp_path: Path) -> Write:
    """Write the checkpoint of an untrained network."""

    def written(name: str = "u_lite", channels: int = 3, options: Any = None, **about: Any) -> Path:
        torch.manual_seed(0)
        model = make_model(name, **(options or {}))
        recipe = tiny_recipe.model_copy(update={"model": model, "scaling": "imagenet"})
        network = build_model(name, 3, model.options, channels)
        save_checkpoint(tmp_path / "model.safetensors", network, recipe, ABOUT | about)
        return tmp_path / "model.safetensors"

    return written


def logits_of(model: Path, images: np.ndarray) -> np.ndarray:
    """Logits of the checkpoint for images (N, C, H, W) uint8."""
    checkpoint = load_checkpoint(model)
    with torch.inference_mode():
        return checkpoint.model(scaled(torch.from_numpy(images), checkpoint.recipe.scaling)).numpy()


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def run_onnx(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": images.astype(np.float32)})
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIONS)
def test_every_family_in_onnxruntime(name: str, write: Write, tmp_path: Path) -> None:
    options, step = FAMILIES[name]
    model = write(name, options=options)
    about, reported = export_model(model, tmp_path / "model.onnx", fixed=not step)
    assert about["size_step"] == step
    images = noise(3, 3, 64, 64 + (step if step != 1 else 9))  # other numbers and sides than in the export
    expected, found = logits_of(model, images), run_onnx(tmp_path / "model.onnx", images)
    apart, largest = np.abs(found - expected), np.abs(expected).max()
    assert (np.median(apart) if name == "segnet" else apart.max()) <= 1e-5 * largest
    assert (found.argmax(1) == expected.argmax(1)).mean() > 0.999
    assert 0 <= reported <= 1e-4 * max(1, largest / 10)
    onnx.checker.check_model(tmp_path / "model.onnx", full_check=True)


@pytest.mark.parametrize("name", ["segnet", "fcn", "resnet_unet"])
def test_torch_export(name: str, write: Write, tmp_path: Path) -> None:
    model = write(name)
    about, _ = export_model(model, tmp_path / "model.pt2", "pt2")
    extra = {"metadata.json": ""}
    program = torch.export.load(tmp_path / "model.pt2", extra_files=extra)
    assert json.loads(extra["metadata.json"]) == json.loads(json.dumps(about))
    images = noise(3, 3, 96, 64)
    found = program.module()(torch.from_numpy(images).float()).detach().numpy()
    expected = logits_of(model, images)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_step_with_which_the_network_does_not_run_is_not_taken(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As onnxruntime refuses other sizes of networks that pad their images."""

    def load(path: Path) -> Callable[[np.ndarray], np.ndarray]:
        run = load_onnx(path)

        def refusing(images: np.ndarray) -> np.ndarray:
            if images.shape[2] % 32:
                raise ExportedRunError("Axis 2 has mismatched dimensions of 7 and 8")
            return run(images)

        return refusing

    monkeypatch.setattr(export, "load_onnx", load)
    about, _ = export_model(write(), tmp_path / "model.onnx")
    assert about["size_step"] == 32
    metadata = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_modelmeta().custom_metadata_map
    assert metadata["size_step"] == "32"


def test_a_size_that_an_onnx_file_does_not_take_is_an_error_of_ours(write: Write, tmp_path: Path) -> None:
    export_model(write(), tmp_path / "model.onnx", fixed=True)
    with pytest.raises(ExportedRunError):
        load_onnx(tmp_path / "model.onnx")(np.zeros((1, 3, 65, 64), np.float32))


def test_metadata_of_a_dataset_of_four_bands(write: Write, tmp_path: Path) -> None:
    model = write(channels=4, form={"bands": [4, 3, 2, 1], "range": [0, 4095], "resize": "pad"}, eval_size=[45, 60])
    export_model(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    about = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    assert about == {
        "export_version": 1,
        "model": {"name": "u_lite", "options": {}},
        "classes": ABOUT["classes"],
        "palette": ABOUT["palette"],
        "ids": [3, 7, 100],
        "input_size": [45, 60],
        "size_step": 16,
        "channels": 4,
        "bands": [4, 3, 2, 1],
        "range": [0, 4095],
        "resize": "pad",
        "scaling": {"name": "imagenet", "mean": [0.485, 0.456, 0.406, 0.485], "std": [0.229, 0.224, 0.225, 0.229]},
        "sha256": sha256(model),
        "code": None,
        "versions": {},
    }
    assert session.get_inputs()[0].shape == ["batch", 4, "height", "width"]
    assert session.get_outputs()[0].shape == ["batch", 3, "height", "width"]
    images = noise(2, 4, 45 + 32, 60 + 16)
    expected = logits_of(model, images)
    assert np.abs(run_onnx(tmp_path / "model.onnx", images) - expected).max() <= 1e-5 * np.abs(expected).max()


def test_a_fixed_size_and_the_same_bytes_again(write: Write, tmp_path: Path) -> None:
    model = write()
    for name in ("a.onnx", "b.onnx"):
        about, _ = export_model(model, tmp_path / name, fixed=True)
    session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
    assert about["size_step"] == 0
    assert session.get_inputs()[0].shape == ["batch", 3, 64, 64]
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    assert str(Path(export.__file__).parents[2]).encode() not in (tmp_path / "a.onnx").read_bytes()


def test_a_network_that_differs_is_not_written(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "channel_scaling", lambda *_: ((0.5,) * 3, (0.25,) * 3))
    with pytest.raises(
        ValueError, match=r"model\.pt2: the logits of the exported network differ by .*; nothing is wri"
    ):
        export_model(write(), tmp_path / "model.pt2", "pt2")
    assert not list(tmp_path.glob("*.pt2"))


def test_the_example_of_the_documentation(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[2] / "docs/how-to/export.md").read_text(encoding="utf-8")
    example = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert example
    assert set(re.findall(r"(?:import|from) (\w+)|, (\w+)", "\n".join(example[1].splitlines()[:2]))) == {
        ("json", ""), ("", "numpy"), ("", "onnxruntime"), ("PIL", ""), ("Image", ""),
    }  # fmt: skip
    model = write()
    export_model(model, tmp_path / "unet.onnx")
    Image.fromarray(np.moveaxis(noise(3, 64, 64), 0, 2)).save(tmp_path / "street.png")
    (tmp_path / "street.png").rename(tmp_path / "street.jpg")  # without loss
    (predicted,) = segment(model, [tmp_path / "street.jpg"], tmp_path / "out", "cpu")
    monkeypatch.chdir(tmp_path)
    exec(example[1], {})
    with Image.open(tmp_path / "street.png") as found, Image.open(predicted) as expected:
        assert np.array_equal(np.asarray(found), np.asarray(expected))
        assert set(np.unique(np.asarray(found))) <= {3, 7, 100}
