"""How a stage starts and how it ends: one line an error and exit code 2."""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from difflib import get_close_matches


def say(message: str) -> None:
    """One line for the person who watches, on standard error."""
    print(message, file=sys.stderr, flush=True)


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name: the known one that is like it, else all."""
    close = get_close_matches(name, known := list(known), n=1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none'}"


def nearest_of_all(name: str, known: Iterable[str]) -> str:
    """What to say of an unknown name where the known ones are few: the one that is like it, and all."""
    close = get_close_matches(name.lower(), known := list(known), n=1)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"{hint}known are {', '.join(known)}"


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`. What the user can mend (`ValueError`, `OSError`) ends in a line an error and exit code 2.

    Anything else is our own fault and keeps its traceback. `SEG_DEBUG=1` shows the traceback of every error.
    """
    gc.freeze()  # what the imports made lives to the end: no collection need walk it; the one at the exit took 0.4 s
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
