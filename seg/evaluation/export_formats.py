"""Files of exported networks: ONNX, and .pt2 of `torch.export`."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.export import ExportedProgram

from seg.system.console import nearest_of_all

EXPORT_ENDINGS = {"onnx": ".onnx", "pt2": ".pt2"}  # by format
_METADATA = "metadata.json"  # extra file in a .pt2
_INSTALL = "pip install -e '.[export]'"

RunExported = Callable[[np.ndarray], np.ndarray]  # from images to logits


class ExportedRunError(Exception):
    """An exported network does not run with images of a size, which its program declares as valid."""


def format_of(given: str, out: Path | None) -> str:
    """Key of `EXPORT_ENDINGS`: the given one, else that of `out`, else `onnx`. Raises ValueError if it is unknown."""
    if given and given not in EXPORT_ENDINGS:
        raise ValueError(f"--format {given}: unknown; {nearest_of_all(given, EXPORT_ENDINGS)}")
    endings = {ending: name for name, ending in EXPORT_ENDINGS.items()}
    return given or endings.get(out.suffix if out else "", "onnx")


def write_onnx(traced: ExportedProgram, about: dict[str, Any], path: Path) -> None:
    """Write one file; each key of `about` is a key of its metadata, with a JSON value."""
    program: Any = torch.onnx.export(
        traced, dynamo=True, input_names=["images"], output_names=["logits"], verbose=False
    )
    model = program.model
    sides = ("height", "width") if about["size_step"] else about["input_size"]
    for value, channels in (
        (model.graph.inputs[0], about["channels"]),
        (model.graph.outputs[0], len(about["classes"])),
    ):
        value.shape = library("onnx_ir").Shape(["batch", channels, *sides])
    model.metadata_props.update({key: json.dumps(value, ensure_ascii=False) for key, value in about.items()})
    program.save(path, external_data=False)


def load_onnx(path: Path) -> RunExported:
    """The network in onnxruntime, on the CPU. Running it raises ExportedRunError."""
    runtime = library("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 4  # errors are raised
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(images: np.ndarray) -> np.ndarray:
        try:
            logits: np.ndarray = session.run(["logits"], {"images": images})[0]
        except Exception as error:  # onnxruntime's exceptions have no common class
            raise ExportedRunError(error) from error
        return logits

    return run


def write_pt2(traced: ExportedProgram, about: dict[str, Any], path: Path) -> None:
    """Write one file, with `about` as a JSON file in it."""
    torch.export.save(traced, path, extra_files={_METADATA: json.dumps(about, ensure_ascii=False)})


def load_pt2(path: Path) -> RunExported:
    """The network in PyTorch, on the CPU. Running it raises ExportedRunError."""
    module = torch.export.load(path).module()

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        try:
            logits: np.ndarray = module(torch.from_numpy(images)).numpy()
        except AssertionError as error:  # a condition on the sizes that tracing found
            raise ExportedRunError(error) from error
        return logits

    return run


def library(name: str) -> Any:
    """A library of the extra `export`. Raises ValueError if it is not installed."""
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(f"export to ONNX requires {name}; run: {_INSTALL}") from None
