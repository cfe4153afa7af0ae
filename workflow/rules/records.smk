"""What Snakemake knows of the results: a record a file in .snakemake/metadata, which DVC carries from clone to clone."""

import json
import os
import shutil
from base64 import urlsafe_b64decode
from contextlib import suppress
from stat import S_ISREG

from filelock import FileLock, Timeout
from snakemake.cli import get_argument_parser

RECORDS = Path(".snakemake/metadata")
UNFINISHED = Path(".snakemake/incomplete")
LOCKS = Path(".snakemake/locks")
RUNNING = FileLock(".snakemake/running.lock")  # the system gives it back however a run ends

# What Snakemake can be asked for that changes no file of the workflow.
LOOKS = (
    "dryrun lint list_rules list_target_rules print_compilation list_conda_envs dag rulegraph filegraph d3dag summary"
    " detailed_summary list_changes list_input_changes list_params_changes list_untracked"
).split()


def records(folder):
    """The records in a folder by the file that they are about.

    Its path in base64 is the record's name, over several folders that begin with `@` where it were too long.
    """
    found = {}
    for parent, _, names in os.walk(folder):
        start = "".join(part.removeprefix("@") for part in Path(parent).relative_to(folder).parts)
        for name in names:
            with suppress(ValueError):  # not one of Snakemake's
                found[urlsafe_b64decode(start + name).decode()] = Path(parent, name)
    return found


def refuse_links(known):
    """Stop where records are links into DVC's cache, for Snakemake would write through them."""
    for record in known.values():
        kind = record.lstat()
        if not S_ISREG(kind.st_mode) or kind.st_nlink > 1:
            say(
                f"error: {record}: a link into DVC's cache, which a run would write into;"
                " `dvc config --local cache.type copy`, then `dvc checkout --relink`"
            )
            sys.exit(2)


def sound(record):
    """Whether a record can be read; what a lost machine or a full disk leaves may not."""
    try:
        return isinstance(json.loads(record.read_bytes()), dict)
    except ValueError:
        return False


def set_aside(file, record):
    """Take a damaged record away, and its file for what a killed job left, so that it is made again."""
    say(f"warning: {record}: damaged; nothing tells any more what made {file}, so it is made again")
    mark = UNFINISHED / record.relative_to(RECORDS)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("{}", encoding="utf-8")
    record.unlink()


def mend_records(known):
    """See that every record can be read."""
    for file, record in known.items():
        if not sound(record):
            set_aside(file, record)


def refuse_unknown_results(known):
    """Stop where models came without their records: no change of a recipe would ever make them stale."""
    models = [str(path) for path in Path("results", PARAMS.preset).glob("*/*/seed*/model.safetensors")]
    unknown = sorted(set(models) - known.keys() - records(UNFINISHED).keys())
    if unknown:
        others = f" and {len(unknown) - 1} others" if unknown[1:] else ""
        say(f"error: {unknown[0]}{others}: nothing tells what made it; `dvc pull .snakemake/metadata`, or delete it")
        sys.exit(2)


def take_turn():
    """Be the only one that runs here, and take away the locks of one that was killed.

    Snakemake's own do not hold: whoever ends, even with nothing to do, deletes those of the others.
    """
    LOCKS.parent.mkdir(exist_ok=True)
    try:
        RUNNING.acquire(blocking=False)
    except Timeout:
        return False
    shutil.rmtree(LOCKS, ignore_errors=True)
    return True


def look_after_records():
    """Before a run, and before one that only looks unless another one is writing records."""
    given = get_argument_parser().parse_args()  # as Snakemake reads it: `-np` and `-S` as well as their long names
    looks = any(getattr(given, name) for name in LOOKS) or (given.report and not given.report_after_run)
    if take_turn():
        refuse_links(known := records(RECORDS))
        mend_records(known)
        if not given.touch:  # which says that the results are good
            refuse_unknown_results(known)
        if looks:
            RUNNING.release()
    elif not looks:
        say("error: another run is at work in this folder; wait for it, or look with `snakemake -n`")
        sys.exit(2)


if workflow.is_main_process:
    look_after_records()
