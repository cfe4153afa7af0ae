"""Files of tensors by name and what they are: safetensors with a checksum. No pickle is read or written.

Written a tensor at a time: the library's own `save` holds all of them three times over, and its `save_file` reports a
full disk as no OSError.
"""

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from seg.system.files import canonical_json

_KEY, _CHECKSUM = "seg", "crc32"  # which tells damage, and costs a fifth of a digest
_LENGTH = 8  # bytes before the header that hold its size, little-endian (safetensors' documentation, Format)
_PART = 1 << 20  # bytes read at once
_DTYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors, from any device, and their metadata; the same content gives the same bytes.

    Args:
        path: file to write; `seg.system.files.written_whole` makes it whole.
        tensors: of any shape, by name.
        about: what they are; JSON values.
    """
    # The widest values come first, so that every tensor lies where its dtype may.
    names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    checksum = 0
    with path.open("wb") as file:
        file.write(_header(tensors, names, about, 0))
        for name in names:
            # Its memory as it lies, in row-major order, without a copy where it lies so on the CPU.
            values = tensors[name].detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
            checksum = zlib.crc32(values, checksum)
            file.write(values)
        file.seek(0)
        file.write(_header(tensors, names, about, checksum))


def _header(tensors: Mapping[str, Tensor], names: list[str], about: Mapping[str, Any], checksum: int) -> bytes:
    """The bytes before the tensors; as many whatever the checksum."""
    # One key for all that we say, because readers need not keep the order of several.
    header: dict[str, Any] = {"__metadata__": {_KEY: canonical_json(about), _CHECKSUM: f"{checksum:08x}"}}
    start = 0
    for name in names:
        tensor = tensors[name]
        stop = start + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": _DTYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, on the CPU, and metadata of a file.

    Raises:
        ValueError: the file is damaged or none of ours; says which, not whose file it is.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            about, checksum = json.loads(metadata[_KEY]), int(metadata[_CHECKSUM], 16)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, KeyError, ValueError) as error:
        raise ValueError(f"none of ours or damaged ({error})") from None
    if _checksum(path) != checksum:
        raise ValueError("damaged (its tensors have another checksum than was written)")
    return tensors, about


def _checksum(path: Path) -> int:
    """CRC-32 of all that follows the header."""
    checksum = 0
    with path.open("rb") as file:
        file.seek(_LENGTH + int.from_bytes(file.read(_LENGTH), "little"))
        while part := file.read(_PART):
            checksum = zlib.crc32(part, checksum)
    return checksum
