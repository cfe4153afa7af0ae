"""Access to state without a public interface in Snakemake: locks, jobs, signals, the config of cluster jobs.

Relies on these internals, checked with Snakemake 9.27.1 (`pyproject.toml` excludes the next major version):

- `.snakemake/locks`: left by a killed run, removed by any run that ends. Used by `_acquire_run`.
- `snakemake.cli.get_argument_parser` and the attributes of its options. Used by `check_run`.
- `workflow.is_main_process`: false in jobs on a cluster. Used by `run_config` and `check_run`.
- `workflow.config_settings`: `configfiles`, `config_args` (arguments of `--config`) and `replace_workflow_config`. Used
  by `run_config`.
- `workflow.deployment_settings.deployment_method`. Used by `shell_prefix`.
- `workflow.local_exec`: whether jobs are child processes, known in `onstart`. Used by `forward_signals` and
  `warn_of_processors`.
- The handler of SIGTERM, set before `onstart`: starts no more jobs, records those that finish, then exits; it waits for
  a lock, so it must not run in the thread that it interrupts. Used by `forward_signals`.
- `workflow.dag.needrun_jobs()`: jobs of the run. Used by `datasets_to_make` and
  `own_weights_to_read`.
- `workflow.dag.forcefiles`: files whose jobs run; read after the input functions. Used by `force_if_missing`.
- `rule.is_checkpoint`: read when a job of the rule ends. Used by `compare_by_content_after`.
- `rule.output` and `snakemake.io.strip_wildcard_constraints`. Used by `output_templates`.
"""

import base64
import json
import os
import shlex
import shutil
import signal
import sys
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
from filelock import FileLock, Timeout
from snakemake.cli import get_argument_parser
from snakemake.io import strip_wildcard_constraints
from snakemake.settings.types import DeploymentMethod

from seg.config.overrides import read_overridden
from seg.config.params import Params
from seg.plan import Plan
from seg.preconditions import check_names, scarce_processors
from seg.system.console import say
from seg.system.files import canonical_json
from seg.system.signals import ending_signals
from workflow.checks import folder_errors, link_errors, place_errors, profile_errors, refuse, stop
from workflow.records import check_records

_LOCKS = Path(".snakemake/locks")
_RUN_LOCK = FileLock(".snakemake/running.lock")  # released by the system however a run ends
_CONFIG_VARIABLE = "SEG_PARAMS"
_POLL_INTERVAL = 0.2  # seconds
# Exit trap of every command; 137 is 128 + SIGKILL. Bash has the text of the command in BASH_EXECUTION_STRING.
_REPORT_KILL = r"""report_kill() {
  [ $? = 137 ] || return 0
  [[ $BASH_EXECUTION_STRING =~ -m\ (seg\.[a-z_.]+) ]] || true
  local stage=${BASH_REMATCH[1]-command} fix=
  case $stage in seg.training.*|seg.evaluation.*) fix="lower batch or size of the variant in params.yaml, ";; esac
  fix+="run fewer jobs at a time (--cores), or raise memory in the cluster section of params.yaml"
  echo "error: $stage: killed, as Linux does when memory runs out; $fix" >&2
}
trap report_kill EXIT
"""

# Options of Snakemake that make a run read-only.
_READ_ONLY = (
    *("dryrun", "lint", "list_rules", "list_target_rules", "print_compilation", "list_conda_envs"),
    *("dag", "rulegraph", "filegraph", "d3dag", "summary", "detailed_summary"),
    *("list_changes", "list_input_changes", "list_params_changes", "list_untracked"),
)


def run_config(workflow: Any, config: dict[str, Any]) -> dict[str, Any]:
    """Content of `params.yaml` with the values of `--configfile` and `--config`, the same in every job of a run.

    `config`, which Snakemake's reports show, gets the same content. A job on a cluster reads the rules again when it
    starts. It gets the content from the environment, so that editing `params.yaml` while it waits changes nothing;
    compressed, because the length of a variable is limited.

    Raises:
        ValueError: `params.yaml` or a value of `--config` cannot be read; one line per error.
        OSError: `params.yaml` cannot be read.
    """
    content: dict[str, Any]
    if workflow.is_main_process:
        settings = workflow.config_settings
        own = [] if settings.replace_workflow_config else [Path(repository_path(workflow, "params.yaml"))]
        content = read_overridden([*own, *settings.configfiles], settings.config_args)
        os.environ[_CONFIG_VARIABLE] = base64.b64encode(zlib.compress(canonical_json(content).encode())).decode()
    else:
        content = json.loads(zlib.decompress(base64.b64decode(os.environ[_CONFIG_VARIABLE])))
    config.clear()
    config.update(content)
    return content


def shell_prefix(workflow: Any, trainings_per_gpu: int) -> str:
    """Start of every command. It replaces Snakemake's own prefix, `set -euo pipefail;`, and therefore includes it."""
    # A stage is `python -m seg.<package>.<stage>`; with --directory the package is found beside the Snakefile. Bash and
    # `tee` outlive a signal to the process group, so that the last lines of the stage and its exit code are not lost.
    lines = [
        "set -euo pipefail",
        "trap : INT TERM HUP",
        "tee() { trap '' INT TERM HUP; exec tee \"$@\"; }",
        f"export PYTHONPATH={shlex.quote(str(workflow.basedir))}${{PYTHONPATH:+:$PYTHONPATH}}",
    ]
    # Make glibc keep freed memory, see mallopt(3): without the page faults, a training step of the FCN at 256x384 takes
    # 15% less time. Values set by the user are kept.
    lines.append("export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:--1} MALLOC_MMAP_MAX_=${MALLOC_MMAP_MAX_:-0}")
    lines.append(f"export SEG_TRAININGS_PER_GPU={trainings_per_gpu}")
    if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
        lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    lines.append(_REPORT_KILL)
    return "\n".join(lines).replace("{", "{{").replace("}", "}}")  # Snakemake formats it


def forward_signals(workflow: Any) -> None:
    """Pass a signal that ends this run on to its jobs, and end as soon as they have ended; call it in `onstart`.

    Snakemake lets running jobs finish. After SIGINT it does not record them, and the next run would delete their
    outputs; after SIGHUP they run on without it. Jobs on a cluster are left to Snakemake, which cancels them on SIGINT.
    """
    if not workflow.local_exec:
        return
    end: Any = signal.getsignal(signal.SIGTERM)

    def forward(number: int) -> None:
        end()
        reached: set[tuple[psutil.Process, str]] = set()
        while True:  # a job may be starting
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    program = process, process.exe()  # a signal to a shell is lost if it is about to become the stage
                    if program not in reached:
                        reached.add(program)
                        process.send_signal(number)
            time.sleep(_POLL_INTERVAL)

    for each in ending_signals():
        signal.signal(each, lambda number, _: Thread(target=forward, args=[number], daemon=True).start())


def repository_path(workflow: Any, file: str) -> str:
    """Path of a repository file relative to the working directory, which `--directory` changes."""
    return os.path.relpath(Path(workflow.basedir, file))


def output_templates(rules: Iterable[Any]) -> list[str]:
    """Outputs of rules as templates with wildcards."""
    return [strip_wildcard_constraints(str(file)) for rule in rules for file in rule.output]


def compare_by_content_after(rules: Iterable[Any], files: Iterable[str], always: bool = False) -> None:
    """Compare the jobs downstream of these rules with their records again after the rules have run.

    If missing `files` are made again with the recorded content, the downstream jobs do not rerun. Snakemake repeats the
    comparison only after a checkpoint, so the rules become checkpoints, unless all files exist: a checkpoint makes
    Snakemake evaluate the graph twice. With `always`, they are checkpoints although the files exist.
    """
    repeated = always or not all(Path(file).exists() for file in files)
    for rule in rules:
        rule.rule.is_checkpoint = repeated


def datasets_to_make(workflow: Any, rule: str) -> list[str]:
    """Datasets that a rule writes in this run."""
    return sorted({job.wildcards.dataset for job in workflow.dag.needrun_jobs() if job.rule.name == rule})


def own_weights_to_read(workflow: Any, rule: str, plan: Plan) -> list[str]:
    """Users' checkpoints that the jobs of a rule start from in this run."""
    wildcards = [job.wildcards for job in workflow.dag.needrun_jobs() if job.rule.name == rule]
    return sorted({file for w in wildcards for file in plan.own_weights(w.preset, w.study, w.variant)})


def force_if_missing(workflow: Any, inputs: Iterable[str], output: str) -> None:
    """Run the job that makes `output` if one of its inputs is missing; call it in an input function.

    Snakemake makes no missing input again for an output that exists: after a training that failed and deleted its
    model, `snakemake -- <table>` would find nothing to do. A parameter would be recorded, and differ in the next run.
    """
    if not all(Path(file).exists() for file in inputs):
        workflow.dag.forcefiles.add(output)


def warn_of_processors(workflow: Any, params: Params) -> None:
    """Warn if trainings on this machine have more threads than it has processors; call it in `onstart`."""
    for line in scarce_processors(params) if workflow.local_exec else ():
        say(f"warning: {line}")


def check_run(workflow: Any, plan: Plan) -> None:
    """Check options, names, records and results, and lock the directory unless the run is read-only.

    Exits with code 2 and one line if the run cannot start.
    """
    if not workflow.is_main_process:
        return
    options = get_argument_parser().parse_args()
    read_only = any(getattr(options, name) for name in _READ_ONLY)
    read_only |= bool(options.report and not options.report_after_run)
    refuse(place_errors(workflow) or profile_errors(workflow, options.workflow_profile))
    refuse(folder_errors() or link_errors())
    check_names(plan.params, Path(repository_path(workflow, "workflow/resources/published.csv")), Path("data/raw"))
    plan.check_weights()
    if _acquire_run():
        check_records(plan, unknown=options.touch)  # which declares that the results are up to date
        if read_only:
            _RUN_LOCK.release()
    elif not read_only:
        stop(["another run is active in this directory; wait for it; `snakemake -n` works meanwhile"])


def _acquire_run() -> bool:
    # Snakemake's own locks do not exclude other runs: every run, even one without jobs, deletes all at its end.
    _LOCKS.parent.mkdir(exist_ok=True)
    try:
        _RUN_LOCK.acquire(blocking=False)
    except Timeout:
        return False
    shutil.rmtree(_LOCKS, ignore_errors=True)
    return True
