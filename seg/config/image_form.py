"""How the image files of a dataset become the channels that a network sees."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from seg.config.base import Count, Frozen, Number

MOST_CHANNELS = 64


class ImageForm(Frozen):
    """How image files become the channels that a network sees.

    Attributes:
        bands: bands of the file in the order of the channels, from 1; null: all.
        channels: number of the channels; null: that of `bands`, else red, green and blue, or grey in their place.
        range: values that become 0 and 255 in files with more than 8 bits per channel, such as `[0, 4095]`; values
            outside are clipped. Images of 8 bits are used unchanged. Without it, deeper images are refused.
        resize: how an image gets the size of a pack: `stretch` changes its aspect, `pad` adds pixels that are not
            scored, `crop` removes what is outside of the largest central part of that aspect.
    """

    bands: Annotated[tuple[Count, ...], Field(strict=False, min_length=1, max_length=MOST_CHANNELS)] | None = None
    channels: Annotated[int, Field(ge=1, le=MOST_CHANNELS)] | None = None
    range: Annotated[tuple[Number, Number], Field(strict=False)] | None = None
    resize: Literal["stretch", "pad", "crop"] = "stretch"

    def form(self) -> "ImageForm":
        """These values alone."""
        return ImageForm(**{key: getattr(self, key) for key in ImageForm.model_fields})

    def channel_count(self) -> int:
        """Number of channels."""
        return len(self.bands) if self.bands else self.channels or 3

    @model_validator(mode="after")
    def _consistent_form(self) -> "ImageForm":
        if self.range and self.range[0] >= self.range[1]:
            raise ValueError(f"range: got {list(self.range)}, expected the lower value first, such as [0, 4095]")
        if self.bands and self.channels not in (None, len(self.bands)):
            raise ValueError(f"channels: got {self.channels}, but {len(self.bands)} bands; give one of the two")
        return self
