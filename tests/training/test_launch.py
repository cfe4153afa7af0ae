"""`torchrun` ends with the exit code of the process that failed first."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, signal, sys, time
if os.environ["RANK"] == "1":
    if sys.argv[1] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.exit(int(sys.argv[1]))
time.sleep(60 if sys.argv[1] != "0" else 0)
"""


@pytest.mark.parametrize(("end", "code"), [("killed", 137), ("2", 2), ("0", 0)])
def test_the_exit_code_is_that_of_the_first_process_that_fails(tmp_path: Path, end: str, code: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "seg.training.launch", "--standalone", "--nproc-per-node", "2", str(script), end]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    line = "error: process 1 was ended by signal 9; if memory ran out, lower batch or size"
    assert (line in done.stderr.splitlines()) == (end == "killed")


WAITING = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
open(os.path.join(MARK, os.environ["RANK"]), "w")
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_processes(tmp_path: Path, number: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(f"MARK = {str(tmp_path)!r}\n{WAITING}")
    command = [sys.executable, "-m", "seg.training.launch", "--standalone", "--nproc-per-node", "2", str(script)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        while running.poll() is None and not all((tmp_path / rank).exists() for rank in "01"):
            time.sleep(0.02)
        running.send_signal(number)
        printed = running.communicate(timeout=120)[1]
    assert running.returncode == 128 + number, printed
    assert "Traceback" not in printed
