"""Export of a checkpoint for other programs: ONNX, or `torch.export` (.pt2), with what is needed to use it as metadata.

The exported network takes images float32 (N, C, H, W) with values from 0 to 255, scales them as in training, and
returns logits float32 (N, classes, H, W). Before the file is written, it is run and compared with the checkpoint.
"""

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from seg.config.description import ImageForm
from seg.config.schema import SMALLEST_SIDE
from seg.data.loader import channel_scaling, scaled
from seg.evaluation.export_formats import (
    EXPORT_ENDINGS,
    ExportedRunError,
    RunExported,
    library,
    load_onnx,
    load_pt2,
    write_onnx,
    write_pt2,
)
from seg.evaluation.predict_inputs import check_targets
from seg.models.checkpoint import Checkpoint, load_checkpoint
from seg.system.files import sha256, written_whole
from seg.system.memory import bounded_memory

EXPORT_VERSION = 1  # of the metadata; increases when older files would be misread
_STEPS = (1, 16, 32, 64, 0)  # pixels, in the order in which they are tried, see `Exported.step`
_LARGEST_SIDE = 1 << 20  # pixels; a dimension needs a bound
_TOLERANCE = 1e-4  # of logits up to 10; of larger ones, 1e-5 of the largest, as deep networks in float32 round


class Exported(NamedTuple):
    """A program, and in which steps of pixels its height and width may differ from the evaluation size; 0: not at all.

    `continuous` is false if it puts values back at the positions of maxima, as SegNet does: a difference of one bit
    between two values that are nearly equal then changes the position, and logits around it.
    """

    program: ExportedProgram
    step: int
    continuous: bool


class Deployed(nn.Module):
    """A network for images with values from 0 to 255, which it scales by `mean` and `std` of each channel."""

    mean: Tensor
    factor: Tensor

    def __init__(self, network: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("mean", 255 * torch.tensor(mean)[:, None, None])
        self.register_buffer("factor", 1 / (255 * torch.tensor(std)[:, None, None]))
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.__class__ = nn.BatchNorm2d  # subclasses differ in training only, and branch on the size

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 -> (N, classes, H, W)."""
        logits: Tensor = self.network((images - self.mean) * self.factor)
        return logits


def export_model(
    model: Path, out: Path, kind: str = "onnx", fixed: bool = False, overwrite: bool = False
) -> tuple[dict[str, Any], float]:
    """Write an exported network, whole or not at all.

    Args:
        model: checkpoint.
        out: file to write.
        kind: key of `EXPORT_ENDINGS`.
        fixed: fix height and width to the evaluation size, also if the network does not require it.
        overwrite: replace an existing file.

    Returns:
        The metadata, and the largest difference between its logits and those of the checkpoint.

    Raises:
        ValueError: the checkpoint is damaged, `out` exists or has another ending, a library is missing, or the exported
            network differs from the checkpoint.
    """
    if out.suffix != EXPORT_ENDINGS[kind]:
        raise ValueError(f"--out {out}: expected a name that ends in {EXPORT_ENDINGS[kind]}, that of --format {kind}")
    check_targets(model, [], out.parent, [(out, "the exported network")], overwrite)
    write, load = (write_onnx, load_onnx) if kind == "onnx" else (write_pt2, load_pt2)
    if kind == "onnx":
        for name in ("onnx", "onnxscript", "onnxruntime"):
            library(name)
    checkpoint = load_checkpoint(model)
    if "eval_size" not in checkpoint.about:
        raise ValueError(f"{model}: has no eval_size, as it was trained by an earlier version; train again")
    about = _metadata(model, checkpoint)
    height, width = about["input_size"]
    deployed = Deployed(copy.deepcopy(checkpoint.model), about["scaling"]["mean"], about["scaling"]["std"])
    deployed = deployed.eval().to(memory_format=torch.contiguous_format)

    def compare(part: Path, exported: Exported) -> float:
        return _compare(out, checkpoint, load(part), exported, about)

    with (
        bounded_memory(f"{model}: {width}x{height} pixels", "export it on a machine with more memory", 0),
        written_whole(out) as (part,),
    ):
        difference = _write_exported(deployed, about, part, write, [0] if fixed else _STEPS, compare)
    return about, difference


def _metadata(model: Path, checkpoint: Checkpoint) -> dict[str, Any]:
    """Everything but `size_step`, as JSON values; docs/how-to/export.md describes the keys."""
    about, recipe = checkpoint.about, checkpoint.recipe
    form = ImageForm.model_validate(about.get("form", {}))
    mean, std = channel_scaling(recipe.scaling, form.channel_count())
    return {
        "export_version": EXPORT_VERSION,
        "model": recipe.model.model_dump(mode="json"),
        "classes": about["classes"],
        "palette": about["palette"],
        "ids": about.get("label_values", list(range(len(about["classes"])))),
        "input_size": list(about["eval_size"]),
        "channels": form.channel_count(),
        "bands": list(form.bands) if form.bands else None,
        "range": form.range,
        "resize": form.resize,
        "scaling": {"name": recipe.scaling, "mean": mean, "std": std},
        "sha256": sha256(model),
        "versions": about.get("versions", {}),
        "code": about.get("code"),
    }


def _write_exported(
    deployed: Deployed,
    about: dict[str, Any],
    path: Path,
    write: Callable[..., None],
    steps: Sequence[int],
    compare: Callable[[Path, Exported], float],
) -> float:
    """Write the network with the first of the steps with which it can be exported, which becomes `size_step`.

    Returns:
        The largest difference between its logits and those of the checkpoint.
    """
    reason = ""
    for step in steps:
        if step and any(side < max(SMALLEST_SIDE, _fewest(side, step) * step) for side in about["input_size"]):
            continue
        about["size_step"] = step
        try:
            exported = _trace(deployed, about["channels"], about["input_size"], step)
            write(exported.program, about, path)
        except RuntimeError as error:  # of torch.export and of torch.onnx
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            continue
        try:
            return compare(path, exported)
        except ExportedRunError as error:
            reason = str(error).splitlines()[0]
    raise ValueError(f"{about['model']['name']}: cannot be exported ({reason})")


def _trace(deployed: Deployed, channels: int, size: list[int], step: int) -> Exported:
    """Trace the network; the number of images is always free.

    Layers whose sizes depend on whether a side is even (transposed convolutions, pooling that rounds) are traced for
    one remainder of the sides by the network's stride.
    """
    dims = {0: Dim("batch")} | {2 + k: _dim(f"side{k}", side, step) for k, side in enumerate(size) if step}
    images = torch.zeros(2, channels, *(max(side, 2 * step + side % max(step, 1)) for side in size))  # 1 would be fixed
    program = torch.export.export(deployed, (images,), dynamic_shapes={"images": dims})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # paths of this machine
    return Exported(program, step, not any("scatter" in str(node.target) for node in program.graph.nodes))


def _dim(name: str, side: int, step: int) -> Any:
    """Sides that differ from `side` by a multiple of `step`."""
    if step == 1:
        return Dim(name, min=SMALLEST_SIDE, max=_LARGEST_SIDE)
    steps = step * Dim(name, min=_fewest(side, step), max=_LARGEST_SIDE // step)
    return steps + side % step if side % step else steps


def _fewest(side: int, step: int) -> int:
    """Whole steps in a side that has more than one pixel at the lowest resolution."""
    return 1 if side % step else 2


def _compare(out: Path, checkpoint: Checkpoint, run: RunExported, exported: Exported, about: dict[str, Any]) -> float:
    """Largest difference of the logits, of two numbers and sizes of images. Raises ValueError if it is too large."""
    generator, differences = np.random.default_rng(0), []
    for number, size in enumerate(_sizes_to_compare(about["input_size"], exported.step), start=1):
        images = generator.integers(0, 256, (number, about["channels"], *size), np.uint8)
        with torch.inference_mode():
            expected = checkpoint.model(scaled(torch.from_numpy(images), checkpoint.recipe.scaling)).numpy()
        if not np.isfinite(expected).all():
            raise ValueError(
                "the logits of the checkpoint are not finite: the training diverged; lower lr, train again"
            )
        found = run(images.astype(np.float32))
        apart = np.abs(found - expected)
        differences.append(float(apart.max()))
        limit = _TOLERANCE * max(1.0, float(np.abs(expected).max()) / 10)
        if not (apart.max() if exported.continuous else np.median(apart)) <= limit:
            raise ValueError(
                f"{out}: the logits of the exported network differ by {differences[-1]:.2g} from those of the "
                f"checkpoint, expected at most {limit:.2g}; nothing is written"
            )
    return max(differences)


def _sizes_to_compare(size: list[int], step: int) -> list[list[int]]:
    """Sizes of the images that are compared: that of the evaluation and another, if there is one."""
    if not step:
        return [size, size]
    return [size, [min(side, 64 + side % 64) + max(step, 5) for side in size]]
