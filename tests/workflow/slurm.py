"""A Slurm cluster on this host with one simulated GPU, in a temporary directory and on free ports."""

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from clones import environment

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "scontrol")
# No cgroups and no accounting, which are not available in a test. A requeued job starts after cred_expire seconds. The
# node may have fewer cores and less memory than configured.
CONFIG = """\
ClusterName=lab
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.sock,cred_expire=5
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
KillWait=1
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 NodeHostname={host} CPUs=2 RealMemory=8000 Gres=gpu:tiny:1 State=UNKNOWN
PartitionName=main Nodes={host} MaxTime=INFINITE State=UP
PartitionName=other Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=urgent Nodes={host} MaxTime=INFINITE State=UP PriorityTier=2
EnforcePartLimits=ALL
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
"""


class Slurm(NamedTuple):
    """A running cluster of one node with the partitions `main`, `other` (the default) and `urgent`, which preempts."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Environment in which programs find this cluster."""
        own = environment()
        path = os.pathsep.join((str(self.folder / "bin"), own["PATH"]))
        return own | {"PATH": path, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def run(self, *command: str) -> str:
        """Standard output of one of Slurm's programs."""
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout

    def jobs(self, name: str) -> list[dict[str, str]]:
        """Slurm's records of running and finished jobs whose rule and wildcards contain `name`, oldest first."""
        lines = self.run("scontrol", "--oneliner", "show", "jobs").splitlines()
        records = [dict(word.split("=", 1) for word in line.split() if "=" in word) for line in lines]
        return sorted((job for job in records if name in job.get("Comment", "")), key=lambda job: int(job["JobId"]))


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[Slurm]:
    """Start a cluster in an empty directory; on exit its jobs are cancelled and its programs stopped."""
    slurm = Slurm(folder)
    _configure(folder)
    key, munge = str(folder / "munge.key"), [f"--{name}-file={folder / name}" for name in ("pid", "log", "seed")]
    commands = (
        ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder / 'munge.sock'}", *munge],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D"],
    )
    with contextlib.ExitStack() as stack:
        for command in commands:
            log = stack.enter_context((folder / f"{command[0]}.log").open("w"))
            program = subprocess.Popen(command, env=slurm.environment, stdout=log, stderr=log)
            stack.callback(_stop, program)
            if command[0] == "munged":
                until((folder / "munge.sock").exists, 20, "munged listens")
        until(lambda: "idle" in _output(slurm, "sinfo", "--noheader", "--format=%T"), 30, "the node is idle")
        stack.callback(_cancel_all, slurm)
        yield slurm


def until(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds. Raises TimeoutError, which names the condition."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"after {seconds} s still not: {what}")
        time.sleep(0.2)


def _configure(folder: Path) -> None:
    for name in ("state", "spool", "bin"):
        (folder / name).mkdir(parents=True)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    with socket.socket() as one, socket.socket() as two:
        for place in (one, two):
            place.bind(("127.0.0.1", 0))
        ports = [place.getsockname()[1] for place in (one, two)]
    host = socket.gethostname().split(".")[0]
    (folder / "slurm.conf").write_text(CONFIG.format(folder=folder, host=host, user=getpass.getuser(), ports=ports))
    (folder / "gres.conf").write_text("Name=gpu Type=tiny File=/dev/null\n")
    # Snakemake's plugin takes SLURM_CONF from the environment of `srun`, as a cluster has its file in /etc.
    wrapper = folder / "bin/srun"
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which("srun")} "$@"\n')
    wrapper.chmod(0o755)


def _output(slurm: Slurm, *command: str) -> str:
    try:
        return slurm.run(*command)
    except subprocess.CalledProcessError:  # not up yet
        return ""


def _cancel_all(slurm: Slurm) -> None:
    slurm.run("scancel", f"--user={getpass.getuser()}")
    until(lambda: not slurm.run("squeue", "--noheader"), 30, "all jobs have ended")


def _stop(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    try:
        program.wait(timeout=10)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
