"""Averages of logits by hand: mirrored images, scales and windows."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seg.config.inference import Inference, inference_from_json
from seg.evaluation.passes import average_logits, live_bytes, window_starts


def image(*rows: list[float]) -> Tensor:
    """One channel of three as (1, 3, H, W)."""
    return torch.tensor([rows]).expand(3, -1, -1)[None].clone()


def shifted(images: Tensor) -> Tensor:
    """A network that copies each pixel's left neighbour: (B, 1, H, W); the first column gets 0."""
    return F.pad(images[:, :1, :, :-1], (1, 0))


def test_mirrored_logits_are_mirrored_back_and_averaged() -> None:
    """1 2 4 becomes 0 1 2; its mirror image 4 2 1 becomes 0 4 2, back 2 4 0; their mean is 1 2.5 1."""
    found = average_logits(shifted, image([1, 2, 4]), Inference(flip=True))
    assert found.tolist() == [[[[1, 2.5, 1]]]]


def test_logits_of_scales_are_resized_and_averaged() -> None:
    seen = []

    def constant(images: Tensor) -> Tensor:
        seen.append(tuple(images.shape[2:]))
        return torch.full_like(images[:, :1], images.shape[3])

    found = average_logits(constant, torch.zeros(2, 3, 4, 6), Inference(scales=(1.0, 0.5, 1.25)))
    assert seen == [(4, 6), (2, 3), (5, 8)]  # 1.25 x 6 = 7.5, rounded to the even 8
    assert torch.allclose(found, torch.full((2, 1, 4, 6), (6 + 3 + 8) / 3))


def test_the_logits_of_one_scale_are_interpolated() -> None:
    images = torch.rand(1, 3, 8, 12)
    found = average_logits(lambda x: 2 * x, images, Inference(scales=(0.5,)))
    small = F.interpolate(images, (4, 6), mode="bilinear", antialias=True)
    assert torch.allclose(found, F.interpolate(2 * small, (8, 12), mode="bilinear"))


def test_windows_overlap_and_end_at_the_border() -> None:
    """Windows of 3 pixels at steps of 2 on 6 pixels begin at 0, 2 and 3."""
    inference = Inference(window=(1, 3), stride=(1, 2))
    found = average_logits(shifted, image([1, 2, 3, 4, 5, 6]), inference)
    # 0 1 2 - - -, - - 0 3 4 -, - - - 0 4 5
    assert found.tolist() == [[[[0, 1, (2 + 0) / 2, (3 + 0) / 2, (4 + 4) / 2, 5]]]]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_window_of_the_image_or_larger_is_plain(batch: int) -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 5, 3, padding=1)
    images = torch.rand(batch, 3, 7, 9)
    with torch.inference_mode():
        plain = average_logits(network, images, Inference())
        for window in ((7, 9), (7, 30), (8, 10)):
            assert torch.equal(average_logits(network, images, Inference(window=window, stride=window)), plain)


def test_a_single_pass_keeps_the_logits() -> None:
    logits = torch.rand(1, 3, 4, 4).bfloat16()
    assert average_logits(lambda x: logits, torch.rand(1, 3, 4, 4), Inference()) is logits
    assert average_logits(lambda x: logits, torch.rand(1, 3, 4, 4), Inference(flip=True)).dtype == torch.float32


def test_a_pointwise_network_is_unchanged_by_flips_and_windows() -> None:
    torch.manual_seed(0)
    network = nn.Conv2d(3, 5, 1)
    images = torch.rand(2, 3, 11, 13)
    inference = Inference(flip=True, window=(4, 5), stride=(3, 2))
    with torch.inference_mode():
        assert torch.allclose(average_logits(network, images, inference), network(images), atol=1e-6)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60))
def test_windows_cover_every_pixel(length: int, window: int, stride: int) -> None:
    window = min(window, length)
    stride = min(stride, window)
    starts = window_starts(length, window, stride)
    covered = {pixel for start in starts for pixel in range(start, start + window)}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"window": [4, 4]}', "got window (4, 4) and stride None; give both or neither"),
        ('{"window": [4, 4], "stride": [4, 5]}', "stride (4, 5) is larger than window (4, 4), which leaves gaps"),
        ('{"scales": []}', "scales: "),
        ('{"scales": [1.0, 0]}', "scales.1: "),
        ('{"flips": true}', "flips: unknown; did you mean flip?"),
        ("{", "not JSON ("),
    ],
)
def test_impossible_values_are_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match="--inference: ") as caught:
        inference_from_json(text)
    assert str(caught.value).startswith(f"--inference: {message}")
    assert len(str(caught.value).splitlines()) == 1


def test_json_reads_back() -> None:
    inference = Inference(flip=True, scales=(0.5, 1.0), window=(32, 64), stride=(16, 64))
    assert inference_from_json(inference.json_line()) == inference
    assert inference_from_json("{}") == Inference()


def test_bytes_that_layers_keep_at_the_same_time() -> None:
    """The last layer adds to its input 2 the output 5, while the skip of 3 channels is kept: 10 numbers per pixel."""

    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(
                [nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 1), nn.Conv2d(2, 5, 1)]
            )

        def forward(self, images: Tensor) -> Tensor:
            skip = images * 2
            x = self.layers[1](self.layers[0](skip))
            x = self.layers[2](x)
            return self.layers[3](x)[:, :3] + skip

    assert live_bytes(Skip()) == 4 * (3 + 2 + 5)
