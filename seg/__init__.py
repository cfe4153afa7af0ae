"""Reruns published comparisons of semantic-segmentation models and tabulates them beside the published figures."""

__version__ = "0.1.0"

import signal
import sys

# `python -m seg.<package>.<stage>` may import torch for seconds before `seg.system.console.run_stage` handles signals.
# Until then, Ctrl-C ends the process without a traceback. The program is called "-m" only until the stage is found.
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) == signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
