"""Files of named tensors with metadata: safetensors with a checksum. No pickle is read or written."""

import json
import os
import re
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from seg.system.files import canonical_json

_KEY = "seg"  # the only metadata key, because safetensors does not keep the order of several


def write_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write tensors and metadata; the same content gives the same bytes.

    Requires memory for one copy of all tensors.

    Args:
        path: file to write, in a directory of `seg.system.files.written_whole`: if killed, safetensors leaves a file
            with a random name beside it.
        tensors: tensors by name, with any shape, memory format and device. They may share memory.
        about: metadata, JSON values.

    Raises:
        OSError: the disk is full or not writable.
    """
    copies = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    metadata = {_KEY: canonical_json({"about": about, "crc32": _checksum(copies.items())})}
    path.touch()
    mode = path.stat().st_mode  # from the umask; save_file creates files with mode 0600
    try:
        save_file(copies, path, metadata)
        path.chmod(mode)
    except SafetensorError as error:
        if found := re.search(r"\(os error (\d+)\)", str(error)):
            raise OSError(int(found[1]), os.strerror(int(found[1])), str(path)) from None
        raise


def read_tensors(
    path: Path, *, metadata_only: bool = False, foreign: bool = False
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, on the CPU, and metadata of a file; with `metadata_only`, no tensors, and no checksum is verified.

    With `foreign`, the file may come from another program: it has no metadata and no checksum then.

    Raises:
        ValueError: the file is damaged or was not written by `write_tensors`; the message does not name the file.
        OSError: the file is missing or not readable.
    """
    path.open("rb").close()  # safe_open reports a file without permission as missing
    try:
        with safe_open(path, framework="pt") as file:
            if foreign and _KEY not in (file.metadata() or {}):
                return {name: file.get_tensor(name) for name in file.keys()}, {}  # noqa: SIM118  # not a mapping
            content = json.loads((file.metadata() or {})[_KEY])
            about, checksum = dict(content["about"]), content["crc32"]
            if metadata_only:
                return {}, about
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:  # OSError: not a regular file
        reason = error if isinstance(error, SafetensorError | OSError) else "its metadata is missing or unreadable"
        raise ValueError(f"damaged or not written by this version of seg ({reason})") from None
    if _checksum(tensors.items()) != checksum:
        raise ValueError("damaged (the checksum of its tensors does not match)")
    return tensors, about


def _checksum(tensors: Iterable[tuple[str, Tensor]]) -> str:
    """CRC-32 of the bytes of contiguous tensors in the order of their names, 8 hexadecimal digits."""
    checksum = 0
    for _, tensor in sorted(tensors):
        checksum = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, checksum)
    return f"{checksum:08x}"
