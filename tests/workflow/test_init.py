"""A directory of each kind of label goes from `seg init` to a table of two variants."""

import pandas as pd
import pytest
import yaml
from clones import Clone
from own_data import KINDS

pytestmark = pytest.mark.workflow


def test_from_a_directory_to_a_table(new_clone: Clone) -> None:
    content = new_clone.params()
    content["studies"] = {}
    content["presets"]["demo"]["epochs_scale"] = 0.05  # one epoch of 20
    names = {kind: f"own_{kind.replace(' ', '_')}" for kind in KINDS}
    for kind, name in names.items():
        folder = new_clone.path / "data/raw" / name
        folder.mkdir(parents=True)
        KINDS[kind](folder)
        rows = yaml.safe_load(new_clone.run("python", "-m", "seg.cli", "init", f"data/raw/{name}"))
        for part in ("datasets", "studies"):
            content[part] |= rows[part]
    (new_clone.path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    new_clone.snakemake()
    for name in names.values():
        table = pd.read_csv(new_clone.path / f"results/demo/{name}/table.csv")
        assert list(table["variant"]) == ["fcn", "u_lite"]
        assert table["miou"].between(0, 1).all()
    assert new_clone.scheduled() == []
