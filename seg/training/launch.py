"""`torchrun` that ends with the exit code of the process that failed first, 128 + the signal if it was killed.

`torchrun` itself ends with a traceback and exit code 1, so that a rule cannot tell that memory ran out. After a signal
to `torchrun`, the exit code is 128 + the signal.
"""

import sys

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main

from seg.system.console import say


def launch() -> None:
    """Start the processes; the arguments are those of `torchrun`."""
    try:
        main()
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            say(
                f"error: process {rank} was ended by signal {-failure.exitcode}; if memory ran out, lower batch or size"
            )
            sys.exit(128 - failure.exitcode)
        sys.exit(failure.exitcode)
    except SignalException as end:  # the processes have ended, too; the main one reports it
        sys.exit(128 + end.sigval)


if __name__ == "__main__":
    launch()
