"""The one form of weights files: safetensors of a backbone's state, with what it is as metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seg.system.files import written_whole
from seg.system.tensors import read_tensors, write_tensors

_NAMED = 5  # faults that a message names; a wrong file has hundreds
_COUNTER = "num_batches_tracked"  # counts training steps; files of before it existed go without


def write_weights(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write a backbone's state and its metadata, whole or not at all; the same content gives the same bytes.

    Args:
        path: file to write.
        state: tensors by the names of `backbone.state_dict()`.
        about: name, source and digest or recipe, licence; JSON values.
    """
    with written_whole(path) as (part,):
        write_tensors(part, state, about)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State and metadata of a weights file.

    Raises:
        ValueError: the file is damaged or none of ours.
        FileNotFoundError: there is no such file.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: weights are missing; seg.models.fetch_weights or seg.training.pretrain make them"
        )
    try:
        return read_tensors(path)
    except ValueError as error:
        raise ValueError(f"{path}: weights file is {error}; delete it and run again") from None


def load_backbone(model: nn.Module, path: Path) -> dict[str, Any]:
    """Put a file's weights into `model.backbone`; what the file has beyond it, such as layers cut off, is ignored.

    Returns:
        The file's metadata, for the record of the training.

    Raises:
        ValueError: the model has no backbone, the file does not fit it, or is damaged.
        FileNotFoundError: there is no such file.
    """
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise ValueError(f"{path}: {type(model).__name__} has no backbone to put weights into; set `weights: null`")
    given, about = read_weights(path)
    state = backbone.state_dict()
    expected = {name: tensor for name, tensor in state.items() if name in given or not name.endswith(_COUNTER)}
    faults = [f"{name} is missing" for name in expected if name not in given]
    faults += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in given and given[name].shape != tensor.shape
    ]
    if faults:
        more = [f"and {len(faults) - _NAMED} more"] if len(faults) > _NAMED else []
        told = "; ".join([*faults[:_NAMED], *more])
        raise ValueError(f"{path}: not the weights of this backbone, {len(given)} tensors: {told}")
    backbone.load_state_dict(state | {name: given[name] for name in expected})
    return about
