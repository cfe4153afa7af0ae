from pathlib import Path

import pytest
from results_tree import MIOU, PUBLISHED, write, write_run, write_statistics


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A directory with `streets/<variant>/seed<k>/`, `published.csv` and `statistics.json`."""
    for variant, scores in MIOU.items():
        for seed, miou in enumerate(scores):
            loss = "dice" if variant == "dice" else "cross_entropy"
            write_run(tmp_path / "streets" / variant / f"seed{seed}", miou, loss=loss)
    write(tmp_path / "published.csv", PUBLISHED)
    write_statistics(tmp_path / "statistics.json")
    return tmp_path
