"""Weights that a network starts from: files of backbones, with their source as metadata, and users' checkpoints."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from seg.models.channels import RGB_CHANNELS, repeat_channels
from seg.system.files import sha256, written_whole
from seg.system.tensors import read_tensors, write_tensors

_REPORTED = 5  # faults in a message; a wrong file has hundreds
_LEAST_SHARE = 0.5  # of a network's parameters in a file that it starts from
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

    Weights for red, green and blue are repeated for images of other channels, see `seg.models.channels`.

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
    first = next(name for name, tensor in state.items() if tensor.ndim == 4)  # sees the channels of the images
    if first in given and given[first].ndim == 4 and given[first].shape[1] == RGB_CHANNELS != state[first].shape[1]:
        given[first] = repeat_channels(given[first], state[first].shape[1])
    expected = {name: tensor for name, tensor in state.items() if name in given or not name.endswith(_COUNTER)}
    faults = [f"{name} is missing" for name in expected if name not in given]
    faults += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
        for name, tensor in expected.items()
        if name in given and given[name].shape != tensor.shape
    ]
    if faults:
        listed = _listed(faults)
        raise ValueError(f"{path}: {len(given)} tensors that do not fit this backbone: {listed}; choose other weights")
    backbone.load_state_dict(state | {name: given[name] for name in expected})
    return about


def load_fitting(
    build: Callable[[int], nn.Module], architecture: str, path: Path, classes: Sequence[str], frozen: bool = False
) -> tuple[nn.Module, dict[str, Any], str]:
    """A network that starts from the tensors of a file that fit it by name and shape; the others are initialized.

    Names may have one common prefix, such as `module.`, or lack `backbone.`. If the file names its classes and they are
    not `classes`, tensors whose shapes depend on the number of classes do not fit.

    Args:
        build: the network for a number of classes.
        architecture: name of the network.
        path: a checkpoint of seg, or the tensors of a state dict as safetensors.
        classes: names of the classes.
        frozen: whether the backbone is not trained, so that all of it must be in the file.

    Returns:
        The network; `file`, `sha256`, number of tensors `loaded`, and what was `not_loaded` with the reason by name;
        and a message with the same content.

    Raises:
        ValueError: the file is damaged, in another format or of another architecture, less than half of the parameters
            fit and neither does the backbone, or a tensor of a frozen backbone is missing.
        OSError: the file cannot be read.
    """
    try:
        read, about = read_tensors(path, foreign=True)
    except ValueError as error:
        raise ValueError(f"{path}: {error}; give a checkpoint of seg or another file of safetensors") from None
    trained = architecture
    with suppress(LookupError, TypeError):  # no checkpoint of seg
        trained = about["recipe"]["model"]["name"]
    if trained != architecture:
        raise ValueError(
            f"{path}: is a checkpoint of {trained}, expected one of {architecture}; give another file, or set "
            f"model: {{ name: {trained} }}"
        )
    model = build(len(classes))
    state = model.state_dict()
    given = max(_renamed(read), key=lambda tensors: sum(_fits(tensors, name, state[name]) for name in state))
    other_head = about.get("classes", [*classes]) != [*classes]
    reasons = _not_loaded(given, state, build(len(classes) + 1).state_dict() if other_head else state)
    loaded = {name: tensor for name, tensor in given.items() if name not in reasons}
    faults = _listed([f"{name}: {reason}" for name, reason in reasons.items()])
    if not (share := _share(loaded, state)):
        raise ValueError(f"{path}: no tensor fits this network ({faults}); give a checkpoint of the same network")
    if frozen and (missing := [name for name in reasons if name.startswith("backbone.") and name in state]):
        raise ValueError(f"{path}: lacks tensors of the frozen backbone: {_listed(missing)}; set frozen: false")
    backbone = {name: tensor for name, tensor in state.items() if name.startswith("backbone.")}
    if share < _LEAST_SHARE and not (backbone and _share(loaded, backbone) == 1):
        raise ValueError(
            f"{path}: {share:.0%} of the parameters of this {architecture} fit, expected {_LEAST_SHARE:.0%} or "
            f"the whole backbone ({faults}); give a checkpoint of the same network"
        )
    model.load_state_dict(state | loaded)
    about = {"file": str(path), "sha256": sha256(path), "loaded": len(loaded), "not_loaded": reasons}
    text = _listed([f"{name} ({reason})" for name, reason in reasons.items()]) or "none"
    return model, about, f"{path}: {len(loaded)} tensors loaded; not loaded: {text}"


def _share(loaded: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> float:
    """Share of the numbers of a state dict that are loaded; the counters of batch norm do not count."""
    sizes = {name: tensor.numel() for name, tensor in state.items() if not name.endswith(_COUNTER)}
    return sum(size for name, size in sizes.items() if name in loaded) / sum(sizes.values())


def _not_loaded(
    given: Mapping[str, Tensor], state: Mapping[str, Tensor], other: Mapping[str, Tensor]
) -> dict[str, str]:
    """Why tensors do not fit, by name; those whose shape differs in `other` belong to other classes."""
    reasons = {name: "not in this network" for name in given if name not in state}
    for name, tensor in state.items():
        if name not in given:
            reasons |= {} if name.endswith(_COUNTER) else {name: "not in the file"}
        elif not _fits(given, name, tensor):
            reasons[name] = f"{tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
        elif other[name].shape != tensor.shape:
            reasons[name] = "of other classes"
    return reasons


def _renamed(tensors: Mapping[str, Tensor]) -> list[Mapping[str, Tensor]]:
    """Tensors by their names; without the first part of the names, if it is the same for all; below `backbone`."""
    found = [tensors, {f"backbone.{name}": tensor for name, tensor in tensors.items()}]
    if len({name.partition(".")[0] for name in tensors}) == 1:
        found.append({name.partition(".")[2]: tensor for name, tensor in tensors.items()})
    return found


def _fits(tensors: Mapping[str, Tensor], name: str, expected: Tensor) -> bool:
    return name in tensors and tensors[name].shape == expected.shape


def _listed(faults: Sequence[str]) -> str:
    more = [f"and {len(faults) - _REPORTED} more"] if len(faults) > _REPORTED else []
    return "; ".join([*faults[:_REPORTED], *more])
