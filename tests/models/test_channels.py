"""Every network sees images of any number of channels, and starts from weights for RGB."""

from pathlib import Path
from typing import Any

import pytest
import torch
from timm.models import adapt_input_conv

from seg.config.params import read_params
from seg.models import build_model
from seg.models.channels import repeat_channels
from seg.models.weights import load_backbone, write_weights

CLASSES = 5
PARAMS = read_params(Path(__file__).parents[2] / "params.yaml")
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    str(model): (model.name, dict(model.options))
    for study, row in PARAMS.studies.items()
    for variant in row.variants
    for model in [PARAMS.recipe(PARAMS.preset, study, variant, 0).model]
} | {
    "torchvision": ("torchvision_zoo", {"architecture": "lraspp_mobilenet_v3_large"}),
    "smp": ("smp", {"architecture": "unet", "encoder": "resnet34"}),
}


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
@pytest.mark.parametrize("model", MODELS)
def test_any_network_sees_any_channels(model: str, channels: int) -> None:
    name, options = MODELS[model]
    with torch.device("meta"):
        plain, network = (build_model(name, CLASSES, options, each).eval() for each in (3, channels))
        assert network(torch.empty(2, channels, 64, 96)).shape == (2, CLASSES, 64, 96)
    shapes = [{key: tuple(value.shape) for key, value in each.state_dict().items()} for each in (plain, network)]
    changed = {key: shape for key, shape in shapes[1].items() if shape != shapes[0][key]}
    (key,) = changed
    assert changed[key] == (shapes[0][key][0], channels, *shapes[0][key][2:])


@pytest.mark.parametrize("channels", [1, 2, 4, 5, 13])
def test_weights_are_repeated_as_in_timm(channels: int) -> None:
    weight = torch.randn(8, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(repeat_channels(weight, channels), adapt_input_conv(channels, weight))


@pytest.mark.parametrize("channels", [1, 6])
@pytest.mark.parametrize(("name", "options"), [("resnet_fcn", {}), ("erfnet", {}), ("darrennet", {"stem": "resnet34"})])
def test_weights_for_rgb_give_the_same_features_of_grey_images(
    tmp_path: Path, name: str, options: dict[str, Any], channels: int
) -> None:
    rgb = build_model(name, CLASSES, options).eval()
    backbone = rgb.get_submodule("backbone")
    write_weights(tmp_path / "w.safetensors", backbone.state_dict(), {"name": "rgb"})
    network = build_model(name, CLASSES, options, channels).eval()
    load_backbone(network, tmp_path / "w.safetensors")
    grey = torch.rand(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected, found = (
            backbone(grey.repeat(1, 3, 1, 1)),
            network.get_submodule("backbone")(grey.repeat(1, channels, 1, 1)),
        )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_the_other_weights_do_not_depend_on_the_channels() -> None:
    states = []
    for channels in (3, 5):
        torch.manual_seed(0)
        states.append(build_model("fcn", CLASSES, {}, channels).state_dict())
    differ = [key for key in states[0] if not torch.equal(states[0][key], states[1][key])]
    assert differ == ["encoder.0.convolution.weight"]
