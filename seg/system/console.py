"""Console output of a stage: one line per error, and exit code 2."""

import os
import sys
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches


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


def run_stage(main: Callable[[], None]) -> None:
    """Run the `main` of a stage.

    `ValueError` and `OSError` are user errors: one line per error and exit code 2. Any other exception is a bug and
    keeps its traceback. `SEG_DEBUG=1` prints every traceback.
    """
    try:
        main()
    except (ValueError, OSError) as error:
        if os.environ.get("SEG_DEBUG"):
            traceback.print_exc()
        for line in str(error).splitlines():
            say(f"error: {line}")
        sys.exit(2)
    except KeyboardInterrupt:
        say("error: interrupted")
        sys.exit(130)
