"""Labels of 1024x2048 from logits of 19 classes."""

from collections.abc import Callable

import torch
import torch.nn.functional as F

from benchmarks.timing import Row, compare, report
from seg.metrics.labels import predict_labels

Plain = Callable[[torch.Tensor], torch.Tensor]
SIZE = (1024, 2048)
LAYOUTS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}


def measure() -> list[Row]:
    """Compare with `argmax`, and with `interpolate` and `argmax`, in both memory formats."""
    torch.manual_seed(0)
    full, small = torch.randn(1, 19, *SIZE), torch.randn(1, 19, 256, 512)
    rows = []
    for name, layout in LAYOUTS.items():
        for dtype in (torch.float32, torch.bfloat16):
            logits = full.to(dtype, memory_format=layout)
            rows += _compared(f"argmax, {name} {_short(dtype)}", logits, "argmax(1)", lambda x: x.argmax(1))
    for name, layout in LAYOUTS.items():
        logits = small.to(memory_format=layout)
        rows += _compared(f"upsample x4 and argmax, {name} fp32", logits, "interpolate, argmax(1)", _plain)
    return rows


def _plain(logits: torch.Tensor) -> torch.Tensor:
    return F.interpolate(logits, SIZE, mode="bilinear").argmax(1)


def _compared(what: str, logits: torch.Tensor, name: str, plain: Plain) -> list[Row]:
    assert torch.equal(predict_labels(logits, SIZE), plain(logits).byte())
    references = {name: (lambda: plain(logits), 2)}
    return compare(what, lambda: predict_labels(logits, SIZE), references, unit="images/s", amount=1)


def _short(dtype: torch.dtype) -> str:
    return {torch.float32: "fp32", torch.bfloat16: "bf16"}[dtype]


if __name__ == "__main__":
    report(measure)
