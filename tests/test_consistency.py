"""Lists in several places have the same entries."""

from typing import get_args

import pytest
import torch

from seg.config.description import layouts
from seg.config.params import Params
from seg.config.recipe import Recipe
from seg.config.schema import Study
from seg.metrics import scores
from seg.report.rows import DETAILS, METRIC_TITLES
from seg.results import SCORINGS, Metrics, Scores
from seg.training.losses import make_loss


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
