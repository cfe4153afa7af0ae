"""What must hold before a run beyond the schema of `params.yaml`: names of classes and weights, published figures."""

import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from seg.config.code_readings import CODE_READINGS
from seg.config.description import describe, downloadable
from seg.config.messages import one_per_line
from seg.config.params import Params
from seg.config.recipe import WeightsFile
from seg.datasets.classes import class_table
from seg.datasets.own_files import with_own_keys
from seg.models.weights_table import published_weights
from seg.report.published import PublishedRow, read_figures
from seg.system.console import nearest

StudyClasses = Mapping[str, tuple[str, ...]]  # of the dataset of each study; empty if they are not known yet

# Studies of the repository. Their figures stay in the file when a user removes a study or a variant of it from
# `params.yaml`.
_SHIPPED = frozenset(study for each in CODE_READINGS for study in each.studies)


def check_names(params: Params, published: Path, raw: Path) -> None:
    """Check the names that `params.yaml` and the published figures share with datasets, weights and each other.

    Args:
        params: the parameters of the run.
        published: file of the published figures.
        raw: directory of the datasets, for those with a class table of their own.

    Raises:
        ValueError: a name is unknown, or a figure is invalid; one line per error.
    """
    classes = {name: _classes(params, study.dataset, raw) for name, study in params.studies.items()}
    problems = [*_unknown_classes(params, classes), *_unknown_weights(params), *_weights_of_folds(params)]
    try:
        problems += _unknown_figures(params, classes, published, read_figures(published))
    except ValueError as error:
        problems += str(error).splitlines()
    if problems:
        raise ValueError(one_per_line(problems))


def scarce_processors(params: Params) -> Iterator[str]:
    """A warning if trainings of the selected preset have more threads than the machine has processors."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    seed = params.run_seeds(params.preset)[0]
    threads = {
        f"{study}/{variant}": params.recipe(params.preset, study, variant, seed).threads
        for study in params.studies
        for variant in params.variants(study)
    }
    name, most = max(threads.items(), key=lambda item: item[1])
    if most > available:
        yield f"threads: {name} trains with {most} threads on {available} processors, which is slow; give fewer threads"


def _unknown_classes(params: Params, classes: StudyClasses) -> Iterator[str]:
    """Classes of studies that their dataset does not have."""
    for name, study in params.studies.items():
        known = classes[name]
        for each in study.classes if known else ():
            if each not in known:
                yield f"studies.{name}.classes: '{each}' is no class of '{study.dataset}'; {nearest(each, known)}"


def _classes(params: Params, dataset: str, raw: Path) -> tuple[str, ...]:
    """Names of the classes of a dataset; empty for a user's own that is not here yet."""
    folder = raw / params.files(dataset)
    described = with_own_keys(params.datasets[dataset].description(), folder)
    known = described.class_names() or (folder / "classes.yaml").is_file()
    return class_table(described, folder).names if known else ()


@cache
def _catalogue_classes() -> frozenset[str]:
    """Classes of all datasets of the catalogue. Figures keep those of the source's dataset if a study has another."""
    return frozenset(name for dataset in downloadable() for name in class_table(describe(dataset)).names)


def _unknown_weights(params: Params) -> Iterator[str]:
    for name, row in params.weights.items():
        if row.source:
            try:
                published_weights(name)
            except ValueError as error:
                yield f"weights.{name}: {error}; give pretext, or the name of published weights"


def _weights_of_folds(params: Params) -> Iterator[str]:
    """A model of one fold has seen the images that the other folds are scored on."""
    for study in params.studies:
        row = params.datasets[params.dataset(params.preset, study)]
        if not row.folds:
            continue
        for variant in params.variants(study):
            weights = params.recipe(params.preset, study, variant, params.run_seeds(params.preset)[0]).weights
            found = isinstance(weights, WeightsFile) and re.search(r"(^|/)fold(\d+)/", weights.file)
            if isinstance(weights, WeightsFile) and found and (row.fold is None or int(found[2]) != row.fold):
                where = f"studies.{study}.variants.{variant}.weights.file"
                seen = "was trained on images that other folds are scored on"
                yield f"{where}: {weights.file} {seen}; give other weights"


def _unknown_figures(params: Params, classes: StudyClasses, path: Path, figures: list[PublishedRow]) -> Iterator[str]:
    """Published figures of an unknown study, variant or class."""
    for figure in figures:
        where = f"{path}, line {figure.line}"
        if figure.study not in params.studies:
            if figure.study not in _SHIPPED:
                yield f"{where}: study '{figure.study}' is unknown; {nearest(figure.study, params.studies)}"
            continue
        study = params.studies[figure.study]
        if figure.variant not in study.variants and figure.study not in _SHIPPED:
            yield f"{where}: variant '{figure.variant}' is unknown; {nearest(figure.variant, study.variants)}"
        known = classes[figure.study] or study.classes
        if figure.name and figure.name not in (*known, *study.classes) and figure.name not in _catalogue_classes():
            yield f"{where}: class '{figure.name}' is unknown; {nearest(figure.name, known)}"
