from pathlib import Path

import pytest
from results_tree import write_results


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A directory with `streets/<variant>/seed<k>/`, `published.csv` and `statistics.json`."""
    return write_results(tmp_path)
