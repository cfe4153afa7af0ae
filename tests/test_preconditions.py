"""What must hold before a run beyond the schema of `params.yaml`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from seg.config.params import read_params
from seg.preconditions import check_names

CRACKS = {"classes": ["wall", "crack"], "size": [32, 32], "eval_split": "test"}


@pytest.mark.parametrize(
    ("keys", "file", "refused"),
    [
        ({"folds": 3}, "results/demo/cracks/lite/seed0/fold0/model.safetensors", True),
        ({"folds": 3, "fold": 0}, "results/demo/cracks/lite/seed0/fold0/model.safetensors", False),
        ({"folds": 3}, "starts/folded.safetensors", False),
        ({}, "elsewhere/fold0/model.safetensors", False),
    ],
)
def test_a_model_of_one_fold_is_no_start_of_others(
    tmp_path: Path, keys: dict[str, Any], file: str, refused: bool
) -> None:
    """It was trained on images that the other folds are scored on."""
    content = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    content["datasets"]["cracks"] = CRACKS | keys
    row = {"model": {"name": "u_lite"}, "weights": {"file": file}, "batch": 2, "epochs": 1, "lr": 0.1}
    study = {"title": "t", "source": "s", "dataset": "cracks", "scoring": "native", "classes": []}
    content["studies"] = {"cracks": {**study, "defaults": {"loss": "cross_entropy"}, "variants": {"lite": row}}}
    content["budgets"], content["cluster"]["training_of"] = {}, {}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    params = read_params(tmp_path / "params.yaml")
    published = Path("workflow/resources/published.csv")
    if not refused:
        return check_names(params, published, tmp_path)
    with pytest.raises(ValueError, match=r"^studies\.cracks\.variants\.lite\.weights\.file: .*; give other weights$"):
        check_names(params, published, tmp_path)
    return None
