"""The rows of `params.yaml` under `cluster`: what jobs ask a Slurm cluster for. No result depends on them."""

from typing import Annotated

from pydantic import StringConstraints

from seg.config.base import Count, Frozen


class Job(Frozen):
    """Memory of the machine in MB, time in minutes, and the partition; without one it is the cluster's own default."""

    partition: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,-]+$")] | None = None
    memory: Count
    minutes: Count


class GpuJob(Job):
    """A job on a GPU, of any model or of one that Slurm knows by this name."""

    gpu_model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")] | None = None


class Cluster(Frozen):
    """What trains, pretrains and evaluates, single variants by `study/variant`, and what makes the data."""

    training: GpuJob
    training_of: dict[str, GpuJob] = {}
    data: Job
