"""What DVC records after Snakemake, and what it starts."""

import json

import pytest
from clones import VARIANTS, Clone

pytestmark = pytest.mark.workflow


def trained(clone: Clone) -> dict[str, int]:
    return {name: clone.result(f"{name}/seed0/model.safetensors").stat().st_mtime_ns for name in VARIANTS}


def test_repro_records_and_trains_nothing_then_an_experiment_trains_one(clone: Clone) -> None:
    before = trained(clone)
    for name in ("statistics.json", "classes.png"):  # what only the page needs; stage `data` records it nevertheless
        (clone.path / "data/packs/demo/streets-32x64" / name).unlink()
    clone.run("dvc", "repro")
    assert trained(clone) == before
    assert "up to date" in clone.run("dvc", "status")
    assert clone.scheduled() == []

    shown = json.loads(clone.run("dvc", "metrics", "show", "--json"))
    figures = next(iter(shown[""]["data"].values()))["data"]["cityscapes_fcn"]
    assert set(figures) == set(VARIANTS)
    assert 0 <= figures["unet"]["miou"] <= 1
    clone.run("dvc", "plots", "show", "--out", "plots")
    plots = (clone.path / "plots/index.html").read_text()
    assert "augmented_full_resolution" in plots
    assert list((clone.path / "plots").rglob("*curves.png"))

    clone.run("dvc", "exp", "run", "-S", "studies.cityscapes_fcn.variants.baseline.lr=0.004")
    assert clone.params()["studies"]["cityscapes_fcn"]["variants"]["baseline"]["lr"] == 0.004
    assert [name for name, moment in trained(clone).items() if moment != before[name]] == ["baseline"]
    assert "up to date" in clone.run("dvc", "status")
    assert clone.scheduled() == []
