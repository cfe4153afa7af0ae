"""Lists in several places have the same entries."""

import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
import torch
import yaml

from seg.config.description import layouts
from seg.config.params import Params
from seg.config.recipe import Recipe
from seg.config.schema import Study
from seg.metrics import scores
from seg.report.rows import DETAILS, METRIC_TITLES
from seg.results import SCORINGS, Metrics, Scores
from seg.training.losses import make_loss

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", get_args(Recipe.model_fields["loss"].annotation))
def test_every_loss_of_the_schema_is_implemented(name: str) -> None:
    loss = make_loss(name, torch.ones(3))
    assert loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.uint8)).isfinite()


def test_every_metric_is_stored_and_reported() -> None:
    assert set(scores.METRICS) == set(METRIC_TITLES)
    assert {*scores.METRICS, *DETAILS} <= set(Scores.model_fields)
    assert set(SCORINGS) <= set(Metrics.model_fields)
    assert get_args(Study.model_fields["scoring"].annotation) == SCORINGS


@pytest.mark.parametrize("layout", layouts())
def test_every_layout_is_accepted_by_the_schema(layout: str) -> None:
    row = get_args(Params.model_fields["datasets"].annotation)[1]
    assert row(layout=layout, size=(32, 32), eval_split="val").layout == layout


def test_the_supported_versions_of_python_are_the_same_everywhere() -> None:
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())
    found = re.fullmatch(r">=(3\.(\d+)\.\d+),<3\.(\d+)", metadata["project"]["requires-python"])
    assert found
    first, minor, end = found[1], int(found[2]), int(found[3])
    for page in ("README.md", "docs/tutorial/first-variant.md"):
        assert f"Python {first} to 3.{end - 1}" in (ROOT / page).read_text(), page
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    [versions] = [job["strategy"]["matrix"]["python"] for job in jobs.values()]
    assert versions == [f"3.{k}" for k in range(minor, end)]
