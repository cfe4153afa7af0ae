"""Weights files: the state dict of a backbone as safetensors, with its source as metadata."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seg.system.files import written_whole
from seg.system.tensors import read_tensors, write_tensors

_REPORTED = 5  # faults in a message; a wrong file has hundreds
_COUNTER = "num_batches_tracked"  # of batch norm; missing in files from before torch 0.4.1


def write_weights(path: Path, state: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the state dict of a backbone and metadata, whole or not at all; the same content gives the same bytes.

    `state` has the keys of `backbone.state_dict()`; `about` has JSON values: name, source, licence, digest or recipe.
    """
    with written_whole(path) as (part,):
        write_tensors(part, state, about)


def read_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State dict and metadata of a weights file.

    Raises:
        ValueError: the file is damaged or not a weights file of seg.
        FileNotFoundError: the file is missing.
    """
    if not path.exists():
        raise FileNotFoundError(
            f"{path}: weights are missing; make them with seg.models.fetch_weights or seg.training.pretrain"
        )
    try:
        return read_tensors(path)
    except ValueError as error:
        raise ValueError(f"{path}: weights file is {error}; delete it and run again") from None


def load_backbone(model: nn.Module, path: Path) -> dict[str, Any]:
    """Load a weights file into `model.backbone`. Further tensors of the file, such as removed layers, are ignored.

    Returns:
        The file's metadata, to be recorded with the training.

    Raises:
        ValueError: the model has no backbone, or the file is damaged or does not fit it.
        FileNotFoundError: the file is missing.
    """
    backbone = getattr(model, "backbone", None)
    if not isinstance(backbone, nn.Module):
        raise ValueError(f"{path}: {type(model).__name__} has no backbone for the weights; set `weights: null`")
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
        more = [f"and {len(faults) - _REPORTED} more"] if len(faults) > _REPORTED else []
        listed = "; ".join([*faults[:_REPORTED], *more])
        raise ValueError(f"{path}: {len(given)} tensors that do not fit this backbone: {listed}; choose other weights")
    backbone.load_state_dict(state | {name: given[name] for name in expected})
    return about
