"""Snakemake's records of the results, checked before a run.

Relies on these internals of Snakemake, checked with 9.27.1:

- `.snakemake/metadata`: one JSON file per output, named by the URL-safe base64 of its path, split over directories that
  begin with `@` if it is too long. Used by `read_records`.
- `.snakemake/incomplete`: named in the same way; a file listed there is made again. Used by `_check_record`.
"""

import base64
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG

from seg.plan import PRESET_FOLDER, RUN_FOLDER, Plan
from seg.results import TrainingRun
from seg.system.console import say
from workflow.checks import stop

RECORDS = Path(".snakemake/metadata")
_INCOMPLETE = Path(".snakemake/incomplete")
RUN_VERSION = TrainingRun.model_fields["schema_version"].default


def check_records(plan: Plan, unknown: bool) -> None:
    """Check records and results, and results without a record unless these are allowed.

    Exits with code 2 and one line if the run cannot start.
    """
    records = read_records(RECORDS)
    _refuse_links(records.values())
    for file, record in records.items():
        _check_record(file, record)
    _refuse_old_results(plan)
    if not unknown:
        _refuse_unknown_results(plan, records)


def read_records(folder: Path) -> dict[str, Path]:
    """Records in a directory of Snakemake, by the path of the recorded file."""
    records = {}
    for parent, _, names in os.walk(folder):
        start = "".join(part.removeprefix("@") for part in Path(parent).relative_to(folder).parts)
        for name in names:
            with suppress(ValueError):  # not a record
                records[base64.urlsafe_b64decode(start + name).decode()] = Path(parent, name)
    return records


def _refuse_links(records: Iterable[Path]) -> None:
    for record in records:
        status = record.lstat()
        if not S_ISREG(status.st_mode) or status.st_nlink > 1:
            stop(
                [
                    f"{record}: a link into DVC's cache, which a run would overwrite;"
                    " `dvc config --local cache.type copy`, then `dvc checkout --relink`"
                ]
            )


def _check_record(file: str, record: Path) -> None:
    """Remove a record that cannot be read, for example after a full disk, and mark its file as incomplete."""
    with suppress(ValueError):
        if isinstance(json.loads(record.read_bytes()), dict):
            return
    say(f"warning: {record}: damaged, so it is unknown what made {file}; the file is made again")
    mark = _INCOMPLETE / record.relative_to(RECORDS)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("{}", encoding="utf-8")
    record.unlink()


def _refuse_old_results(plan: Plan) -> None:
    """Refuse results with another schema: Snakemake would train their models again."""
    results = PRESET_FOLDER.format(preset=plan.params.preset)
    for file in plan.files([f"{RUN_FOLDER}run.json"]):
        path = Path(file)
        old = path.with_name("training.json")  # name of the file before schema version 1
        found, version = (path, schema_version(path)) if path.exists() else (old, None)
        if found.exists() and version != RUN_VERSION:
            stop(
                [
                    f"{found}: schema version {version or 'none'}, expected {RUN_VERSION};"
                    f" move or delete {results}, or check out the commit that made it"
                ]
            )


def schema_version(path: Path) -> int | None:
    try:
        content = json.loads(path.read_bytes())
    except ValueError:  # the stage that reads it reports the damage
        return RUN_VERSION
    version: int | None = content.get("schema_version") if isinstance(content, Mapping) else None
    return version


def _refuse_unknown_results(plan: Plan, records: Mapping[str, Path]) -> None:
    """Refuse models without a record: no change of a recipe would make them stale."""
    results = Path(PRESET_FOLDER.format(preset=plan.params.preset))
    models = {str(path) for path in results.glob("*/*/seed*/**/model.safetensors")}
    unknown = sorted(models - records.keys() - read_records(_INCOMPLETE).keys())
    if unknown:
        others = f" and {len(unknown) - 1} others" if unknown[1:] else ""
        stop([f"{unknown[0]}{others}: no record of what made it; `dvc pull .snakemake/metadata`, or delete it"])
