"""How a network is applied in evaluation and prediction: values that change no training."""

from typing import Annotated

from pydantic import Field, model_validator

from seg.config.base import Count, Part, Positive
from seg.config.messages import parse_option
from seg.system.files import canonical_json

Extent = Annotated[tuple[Count, Count], Field(strict=False)]  # YAML and JSON have lists only


class Inference(Part):
    """Test-time augmentation and sliding windows; the logits of all passes are averaged.

    By default the network sees each image once, at the evaluation size. A change evaluates and makes the tables again,
    and trains nothing; the notes of the table name the passes.

    Attributes:
        flip: mirrored images as well.
        scales: factors of the size of the image, such as `[0.75, 1.0, 1.25]`; logits are resized back.
        window, stride: `[height, width]` in pixels: the network sees one window at a time, at steps of `stride`; the
            last window of a row or column ends at the border of the image. Both or neither.
    """

    flip: bool = False
    scales: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)] = (1.0,)
    window: Extent | None = None
    stride: Extent | None = None

    @model_validator(mode="after")
    def _covers(self) -> "Inference":
        if (self.window is None) != (self.stride is None):
            raise ValueError(f"got window {self.window} and stride {self.stride}; give both or neither")
        if self.window and self.stride and (self.stride[0] > self.window[0] or self.stride[1] > self.window[1]):
            raise ValueError(f"stride {self.stride} is larger than window {self.window}, which leaves gaps")
        return self

    def json_line(self) -> str:
        """The values as one canonical line, for a command."""
        return canonical_json(self.model_dump(mode="json"))


def inference_from_json(text: str) -> Inference:
    """Parse the value of `--inference`. Raises ValueError, one line per error, if it is not valid."""
    return parse_option(Inference, "--inference", text, 'give for example {"flip": true}')
