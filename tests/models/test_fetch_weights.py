"""Published weights: the table, and the stage that downloads and converts them, with files in the published formats."""

import hashlib
import os
import re
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from servers import HASTE, Page, Server
from torch import Tensor
from torchvision.models import ResNet34_Weights, ResNet50_Weights, ResNet101_Weights, ResNet152_Weights, resnet34

from seg.models import build_model
from seg.models.fetch_weights import convert_weights
from seg.models.weights import load_backbone, read_weights
from seg.models.weights_table import WEIGHTS, PublishedWeights, published_weights
from seg.system.fetch import DownloadError

ROOT = Path(__file__).parents[2]
TORCHVISION = {34: ResNet34_Weights, 50: ResNet50_Weights, 101: ResNet101_Weights, 152: ResNet152_Weights}


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def save_published(row: PublishedWeights, folder: Path, content: Any, **options: Any) -> PublishedWeights:
    """Save `content` as the row's file in `folder`; the row with that file's digest."""
    folder.mkdir(exist_ok=True)
    path = folder / row.archive.name
    torch.save(content, path, **options)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return replace(row, archive=replace(row.archive, sha256=digest))


def small() -> dict[str, Tensor]:
    return {"conv1.weight": torch.arange(6.0).view(2, 3), "fc.weight": torch.ones(4)}


def erfnet_state() -> OrderedDict[str, Tensor]:
    """Names and shapes of the published encoder, from its definition; random values."""

    def norm(name: str, width: int) -> dict[str, tuple[int, ...]]:
        return {f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")}

    def down(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
        new = outputs - inputs
        convolution = {f"{name}.conv.weight": (new, inputs, 3, 3), f"{name}.conv.bias": (new,)}
        return {**convolution, **norm(f"{name}.bn", outputs)}

    def bottleneck(name: str, width: int) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {}
        for pair in (1, 2):
            for kind, kernel in (("3x1", (3, 1)), ("1x3", (1, 3))):
                shapes[f"{name}.conv{kind}_{pair}.weight"] = (width, width, *kernel)
                shapes[f"{name}.conv{kind}_{pair}.bias"] = (width,)
        return {**shapes, **norm(f"{name}.bn1", width), **norm(f"{name}.bn2", width)}

    shapes = down("initial_block", 3, 16) | down("layers.0", 16, 64)
    for layer in range(1, 6):
        shapes |= bottleneck(f"layers.{layer}", 64)
    shapes |= down("layers.6", 64, 128)
    for layer in range(7, 15):
        shapes |= bottleneck(f"layers.{layer}", 128)
    return OrderedDict((name, torch.rand(shape)) for name, shape in shapes.items())


def test_the_table_agrees_with_torchvision() -> None:
    for depth, reference in TORCHVISION.items():
        row, weights = WEIGHTS[f"resnet{depth}_imagenet"], reference.IMAGENET1K_V1
        assert row.archive.urls == (weights.url,)
        assert row.archive.name == Path(weights.url).name
        assert f"{weights.meta['_metrics']['ImageNet-1K']['acc@1']}%" in str(row.accuracy)


def test_every_row_has_digest_https_licence_and_citation() -> None:
    for row in WEIGHTS.values():
        assert re.fullmatch("[0-9a-f]{64}", str(row.archive.sha256))
        assert all(url.startswith("https://") for url in row.archive.urls)
        assert row.archive.urls
        assert row.licence
        assert row.citation


def test_an_unknown_name_is_refused_with_the_most_similar_one() -> None:
    with pytest.raises(ValueError, match="did you mean 'resnet50_imagenet'"):
        published_weights("resnet50_imagenett")


def test_torchvisions_weights_are_converted_bit_by_bit(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = resnet34().state_dict()
    out = tmp_path / "out" / "resnet34.safetensors"
    row = save_published(WEIGHTS["resnet34_imagenet"], tmp_path / "archives", reference)
    convert_weights(row, tmp_path / "archives", out, HASTE)
    model = build_model("resnet_fcn", 5, {"backbone": "resnet34"})
    about = load_backbone(model, out)
    actual = model.get_submodule("backbone").state_dict()
    assert set(reference) - set(actual) == {"fc.weight", "fc.bias"}
    for name, tensor in actual.items():
        torch.testing.assert_close(tensor, reference[name], rtol=0, atol=0)
    assert about["sha256"] == row.archive.sha256
    assert about["source"] == row.archive.urls[0]
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_erfnets_published_format_fits_our_encoder(tmp_path: Path) -> None:
    """A checkpoint of 2017: old serialization, trained under DataParallel, with classifier and optimizer."""
    given = erfnet_state()
    wrapped = {f"module.features.encoder.{name}": tensor for name, tensor in given.items()}
    classifier = {"module.classifier.linear.weight": torch.ones(2, 128), "module.classifier.linear.bias": torch.ones(2)}
    momenta = {140: {"momentum_buffer": torch.ones(3)}}
    checkpoint = {
        "epoch": 90,
        "arch": "erfnet",
        "state_dict": OrderedDict({**wrapped, **classifier}),
        "best_prec1": 60.5,
        "optimizer": {"state": momenta, "param_groups": [{"lr": 0.1, "nesterov": False, "params": [140]}]},
    }
    row = WEIGHTS["erfnet_imagenet"]
    row = save_published(row, tmp_path, checkpoint, _use_new_zipfile_serialization=False)
    convert_weights(row, tmp_path, tmp_path / "e.safetensors", HASTE)
    model = build_model("erfnet", 20, {})
    load_backbone(model, tmp_path / "e.safetensors")
    actual = model.get_submodule("backbone").state_dict()
    assert {name for name in actual if not name.endswith("num_batches_tracked")} == set(given)
    for name, tensor in given.items():
        torch.testing.assert_close(actual[name], tensor, rtol=0, atol=0)


def test_a_missing_file_is_downloaded_with_interruptions_and_then_reused(server: Server, tmp_path: Path) -> None:
    row = save_published(WEIGHTS["resnet50_imagenet"], tmp_path / "there", small())
    body = (tmp_path / "there" / row.archive.name).read_bytes()
    server.pages["/good"] = Page(body=body, drops=[len(body) // 2])
    urls = (f"{server.url}/moved", f"{server.url}/good")
    row = replace(row, archive=replace(row.archive, urls=urls))
    for _ in range(2):
        convert_weights(row, tmp_path / "archives", tmp_path / "w.safetensors", HASTE)
    assert [seen.status for seen in server.seen] == [404, 200, 206]
    state, about = read_weights(tmp_path / "w.safetensors")
    assert list(state) == ["conv1.weight"]
    torch.testing.assert_close(state["conv1.weight"], small()["conv1.weight"], rtol=0, atol=0)
    assert about["licence"] == row.licence


def test_a_wrong_digest_leaves_nothing(server: Server, tmp_path: Path) -> None:
    row = WEIGHTS["resnet50_imagenet"]
    server.pages["/x"] = Page(body=b"something else")
    row = replace(row, archive=replace(row.archive, urls=(f"{server.url}/x",)))
    with pytest.raises(OSError, match=r"SHA-256 is [0-9a-f]{64}, expected 0676ba61"):
        convert_weights(row, tmp_path / "archives", tmp_path / "w.safetensors", HASTE)
    assert list((tmp_path / "archives").iterdir()) == []
    assert not (tmp_path / "w.safetensors").exists()


def test_without_a_network_the_message_says_what_to_put_where(server: Server, tmp_path: Path) -> None:
    row = WEIGHTS["resnet50_imagenet"]
    urls = (f"{server.url}/{row.archive.name}",)
    row = replace(row, archive=replace(row.archive, urls=urls))
    with pytest.raises(DownloadError) as caught:
        convert_weights(row, tmp_path / "archives", tmp_path / "w.safetensors", HASTE)
    assert urls[0] in str(caught.value)
    assert f"copy it to {tmp_path / 'archives' / 'resnet50-0676ba61.pth'}" in str(caught.value)


class Trap:
    """Runs a command when it is unpickled."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch {self.sign}",)


@pytest.mark.parametrize("new", [True, False])
def test_a_pickle_that_would_run_something_is_refused(tmp_path: Path, new: bool) -> None:
    sign = tmp_path / "sign"
    content = {**small(), "trap": Trap(sign)}
    row = save_published(WEIGHTS["resnet50_imagenet"], tmp_path, content, _use_new_zipfile_serialization=new)
    with pytest.raises(ValueError, match=r"resnet50-0676ba61\.pth: contains posix\.system, expected tensors") as caught:
        convert_weights(row, tmp_path, tmp_path / "w.safetensors", HASTE)
    assert "\n" not in str(caught.value)
    assert not sign.exists()
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("new", [True, False])
def test_a_damaged_file_is_refused_in_one_line(tmp_path: Path, new: bool) -> None:
    row = save_published(WEIGHTS["resnet50_imagenet"], tmp_path, small(), _use_new_zipfile_serialization=new)
    path = tmp_path / row.archive.name
    whole = path.read_bytes()
    row = replace(row, archive=replace(row.archive, sha256=None))
    cut = [whole[:length] for length in range(0, len(whole), max(len(whole) // 60, 1))]
    for content in (*cut, b"<html>no</html>", b"hello"):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"0676ba61\.pth: (truncated or not a file of torch\.save|contains)"
        ) as caught:
            convert_weights(row, tmp_path, tmp_path / "w.safetensors", HASTE)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("resnet50_imagenet", [torch.ones(2)], "expected names and tensors; this is not"),
        ("resnet50_imagenet", {"epoch": 3, "model": small()}, "expected names and tensors; this is not"),
        ("resnet50_imagenet", {"fc.weight": torch.ones(2)}, "has no tensor of a backbone"),
        ("erfnet_imagenet", small(), "expected names and tensors under 'state_dict'"),
        ("erfnet_imagenet", {"state_dict": small()}, r"has no tensor module\.features\.encoder\.\*;"),
    ],
)
def test_tensors_of_another_file_are_refused(tmp_path: Path, name: str, content: Any, message: str) -> None:
    row = save_published(WEIGHTS[name], tmp_path, content)
    with pytest.raises(ValueError, match=message):
        convert_weights(row, tmp_path, tmp_path / "w.safetensors", HASTE)
    assert not (tmp_path / "w.safetensors").exists()


def test_the_stage_itself_refuses_a_file_that_is_not_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "resnet34-b627a593.pth").write_bytes(b"not this")
    command = [sys.executable, "-m", "seg.models.fetch_weights", "--weights", "resnet34_imagenet"]
    command += ["--archives", str(tmp_path), "--out", str(tmp_path / "w.safetensors")]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*b627a593\.pth: SHA-256 is .*, expected b627a593.*; delete .*\n", done.stderr)
    assert not (tmp_path / "w.safetensors").exists()
