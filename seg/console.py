"""How a stage starts and how it ends: one line an error and exit code 2."""

import os
import sys
import traceback
from collections.abc import Callable


def say(message: str) -> None:
    """One line for the person who watches, on standard error."""
    print(message, file=sys.stderr, flush=True)


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage's `main`. What the user can mend (`ValueError`, `OSError`) ends in a line an error and exit code 2.

    Anything else is our own fault and keeps its traceback. `SEG_DEBUG=1` shows the traceback of every error.
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
