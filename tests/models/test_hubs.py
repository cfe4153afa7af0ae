"""Networks of segmentation_models_pytorch and torchvision, named in a recipe; building them downloads nothing."""

import socket
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import get_model

from seg.models import build_model

SMP = [
    ("unet", "resnet34"),
    ("unetplusplus", "mobilenet_v2"),
    ("fpn", "efficientnet-b0"),
    ("pspnet", "resnet18"),
    ("deeplabv3plus", "resnet18"),
    ("segformer", "mit_b0"),
    ("unet", "tu-resnet10t"),
]
# A PSPNet does not read the last stages of a ResNet, and an FPN not the head of an EfficientNet.
UNUSED = [("pspnet", "resnet18"), ("fpn", "efficientnet-b0")]
TORCHVISION = ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"]


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object) -> None:
        raise AssertionError("a build may not use the network")

    monkeypatch.setattr(socket.socket, "connect", refused)


def images(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def smp_network(architecture: str, encoder: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model("smp", 5, {"architecture": architecture, "encoder": encoder})


def torchvision_network(architecture: str) -> nn.Module:
    torch.manual_seed(0)
    return build_model("torchvision_zoo", 5, {"architecture": architecture})


def check(model: nn.Module, names: tuple[str, ...]) -> None:
    """Logits have the image's size; every parameter gets a gradient, except in stages that the library does not use."""
    with torch.inference_mode():
        for size in [(64, 96), (33, 65), (50, 39)]:
            logits = model.eval()(images(*size))
            assert logits.shape == (2, 5, *size)
            assert logits.isfinite().all()
    model.train()(images(65, 97)).square().mean().backward()
    unused = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert all(name.startswith("network.encoder.") for name in unused)
    assert not unused or names in UNUSED
    assert model(images(32, 32)[:1]).isfinite().all()  # the last batch of an epoch may have one image


@pytest.mark.parametrize("names", SMP, ids="-".join)
def test_networks_of_smp(names: tuple[str, str]) -> None:
    check(smp_network(*names), names)


@pytest.mark.parametrize("name", TORCHVISION)
def test_networks_of_torchvision(name: str) -> None:
    check(torchvision_network(name), (name,))


def test_smp_pads_by_the_last_row_and_column_and_crops() -> None:
    model = smp_network("linknet", "resnet18").eval()
    x = images(33, 65)
    with torch.inference_mode():
        whole = model.network(F.pad(x, (0, 31, 0, 31), mode="replicate"))
        assert torch.equal(model(x), whole[..., :33, :65])
        assert torch.equal(model(x[..., :32, :64]), model.network(x[..., :32, :64]))


def test_torchvision_gives_the_main_output() -> None:
    model = torchvision_network("lraspp_mobilenet_v3_large").eval()
    x = images(64, 64)
    with torch.inference_mode():
        assert torch.equal(model(x), model.network(x)["out"])


@pytest.mark.parametrize("model", ["smp", "torchvision_zoo"])
def test_backbones_take_the_weights_of_torchvision(model: str) -> None:
    options = {"smp": {"encoder": "resnet50"}, "torchvision_zoo": {"architecture": "fcn_resnet50"}}[model]
    with torch.device("meta"):
        reference = get_model("resnet50", weights=None).state_dict()
    actual = build_model(model, 5, options)
    keys = actual.get_submodule("backbone").state_dict().keys()
    assert keys == {key for key in reference if not key.startswith("fc.")}
    # The property adds no second name, otherwise a checkpoint would hold each tensor twice.
    assert all(key.startswith("network.") for key in actual.state_dict())


@pytest.mark.parametrize("build", [lambda: smp_network(*SMP[0]), lambda: torchvision_network(TORCHVISION[0])])
def test_weights_come_from_the_seed(build: object) -> None:
    one, other = build().state_dict(), build().state_dict()
    assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("smp", {"architecture": "unett"}, r"^architecture 'unett' is unknown to model 'smp'; did you mean unet\?$"),
        ("smp", {"encoder": "resnet35"}, r"^encoder 'resnet35' is unknown to model 'smp'; did you mean resnet\d+\?$"),
        ("smp", {"encoder": "tu-resnet10"}, r"^encoder 'tu-resnet10' is unknown .* did you mean tu-resnet\w+\?$"),
        ("torchvision_zoo", {"architecture": "fcn_resnet51"}, r"^architecture 'fcn_resnet51' .* mean fcn_resnet\d+\?$"),
        ("torchvision_zoo", {"architecture": "resnet50"}, r"^architecture 'resnet50' .* did you mean fcn_resnet50\?$"),
    ],
)
def test_unknown_names_are_refused_with_the_most_similar_one(model: str, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_model(model, 5, options)


def test_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ValueError, match=r"^model 'smp' requires .*; run: pip install -e '\.\[zoo\]'$"):
        build_model("smp", 5, {})
