"""Console output of a stage: one line per error, and exit code 2."""

import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from seg.system.signals import Interrupted, raised_signals

# How to fix the errors of the operating system that a user can cause. `EPIPE`: `| head` has ended.
_FIXES = {
    errno.EACCES: "give yourself access with chmod or chown, or use another path",
    errno.EPERM: "give yourself access with chmod or chown, or use another path",
    errno.EROFS: "use a path on a disk that is not read-only",
    errno.EEXIST: "move it away or use another path",
    errno.EISDIR: "give a file",
    errno.ENOTDIR: "a part of the path is a file; use another path",
    errno.ELOOP: "a link leads to itself; remove it",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ENOSPC: "free some space and run again",
    errno.EDQUOT: "free some space and run again",
    errno.ENOMEM: "free some memory and run again",
    errno.EMFILE: "allow more open files with `ulimit -n` and run again",
    errno.ENFILE: "close other programs and run again",
    errno.EPIPE: "the program that read the output has ended",
}


class IncompleteError(ValueError):
    """Some of the inputs could not be used, the others are done. Exit code 1."""


def say(message: str) -> None:
    """Print one line to standard error."""
    print(message, file=sys.stderr, flush=True)


def nearest(name: str, known: Iterable[str]) -> str:
    """Hint for an unknown name: the most similar known name, otherwise all known names."""
    close = get_close_matches(name, known := list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"


def nearest_of_all(name: str, known: Iterable[str]) -> str:
    """Hint for an unknown name where few are known: the most similar name, and all known names."""
    close = get_close_matches(name.lower(), known := list(known), n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known are {', '.join(known)}"


def describe_os_error(error: OSError) -> str:
    """`<file>: <reason>; <fix>`, or the message of an error that this package or a library raised by itself."""
    if error.errno is None:
        return str(error)
    file = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
    return f"{file}{error.strerror}; {_FIXES.get(error.errno, 'check the path and run again')}"


def printable(name: str) -> str:
    """The name of a file with line breaks and other control characters escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


@contextmanager
def escaped_names(*paths: Path) -> Iterator[None]:
    """Escape the line breaks that the names of these files have in the message of a ValueError."""
    try:
        yield
    except ValueError as error:
        for path in paths:
            error.args = (str(error).replace(str(path), printable(str(path))), *error.args[1:])
        raise


def _one_line_each(message: str) -> list[str]:
    """The errors of a message, one per line; line breaks in the names of files among the arguments are escaped."""
    names = {part for argument in sys.argv[1:] for part in re.split("[/=]", argument)}
    for name in sorted(names | {Path(name).stem for name in names}, key=len, reverse=True):
        if len(name.splitlines()) > 1:
            message = message.replace(name, printable(name))
    return message.splitlines()


def run_stage(main: Callable[[], None]) -> None:
    """Run the `main` of a stage.

    `ValueError` and `OSError` are user errors: one line per error and exit code 2 (`IncompleteError`: 1). Any other
    exception is a bug and keeps its traceback. `SEG_DEBUG=1` prints every traceback. A signal that asks the process to
    end is reported in one line; the exit code is 128 plus its number. After `main` has returned, they are ignored.
    """
    if sys.stdout is None:  # closed, as by `>&-`
        sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # names of files that the locale cannot encode
    try:
        with raised_signals():
            main()
    except (ValueError, OSError) as error:
        if os.environ.get("SEG_DEBUG"):
            traceback.print_exc()
        for line in _one_line_each(describe_os_error(error) if isinstance(error, OSError) else str(error)):
            say(f"error: {line}")
        sys.exit(1 if isinstance(error, IncompleteError) else 2)
    except Interrupted as end:
        say(str(end))
        sys.exit(128 + end.number)
