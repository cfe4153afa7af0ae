"""Download published weights and convert them to safetensors, with the parameter names of the backbones.

A file that is already in the directory of archives is used instead of the network. The published files are pickles:
only tensors and plain containers are read from them, and nothing in them is executed.
"""

import errno
import pickle
import re
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from urllib3 import Retry

from seg.models.weights import write_weights
from seg.models.weights_table import PublishedWeights, published_weights
from seg.system.arguments import StageParser
from seg.system.console import run_stage, say
from seg.system.fetch import DEFAULT_RETRY, DownloadError, fetch_archive
from seg.system.files import full_disk_named, sha256


def convert_weights(row: PublishedWeights, archives: Path, out: Path, retry: Retry = DEFAULT_RETRY) -> None:
    """Convert the published file of `row` in `archives` to the safetensors file `out`; download it if it is missing.

    Raises:
        ValueError: the file is damaged, or not the published one.
        OSError: no mirror has the file, or the disk is full.
    """
    path = archives / row.archive.name
    if not path.exists():
        try:
            with full_disk_named(archives):
                fetch_archive(row.archive, archives, retry)
        except DownloadError as error:
            fix = f"without a network, download {row.archive.urls[0]} elsewhere and copy it to {path}"
            raise DownloadError(f"{error}\n{row.name}: {fix} (licence: {row.licence})") from None
    elif fault := row.archive.fault(path):
        raise ValueError(f"{path}: {fault}; delete the file or replace it")
    state = backbone_state(row, path)
    about = {
        "name": row.name,
        "source": row.archive.urls[0],
        "sha256": row.archive.sha256 or sha256(path),  # verified above
        "licence": row.licence,
        "citation": row.citation,
        "accuracy": row.accuracy,
    }
    write_weights(out, state, about)
    say(f"{row.name}: {len(state)} tensors from {path.name} in {out}; licence: {row.licence}")


def backbone_state(row: PublishedWeights, path: Path) -> dict[str, Tensor]:
    """Tensors of the backbone in a published file, by name in `seg.models`.

    Raises:
        ValueError: the file is damaged, contains other objects than tensors and plain containers, or does not match
            the row.
    """
    content = _tensors_only(path)
    if row.within is not None:
        content = content.get(row.within) if isinstance(content, Mapping) else None
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        where = f" under '{row.within}'" if row.within else ""
        raise ValueError(f"{path}: expected names and tensors{where}; this is not the published file, replace it")
    state = {
        name.removeprefix(row.prefix): tensor
        for name, tensor in content.items()
        if name.startswith(row.prefix) and not name.startswith(row.cut)
    }
    if not state:
        named = f"{row.prefix}*" if row.prefix else "of a backbone"
        raise ValueError(f"{path}: has no tensor {named}; this is not the published file, replace it")
    return state


def _tensors_only(path: Path) -> Any:
    """Content of a file of `torch.save`, on the CPU."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns about the old format of such files
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if found := re.search(r"GLOBAL (\S+)", str(error)):
            fix = "it was not executed; delete the file and use the published one"
            raise ValueError(
                f"{path}: contains {found[1]}, expected tensors and plain containers only; {fix}"
            ) from None
        reason = "not a pickle of tensors"
    except (RuntimeError, EOFError, LookupError, ValueError, AttributeError, struct.error) as error:
        reason = str(error).partition(". ")[0] or type(error).__name__
    except OSError as error:
        if error.errno != errno.EINVAL:  # torch seeks to a negative offset in a truncated file
            raise
        reason = "its end is missing"
    raise ValueError(f"{path}: truncated or not a file of torch.save ({reason}); delete it and download it again")


def main() -> None:
    """Download published weights and convert them to safetensors."""
    parser = StageParser("seg.models.fetch_weights", main.__doc__)
    parser.add_argument("--weights", required=True, help="name of a row in seg/models/weights_table.py")
    parser.add_argument("--archives", type=Path, required=True, help="directory of the published files")
    parser.add_output("--out", ".safetensors", "safetensors to write")
    args = parser.parse_stage()
    convert_weights(published_weights(args.weights), args.archives, args.out)


if __name__ == "__main__":
    run_stage(main)
