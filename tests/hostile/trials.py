"""Trials of what people do to a command: each runs in a directory of its own, which must end as the trial says.

A table of trials is a list in a test file, run by one parametrised test:

    @pytest.mark.parametrize("trial", TRIALS, ids=str)
    def test_files_that_are_not_images(trial: Trial, tmp_path: Path) -> None:
        run_trial(trial, tmp_path)
"""

import hashlib
import importlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from fnmatch import fnmatch
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from clones import ROOT, environment

from seg.system.console import run_stage


@dataclass(frozen=True)
class Trial:
    """One command on one input.

    Attributes:
        name: what was done to the input; the name of the test.
        command: module and its arguments, such as `("seg.cli", "predict", ...)`. With `process`, a program may stand in
            place of a module (`("snakemake", "-n")`).
        arrange: writes the input into the trial's directory, in which the command runs.
        line: regular expression that one line of the output matches from its start to its end; "": there is no output.
        code: exit code.
        errors: number of lines of the output that begin with `error:`.
        writes: patterns of files that the command may create; the others of its new files are left behind.
        changes: patterns of files that it may change or delete; the others would be lost.
        variables: added to the environment.
        process: run in a process of its own; otherwise in the process of the tests.
    """

    name: str
    command: Sequence[str]
    arrange: Callable[[Path], None]
    line: str
    code: int = 2
    errors: int = 1
    writes: Sequence[str] = ()
    changes: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    process: bool = False

    def __str__(self) -> str:
        return self.name


def run_trial(trial: Trial, root: Path) -> str:
    """Run a trial in an empty directory, compare the directory before and after, and return the output."""
    trial.arrange(root)
    before = contents(root)
    code, output = (_run_process if trial.process else _run_here)(trial, root)
    after = contents(root)
    assert "Traceback" not in output, output
    assert code == trial.code, output
    assert any(re.fullmatch(trial.line, line) for line in output.splitlines() or [""]), output
    assert sum(line.startswith("error:") for line in output.splitlines()) == trial.errors, output
    lost = [name for name, content in before.items() if after.get(name) != content]
    assert not [name for name in lost if not _named(name, trial.changes)], output
    assert not [name for name in after.keys() - before.keys() if not _named(name, trial.writes)], output
    return output


def contents(root: Path) -> dict[str, str]:
    """Digest of every file below a directory, target of every link, and every directory, by path."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = Path(folder, name)
            if path.is_symlink():
                content = f"link to {path.readlink()}"
            elif path.is_dir():
                content = "directory"
            else:
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "special file"
            found[path.relative_to(root).as_posix()] = content
    return found


def _named(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)


def _run_process(trial: Trial, root: Path) -> tuple[int, str]:
    program, *arguments = trial.command
    start = [sys.executable, "-m", program] if program.startswith("seg.") else [program]
    variables = environment() | {"PYTHONPATH": str(ROOT)} | trial.variables
    done = subprocess.run(
        [*start, *arguments],
        cwd=root,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        timeout=300,
    )
    return done.returncode, done.stdout


@contextmanager
def signals_restored() -> Iterator[None]:
    """Restore the handlers of the signals that `run_stage` ignores after a successful stage."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_here(trial: Trial, root: Path) -> tuple[int, str]:
    module, *arguments = trial.command
    main = importlib.import_module(module).main
    output, code = StringIO(), 0
    with (
        signals_restored(),
        chdir(root),
        patch.dict(os.environ, trial.variables),
        patch.object(sys, "argv", [module, *arguments]),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        try:
            run_stage(main)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return code, output.getvalue()
