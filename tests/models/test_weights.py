"""Weights files: written, read into a backbone, and refused if they do not fit."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from seg.models.weights import load_backbone, load_fitting, read_weights, write_weights

ABOUT = {"name": "x", "source": "https://example.org/x.pth", "sha256": "0" * 64, "licence": "CC0"}


class Net(nn.Module):
    def __init__(self, classes: int = 2) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.head = nn.Conv2d(4, classes, 1)


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


def trained(classes: int = 2) -> dict[str, Tensor]:
    """State dict of a whole network that was trained."""
    torch.manual_seed(3)
    return {name: torch.rand(tensor.shape) for name, tensor in Net(classes).state_dict().items()}


NAMES: dict[str, Callable[[str], str]] = {
    "the same": str,
    "of DistributedDataParallel": lambda name: f"module.{name}",
    "of a compiled network": lambda name: f"_orig_mod.{name}",
}


@pytest.mark.parametrize("rename", NAMES.values(), ids=NAMES.keys())
def test_a_network_starts_from_the_tensors_that_fit(tmp_path: Path, rename: Callable[[str], str]) -> None:
    given, path = trained(3), tmp_path / "w.safetensors"
    save_file({rename(name): tensor for name, tensor in given.items()}, path)
    model, about, message = load_fitting(Net, "net", path, ["wall", "crack"])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, given[name].to(tensor.dtype)) == name.startswith("backbone")
    reasons = {"head.weight": "(3, 4, 1, 1), expected (2, 4, 1, 1)", "head.bias": "(3,), expected (2,)"}
    assert (about["loaded"], about["not_loaded"]) == (7, reasons)
    assert message == (
        f"{path}: 7 tensors loaded; not loaded: head.weight ((3, 4, 1, 1), expected (2, 4, 1, 1)); "
        "head.bias ((3,), expected (2,))"
    )


@pytest.mark.parametrize(("classes", "loaded"), [(["wall", "crack"], 9), (["crack", "wall"], 7), (["a", "b"], 7)])
def test_the_head_of_other_classes_does_not_fit(tmp_path: Path, classes: list[str], loaded: int) -> None:
    write_weights(tmp_path / "w.safetensors", trained(), {"classes": ["wall", "crack"]})
    _, about, message = load_fitting(Net, "net", tmp_path / "w.safetensors", classes)
    assert about["loaded"] == loaded
    other = {"head.weight": "of other classes", "head.bias": "of other classes"}
    assert about["not_loaded"] == (other if loaded == 7 else {})
    assert message.endswith("not loaded: none") == (loaded == 9)


def test_a_network_starts_from_the_file_of_a_backbone(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", state() | {"fc.weight": torch.ones(3)}, ABOUT)
    model, about, _ = load_fitting(Net, "net", tmp_path / "w.safetensors", ["wall", "crack"], frozen=True)
    assert torch.equal(model.state_dict()["backbone.0.weight"], state()["0.weight"])
    assert about["not_loaded"]["backbone.fc.weight"] == "not in this network"
    assert about["not_loaded"]["head.bias"] == "not in the file"


class Deep(nn.Module):
    """10 parameters in the backbone, 30 and those of the head beside it."""

    def __init__(self, classes: int, backbone: str = "backbone") -> None:
        super().__init__()
        self.add_module(backbone, nn.Linear(9, 1))
        self.neck, self.head = nn.Linear(29, 1), nn.Linear(1, classes)


@pytest.mark.parametrize(
    ("parts", "backbone", "share"),
    [
        (["encoder", "neck"], "encoder", ""),
        (["backbone"], "backbone", ""),  # 23%, but the whole backbone
        (["encoder"], "encoder", "23%"),
        (["encoder", "head"], "encoder", "32%"),
    ],
)
def test_a_file_must_have_half_of_the_parameters_or_the_backbone(
    tmp_path: Path, parts: list[str], backbone: str, share: str
) -> None:
    tensors = {k: v for k, v in Deep(2, backbone).state_dict().items() if k.partition(".")[0] in parts}
    save_file(tensors, tmp_path / "w.safetensors")
    start = partial(load_fitting, lambda n: Deep(n, backbone), "deep", tmp_path / "w.safetensors", ["wall", "crack"])
    if not share:
        assert start()[1]["loaded"] == len(tensors)
        return
    with pytest.raises(
        ValueError,
        match=rf"w\.safetensors: {share} of the parameters of this deep fit, expected 50% or the whole backbone .*",
    ):
        start()


def test_a_checkpoint_of_another_architecture(tmp_path: Path) -> None:
    write_weights(tmp_path / "w.safetensors", trained(), {"recipe": {"model": {"name": "u_lite"}}})
    with pytest.raises(
        ValueError, match=r"is a checkpoint of u_lite, expected one of net; .*model: \{ name: u_lite \}"
    ):
        load_fitting(Net, "net", tmp_path / "w.safetensors", ["wall", "crack"])


@pytest.mark.parametrize(
    ("content", "frozen", "message"),
    [
        (
            {"encoder.conv": torch.ones(3)},
            False,
            "no tensor fits this network .encoder.conv: not in",
        ),
        ({"backbone.1.num_batches_tracked": torch.tensor(3)}, False, "no tensor fits this network"),
        ({}, False, "no tensor fits this network"),
        ({"backbone.0.bias": torch.ones(4)}, True, r"lacks tensors of the frozen backbone: backbone\.0\.weight; "),
        (b"PK\x03\x04 a renamed pickle", False, "damaged or not written by this version"),
    ],
)
def test_checkpoints_of_other_networks_are_refused(
    tmp_path: Path, content: bytes | dict[str, Tensor], frozen: bool, message: str
) -> None:
    path = tmp_path / "w.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    with pytest.raises(ValueError, match=message) as caught:
        load_fitting(Net, "net", path, ["wall", "crack"], frozen)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
