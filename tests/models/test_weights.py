"""Weights files: written, read into a backbone, and refused if they do not fit."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from seg.models.weights import load_backbone, read_weights, write_weights

ABOUT = {"name": "x", "source": "https://example.org/x.pth", "sha256": "0" * 64, "licence": "CC0"}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, 2, 1)


def state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return {name: torch.rand(tensor.shape) for name, tensor in Net().backbone.state_dict().items()}


def test_the_backbone_takes_the_weights_and_nothing_else_changes(tmp_path: Path) -> None:
    given = {name: tensor for name, tensor in state().items() if "num_batches" not in name}
    write_weights(tmp_path / "w.safetensors", {**given, "layer4.0.conv1.weight": torch.ones(3)}, ABOUT)
    torch.manual_seed(2)
    model = Net()
    head, counter = model.head.weight.clone(), int(model.backbone[1].num_batches_tracked)
    assert load_backbone(model, tmp_path / "w.safetensors") == ABOUT
    for name, tensor in given.items():
        torch.testing.assert_close(model.backbone.state_dict()[name], tensor, rtol=0, atol=0)
    torch.testing.assert_close(model.head.weight, head, rtol=0, atol=0)
    assert int(model.backbone[1].num_batches_tracked) == counter


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_weights(tmp_path / name, state(), ABOUT)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": None}, r"0\.weight is missing"),
        ({"0.bias": torch.ones(5)}, r"0\.bias is \(5,\), expected \(4,\)"),
        ({"0.weight": None, "1.running_var": torch.ones(2, 2)}, r"0\.weight is missing; 1\.running_var is \(2, 2\)"),
        (dict.fromkeys(["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"]), "and 1 more"),
    ],
)
def test_weights_of_another_network_are_refused_and_change_nothing(
    tmp_path: Path, change: dict[str, Tensor | None], message: str
) -> None:
    given = {name: tensor for name, tensor in {**state(), **change}.items() if tensor is not None}
    write_weights(tmp_path / "w.safetensors", given, ABOUT)
    model = Net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match=message) as caught:
        load_backbone(model, tmp_path / "w.safetensors")
    assert str(tmp_path / "w.safetensors") in str(caught.value)
    assert "\n" not in str(caught.value)
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_a_model_without_backbone_is_refused(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", state(), ABOUT)
    with pytest.raises(ValueError, match=r"w\.safetensors: Conv2d has no backbone"):
        load_backbone(nn.Conv2d(1, 1, 1), tmp_path / "w.safetensors")


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"w\.safetensors: weights are missing"):
        load_backbone(Net(), tmp_path / "w.safetensors")


def test_a_damaged_or_foreign_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, state(), ABOUT)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"", whole.replace(b'"seg"', b'"sag"')):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"w\.safetensors: weights file is damaged or not written by this version"):
            read_weights(path)
