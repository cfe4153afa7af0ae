"""Rows of `params.yaml` under `cluster`: what jobs request from a Slurm cluster. They affect no result."""

from typing import Annotated

from pydantic import StringConstraints

from seg.config.base import Count, Frozen, Part


class Job(Frozen):
    """Memory in MB, time in minutes, and the partition; null is the cluster's default partition."""

    partition: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.,-]+$")] | None = None
    memory: Count
    minutes: Count


class GpuJob(Job, Part):
    """A job on a GPU: any model, or the one that Slurm knows by this name."""

    gpu_model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]+$")] | None = None


class Cluster(Frozen):
    """Requests of GPU jobs (training, evaluation, pretraining) and of jobs that make data.

    A row of `training_of`, by `study/variant`, gives what differs from `training`.
    """

    training: GpuJob
    training_of: dict[str, GpuJob] = {}
    data: Job
