"""Logits of large pictures in overlapping tiles: blended without seams, in memory that does not grow with the height.

A tile's logits near its border miss what lies beyond it. Of the overlap of two tiles, the outer quarters are discarded
and the half in the middle is blended linearly. For a network whose receptive field reaches no further than a quarter of
the overlap, the result equals that of the whole picture.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

_ALIGNMENT = 32  # pixels: tiles start at multiples of the networks' largest stride, as the whole picture does


class Span(NamedTuple):
    """A tile along one side: `start` to `stop` in pixels, of which `first` to `last` are used.

    The weights of the first `fade_in` pixels rise, those of the last `fade_out` fall; with those of the neighbours they
    sum to 1.
    """

    start: int
    stop: int
    first: int
    last: int
    fade_in: int
    fade_out: int

    def weights(self) -> Tensor:
        """Weights (last - first,) float32."""
        weights = torch.ones(self.last - self.first)
        if self.fade_in:
            weights[: self.fade_in] = _ramp(self.fade_in)
        if self.fade_out:
            weights[-self.fade_out :] = 1 - _ramp(self.fade_out)
        return weights


def _ramp(length: int) -> Tensor:
    return torch.arange(1, length + 1) / (length + 1)


def tile_spans(length: int, tile: int, overlap: int) -> list[Span]:
    """Tiles of at least `tile` pixels (the last one up to 31 more) that overlap by at least `overlap` pixels.

    Raises:
        ValueError: the overlap is more than half of the tile.
    """
    if not 0 <= overlap <= tile // 2:
        raise ValueError(f"--overlap {overlap}: expected 0 to {tile // 2}, half of the tiles' shorter side")
    alignment = _ALIGNMENT if tile - overlap >= _ALIGNMENT else 1
    last = max(length - tile, 0) // alignment * alignment
    starts = [*range(0, last, (tile - overlap) // alignment * alignment), last]
    fade = overlap // 2
    spans, first, fade_in = [], 0, 0
    for start, following in pairwise(starts):
        stop = start + tile
        last = (following + stop) // 2 - fade // 2 + fade  # the fade is in the middle of the overlap
        spans.append(Span(start, stop, first, last, fade_in, fade))
        first, fade_in = last - fade, fade
    return [*spans, Span(starts[-1], length, first, length, fade_in, 0)]


def blend_tiles(
    tiles: Iterator[Tensor], rows: list[Span], columns: list[Span]
) -> Iterator[tuple[slice, slice, Tensor]]:
    """Rows, columns and logits (C, h, w) float32 of the regions of a picture, row by row and from left to right.

    Args:
        tiles: logits (C, h, w) of the tiles in the same order, each taken when it is needed.
        rows, columns: tiles along both sides, see `tile_spans`.
    """
    above = below = beside = None
    for row in rows:
        for column in columns:
            logits = next(tiles).float()
            weights = row.weights()[:, None] * column.weights()
            used = slice(row.first - row.start, row.last - row.start), slice(*(x - column.start for x in column[2:4]))
            part = logits[:, used[0], used[1]] * weights.to(logits.device)
            if beside is not None and column.fade_in:
                part[:, :, : column.fade_in] += beside
            done, ready = part.shape[2] - column.fade_out, part.shape[1] - row.fade_out
            where = slice(column.first, column.first + done)
            beside = part[:, :, done:].clone()
            if above is not None and row.fade_in:
                part[:, : row.fade_in, :done] += above[:, :, where]
            if row.fade_out:
                if below is None:
                    below = part.new_empty(len(part), row.fade_out, columns[-1].last)
                below[:, :, where] = part[:, ready:, :done]
            yield slice(row.first, row.first + ready), where, part[:, :ready, :done]
        above, below = below, None
