"""Checks of a run before its first job: profile, targets and directories.

Functions named `..._errors` return one line per error.

Relies on these internals of Snakemake, checked with 9.27.1:

- `workflow.workdir_init`: directory in which Snakemake was started. Used by `profile_errors`.
- `snakemake.cli.get_argument_parser`, `workflow.rules`, `rule.has_wildcards` and `rule.is_producer`. Used by
  `target_errors`.
- `workflow.dag.needrun_jobs()`: jobs of the run, with `output`, `log` and `benchmark`. Used by `output_errors`.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from snakemake.cli import get_argument_parser

from seg.system.console import describe_os_error, nearest, say

_STATE = Path(".snakemake")
_FOLDERS = ("data", "results", "logs", str(_STATE))
_FOLDERS_OF_DVC = ("data", "data/packs", "results", ".snakemake")  # those that contain outputs in dvc.yaml
_CACHE = "run snakemake itself, or use a directory and move DVC's cache instead: `dvc cache dir --local <directory>`"
_NO_FOLDER = "not a directory; move it away"
_FIX = "give yourself access with chmod or chown, or use another directory (`snakemake --directory`)"


def stop(lines: Iterable[str]) -> NoReturn:
    """Print one line per error and exit with code 2."""
    for line in lines:
        say(f"error: {line}")
    sys.exit(2)


@contextmanager
def one_line_per_error() -> Iterator[None]:
    """Handle `ValueError` and `OSError` as stages do; also a decorator."""
    try:
        yield
    except OSError as error:
        stop([describe_os_error(error)])
    except ValueError as error:
        stop(str(error).splitlines())


def refuse(lines: Sequence[str]) -> None:
    """Exit if there are errors, one per line."""
    if lines:
        stop(lines)


def profile_errors(workflow: Any, profile: str | None) -> list[str]:
    """If a workflow profile does not exist, Snakemake ignores it and the default profile as well."""
    if profile in (None, "none"):
        return []
    start = Path(workflow.workdir_init)
    places = [start / profile, start / "profiles" / profile, Path(workflow.basedir, "profiles", profile)]
    if any(place.exists() for place in places):
        return []
    found = sorted(path.parent.name for path in Path(workflow.basedir, "profiles").glob("*/config.yaml"))
    return [f"--workflow-profile {profile}: no such directory; profiles/ contains {', '.join(found)}"]


def place_errors(workflow: Any) -> list[str]:
    """Braces in the path of the repository, which Snakemake takes for wildcards."""
    place = str(workflow.basedir)
    return [f"{place}: Snakemake takes braces in the path for wildcards; rename it"] if set(place) & set("{}") else []


def target_errors(workflow: Any, files: Iterable[str]) -> list[str]:
    """Targets that are neither a rule without wildcards nor a file that a rule makes; `files` may be suggested."""
    targets = get_argument_parser().parse_args().targets if workflow.is_main_process else []
    names = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    unknown = [target for target in targets if target not in names and not _is_made(workflow, target)]
    hints = {target: get_close_matches(target, [*names, *files], n=1) or names for target in unknown}
    return [f"{target}: not a target; {nearest(target, hint)}" for target, hint in sorted(hints.items())]


def _is_made(workflow: Any, target: str) -> bool:
    file = target if Path(target).is_absolute() else os.path.relpath(target)  # as Snakemake does
    return any(rule.is_producer(file) for rule in workflow.rules)


def folder_errors() -> list[str]:
    """Errors of the directories that a run writes to: links to nothing, files, no permission to write the records.

    Without this check, a dry run reports that everything behind a link to a disk that is not mounted is missing. A dry
    run writes to `.snakemake`, too.
    """
    lines = []
    for folder in map(Path, _FOLDERS):
        if folder.is_symlink() and not folder.exists():
            lines.append(
                f"{folder}: links to {folder.readlink()}, which does not exist; mount the disk or fix the link"
            )
        elif folder.exists() and not folder.is_dir():
            lines.append(f"{folder}: {_NO_FOLDER}")
    inside = [path for path in _STATE.glob("*") if path.is_dir()]
    return lines or _unwritable([_STATE, *inside] if _STATE.exists() else [Path()])


def link_errors() -> list[str]:
    """Links inside which a stage of DVC has outputs. DVC refuses these only after the run, and then records nothing."""
    links = [folder for folder in _FOLDERS_OF_DVC if "DVC_STAGE" in os.environ and Path(folder).is_symlink()]
    return [f"{folder}: DVC tracks no files inside a link; {_CACHE}" for folder in links]


def output_errors(workflow: Any) -> list[str]:
    """Directories in which this run makes or replaces files, but may not."""
    jobs = list(workflow.dag.needrun_jobs())
    files = [file for job in jobs for file in (*job.output, *job.log, *([job.benchmark] if job.benchmark else []))]
    folders = {_existing(Path(file).parent) for file in files}
    return [f"{path}: {_NO_FOLDER}" for path in sorted(folders) if not path.is_dir()] or _unwritable(folders)


def _existing(folder: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _unwritable(folders: Iterable[Path]) -> list[str]:
    """One line for all directories that this user may not write to."""
    found = sorted(str(path.absolute()) for path in folders if not os.access(path, os.W_OK | os.X_OK))
    others = f" and {len(found) - 1} others" if found[1:] else ""
    return [f"{found[0]}{others}: not writable; {_FIX}"] if found else []
