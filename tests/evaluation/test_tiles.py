"""Overlapping tiles: their positions and weights by hand, and equality with the whole picture."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seg.evaluation.tiles import Span, blend_tiles, tile_spans


def test_positions_by_hand() -> None:
    """Tiles of 96 that overlap by 32 begin every 64 pixels, the last at (250 - 96) // 32 * 32 = 128.

    The overlaps 64 to 96 and 128 to 160 are blended in their middle: 72 to 88 and 136 to 152.
    """
    assert tile_spans(250, 96, 32) == [
        Span(0, 96, 0, 88, 0, 16),
        Span(64, 160, 72, 152, 16, 16),
        Span(128, 250, 136, 250, 16, 0),
    ]
    assert tile_spans(90, 96, 32) == [Span(0, 90, 0, 90, 0, 0)]


@given(st.integers(1, 900), st.integers(32, 200), st.floats(0, 0.5))
def test_weights_of_every_pixel_sum_to_one(length: int, tile: int, share: float) -> None:
    overlap = int(share * tile)
    spans = tile_spans(length, tile, overlap)
    total = torch.zeros(length)
    for span in spans:
        assert span.start <= span.first < span.last <= span.stop <= length
        assert span.stop - span.start <= tile + 31
        total[span.first : span.last] += span.weights()
    assert torch.allclose(total, torch.ones(length))
    for span, after in pairwise(spans):
        assert span.last - after.first == overlap // 2
        assert after.first - after.start >= overlap // 4 - 1  # discarded on either side
        assert span.stop - span.last >= overlap // 4 - 1
        assert span.last - span.fade_out >= span.first + span.fade_in


@pytest.mark.parametrize("overlap", [-1, 33])
def test_overlaps_of_more_than_half_a_tile_are_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match=rf"^--overlap {overlap}: expected 0 to 32, half of the tiles' shorter side$"):
        tile_spans(100, 64, overlap)


class Local(nn.Module):
    """Convolutions of stride 1 and 2 and an interpolation, which see at most 12 pixels in each direction."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2, padding=1))
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        return F.interpolate(self.last(self.layers(images)), images.shape[2:], mode="nearest")


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (250, 190), (64, 500)], ids=str)
def test_tiles_equal_the_whole_picture_for_a_small_receptive_field(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network, image = Local().eval(), torch.rand(1, 3, *size)
    rows, columns = tile_spans(size[0], 96, 48), tile_spans(size[1], 112, 48)
    found, order = torch.full((4, *size), torch.nan), []
    with torch.inference_mode():
        tiles = (network(image[:, :, y.start : y.stop, x.start : x.stop])[0] for y in rows for x in columns)
        for top, left, logits in blend_tiles(tiles, rows, columns):
            assert found[:, top, left].isnan().all()
            found[:, top, left] = logits
            order.append((top.start, left.start))
        torch.testing.assert_close(found, network(image)[0])
    assert order == sorted(order)


def test_disagreeing_tiles_are_blended_linearly() -> None:
    """Two tiles with the logits 0 and 1 that overlap by 8: a ramp of 4 pixels, 1/5 to 4/5."""
    found, columns = torch.empty(1, 1, 40), tile_spans(40, 24, 8)
    tiles = (torch.full((1, 1, each.stop - each.start), float(each.start > 0)) for each in columns)
    for top, left, logits in blend_tiles(tiles, tile_spans(1, 32, 8), columns):
        found[:, top, left] = logits
    assert found[0, 0].tolist() == pytest.approx([0.0] * 18 + [0.2, 0.4, 0.6, 0.8] + [1.0] * 18)
