"""Stage `fetch`: published weights as safetensors, under the names that our backbones have.

A file that lies in the folder of archives is used instead of the network. It is a pickle, and read as one that may hold
tensors and plain containers only; nothing in it is executed.
"""

import argparse
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
from seg.models.weights_table import PublishedWeights, published
from seg.system.console import run_stage, say
from seg.system.fetch import DEFAULT_RETRY, DownloadError, fetch_archive
from seg.system.files import full_disk_named, sha256


def fetch_weights(row: PublishedWeights, archives: Path, out: Path, retry: Retry = DEFAULT_RETRY) -> None:
    """Convert the published file of a row, fetching it into `archives` where it does not lie there.

    Args:
        row: which weights.
        archives: folder where the file lies or is fetched to.
        out: safetensors to write, whole or not at all.
        retry: attempts per mirror.

    Raises:
        ValueError: the file is not what it should be.
        OSError: it cannot be downloaded, or the disk is full.
    """
    path = archives / row.archive.name
    if path.exists():
        if fault := row.archive.fault(path):
            raise ValueError(f"{path}: {fault}; delete the file or replace it")
    else:
        with full_disk_named(archives):
            _fetch(row, archives, retry)
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


def _fetch(row: PublishedWeights, archives: Path, retry: Retry) -> None:
    try:
        fetch_archive(row.archive, archives, retry)
    except DownloadError as error:
        url, path = row.archive.urls[0], archives / row.archive.name
        mend = f"without a network get {url} elsewhere and lay it at {path} (licence: {row.licence})"
        raise DownloadError(f"{error}\n{row.name}: {mend}") from None


def backbone_state(row: PublishedWeights, path: Path) -> dict[str, Tensor]:
    """The backbone's tensors of a published file, by our names.

    Raises:
        ValueError: the file is damaged, holds more than tensors and plain containers, or not what the row says.
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
        raise ValueError(f"{path}: no tensor {named} in it; this is not the published file, replace it")
    return state


def _tensors_only(path: Path) -> Any:
    """Content of a file of `torch.save`, on the CPU, whatever device it came from."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own, on the old form of such files
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if held := re.search(r"GLOBAL (\S+)", str(error)):
            mend = "it is not executed; do not use this file, get the published one"
            raise ValueError(f"{path}: holds {held[1]}, expected tensors and plain containers only; {mend}") from None
        reason = "no pickle of tensors"
    except (RuntimeError, EOFError, LookupError, ValueError, AttributeError, struct.error) as error:
        reason = str(error).partition(". ")[0] or type(error).__name__
    except OSError as error:
        if error.errno != errno.EINVAL:  # that is a cut-off file, whose end points before its beginning
            raise
        reason = "its end is missing"
    raise ValueError(f"{path}: truncated or no file of torch.save ({reason}); delete it and get it anew")


def main() -> None:
    """Command line of the stage."""
    parser = argparse.ArgumentParser(prog="python -m seg.models.fetch_weights", description=__doc__)
    parser.add_argument("--weights", required=True, help="row of the table in seg/models/weights_table.py")
    parser.add_argument("--archives", type=Path, required=True, help="folder where files lie or are fetched to")
    parser.add_argument("--out", type=Path, required=True, help="safetensors to write")
    args = parser.parse_args()
    fetch_weights(published(args.weights), args.archives, args.out)


if __name__ == "__main__":
    run_stage(main)
