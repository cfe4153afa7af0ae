"""Error lines and exit codes of stages."""

import errno
import os

import pytest

from seg.system.console import describe_os_error, run_stage
from seg.system.signals import Interrupted


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
