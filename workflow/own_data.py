"""Content of users' own datasets and checkpoints, compared by Snakemake with its records when a run starts.

Relies on these internals of Snakemake, see `workflow.records`:

- `.snakemake/metadata`: `params` of a record are the texts of the parameters. Used by `_recorded`.
"""

import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from seg.config.description import read_description
from seg.datasets.listing import why_missing
from seg.datasets.manifest import differing, fingerprint
from seg.datasets.register import own_contents
from seg.plan import KEPT_MANIFEST, RAW_FOLDER, RAW_MANIFEST, Plan
from seg.system.console import say
from seg.system.files import sha256
from workflow.records import RECORDS, read_records

MEMORY = ".snakemake/own/{dataset}.json"  # not shared through DVC: inodes differ between machines


@cache
def content_digest(dataset: str, descriptions: tuple[str, ...], anew: bool) -> str:
    """Digest of the files of a dataset that its descriptions read; those that changed are read, or all of them `anew`.

    Without the directory, results that exist need nothing: the digest is the recorded one.

    Raises:
        ValueError, OSError: as `own_contents`.
    """
    root = Path(RAW_FOLDER.format(dataset=dataset))
    if not root.is_dir():
        return _recorded(KEPT_MANIFEST.format(dataset=dataset))
    for line in _dvc_warnings(root):
        say(f"warning: {line}")
    memory = Path(MEMORY.format(dataset=dataset))
    return fingerprint({"files": own_contents(map(read_description, descriptions), root, memory, anew)})


@cache
def weights_digest(file: str, run: Path) -> str:
    """Digest of a checkpoint that a training starts from; if the checkpoint is not here, the one in the `run.json`.

    Raises:
        OSError: the checkpoint cannot be read.
    """
    if Path(file).is_file():
        return sha256(Path(file))
    with suppress(OSError, ValueError, TypeError, KeyError):
        return str(json.loads(run.read_bytes())["weights"]["sha256"])
    return ""


def missing_weights(files: Iterable[str], plan: Plan) -> list[str]:
    """One line per checkpoint that is not a file."""
    fix = "put the checkpoint there, or correct `weights: {file: ...}` (relative paths begin where Snakemake runs)"
    return [
        f"{file}: {'a directory' if Path(file).is_dir() else 'no such file'}; "
        + (f"there is one per fold: give {' or '.join(folds)}" if (folds := plan.folds_of(file)) else fix)
        for file in files
        if not Path(file).is_file()
    ]


def _recorded(manifest: str) -> str:
    """Digest in the record of a manifest; empty if there is none."""
    record = read_records(RECORDS).get(manifest)
    digests = re.findall(r"'([0-9a-f]{64})'", str(json.loads(record.read_bytes()).get("params"))) if record else []
    return digests[0] if digests else ""


def _dvc_warnings(root: Path) -> list[str]:
    """What DVC would leave out of a dataset or not notice; nothing where DVC is not used for it."""
    dvc_file, stages = root.with_name(f"{root.name}.dvc"), Path("dvc.yaml")
    if not dvc_file.exists() and "DVC_STAGE" not in os.environ:
        return []
    links = [path for path in sorted(root.iterdir()) if path.is_symlink()]
    fix = "`dvc add` leaves its files out; move them here"
    lines = [f"{link}: a link to a directory, which DVC does not follow: {fix}" for link in links]
    text = stages.read_text(encoding="utf-8", errors="replace") if stages.exists() else str(root)
    if not re.search(rf"{root.as_posix()}(?![\w.])", text):
        lines.append(f"{stages}: `dvc repro` does not notice changes of {root}; add it to deps")
    return lines


def missing_directories(datasets: Iterable[str]) -> list[str]:
    """One line per dataset whose directory is missing."""
    roots = [Path(RAW_FOLDER.format(dataset=dataset)) for dataset in datasets]
    fix = "put the files of the dataset there"
    return [f"{root}: {why_missing(root)}; {fix}" for root in roots if not root.is_dir()]


def warn_of_changes(plan: Plan) -> None:
    """Print one line per downloaded or rendered dataset whose files differ from its manifest."""
    manifests = (Path(RAW_MANIFEST.format(dataset=Path(kept).stem)) for kept in plan.kept_manifests())
    for manifest in filter(Path.is_file, manifests):
        if changed := differing(manifest):
            others = f" and {len(changed) - 1} others" if changed[1:] else ""
            fix = f"delete {manifest} and run again to restore them"
            say(f"warning: {manifest.parent}: {changed[0]}{others} changed since the dataset was made; {fix}")
