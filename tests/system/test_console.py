"""Error lines and exit codes of stages."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from seg.system.console import describe_os_error, run_stage
from seg.system.signals import Interrupted

ROOT = Path(__file__).parents[2]
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def _signals_restored() -> Iterator[None]:
    """`run_stage` ignores signals after a successful stage."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def ending(error: BaseException) -> int | str | None:
    def main() -> None:
        raise error

    with pytest.raises(SystemExit) as caught:
        run_stage(main)
    return caught.value.code


@pytest.mark.parametrize("error", [ValueError("a is bad\nb is bad"), OSError("a is bad\nb is bad")])
def test_an_error_for_the_user_is_printed_in_lines(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(error) == 2
    assert capsys.readouterr() == ("", "error: a is bad\nerror: b is bad\n")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("bad\nname.png", "bad\\nname.png: damaged"),
        ("./photos/bad\u2028name.png", "photos/bad\\u2028name.png: damaged"),
        ("--out=bad\nname", "--out bad\\nname: damaged"),
        ("Übung/bad\nname.jpg", "predictions/bad\\nname.png: exists"),
    ],
)
def test_an_error_about_a_name_with_a_line_break_is_one_line(
    argument: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["predict", argument])
    text = message.replace("\\n", "\n").replace("\\u2028", "\u2028")
    assert ending(ValueError(f"{text}\nb is bad")) == 2
    assert capsys.readouterr().err == f"error: {message}\nerror: b is bad\n"


LATE = """
import atexit, os, signal, sys
from seg.system.console import run_stage
number = int(sys.argv[1])
signal.signal(number, signal.SIG_DFL)
atexit.register(os.kill, os.getpid(), number)
run_stage({main})
print("after the stage")
"""


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize(
    ("main", "code", "printed"),
    [("lambda: None", 0, "after the stage\n"), ("sys.exit", 0, ""), ("lambda: sys.exit(1)", 1, "")],
)
def test_a_signal_after_a_stage_does_not_change_its_exit_code(
    main: str, code: int, printed: str, number: signal.Signals
) -> None:
    """Snakemake deletes the outputs of a job that ends with another exit code than 0. Typer ends with `sys.exit`."""
    command = [sys.executable, "-c", LATE.format(main=main), str(int(number))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, printed, "")


def test_seg_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEG_DEBUG", "1")
    assert ending(ValueError("bad")) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "error: bad"


def test_an_interruption_has_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert ending(Interrupted(2)) == 130
    assert capsys.readouterr().err == "interrupted; run again\n"


def test_bugs_keep_their_traceback() -> None:
    def main() -> None:
        raise KeyError("bug")

    with pytest.raises(KeyError):
        run_stage(main)


def test_a_successful_stage_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    run_stage(lambda: None)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("number", "file", "line"),
    [
        (errno.ENOENT, "a.png", "a.png: No such file or directory; check the path and run again"),
        (errno.EMFILE, "a.png", "a.png: Too many open files; allow more open files with `ulimit -n` and run again"),
        (errno.EROFS, b"a.png", "a.png: Read-only file system; use a path on a disk that is not read-only"),
        (errno.ENOSPC, None, "No space left on device; free some space and run again"),
    ],
)
def test_errors_of_the_system_name_the_file_and_the_fix(number: int, file: str | bytes | None, line: str) -> None:
    assert describe_os_error(OSError(number, os.strerror(number), file)) == line
