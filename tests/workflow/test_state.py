"""Old results and unknown profiles are refused before any job starts; runs in another directory."""

import json
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from clones import Clone

from seg.config.params import load_params
from workflow.records import RUN_VERSION, schema_version
from workflow.state import warn_of_processors

pytestmark = pytest.mark.workflow


def errors(output: str) -> list[str]:
    """Lines that report an error."""
    return [line for line in output.splitlines() if line.startswith("error: ")]


def refused(clone: Clone, *arguments: str) -> str:
    """The one line of a run that ends with exit code 2."""
    (line,) = errors(clone.snakemake(*arguments, code=2))
    return line


FIX = "move or delete results/demo/, or check out the commit that made it"


def test_results_of_another_schema_are_refused_in_one_line(clone: Clone) -> None:
    run = clone.result("dice/seed0/run.json")
    content = json.loads(run.read_text())
    run.write_text(json.dumps(content | {"schema_version": RUN_VERSION + 1}))
    for arguments in ([], ["-n"]):
        assert refused(clone, *arguments) == (
            f"error: results/demo/cityscapes_fcn/dice/seed0/run.json: schema version {RUN_VERSION + 1},"
            f" expected {RUN_VERSION}; {FIX}"
        )
    del content["schema_version"]
    run.write_text(json.dumps(content))
    assert "run.json: schema version none, expected" in refused(clone)


def test_results_from_before_the_schema_are_refused_until_they_are_moved(clone: Clone) -> None:
    for variant in clone.result("").glob("*/seed0"):
        (variant / "run.json").rename(variant / "training.json")
    assert refused(clone) == (
        "error: results/demo/cityscapes_fcn/baseline/seed0/training.json: schema version none,"
        f" expected {RUN_VERSION}; {FIX}"
    )
    (clone.path / "results/demo").rename(clone.path / "results/old")
    assert "Train cityscapes_fcn/dice with seed 0" in clone.scheduled()


def test_what_another_preset_left_behind_is_not_looked_at(clone: Clone) -> None:
    folder = clone.path / "results/camvid/cityscapes_fcn/dice/seed0"
    folder.mkdir(parents=True)
    (folder / "training.json").write_text("{}")
    assert clone.scheduled() == []


@pytest.mark.parametrize("profile", ["profiles/slurmm", "slurmm"])
def test_a_mistyped_workflow_profile_is_refused(new_clone: Clone, profile: str) -> None:
    line = refused(new_clone, "-n", "--workflow-profile", profile)
    assert line == f"error: --workflow-profile {profile}: no such directory; profiles/ contains default, slurm"


@pytest.mark.parametrize("profile", ["profiles/default", "default", "none"])
def test_workflow_profiles_that_exist_are_used(new_clone: Clone, profile: str) -> None:
    assert errors(new_clone.snakemake("-n", "--workflow-profile", profile)) == []


def test_another_directory_takes_the_files_and_the_repository_gives_the_code(new_clone: Clone, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    marker = "pack = 'of the clone'"
    new_clone.edit("seg/data/pack.py", "\nimport os\n", f'\nimport os\n\nprint("{marker}")\n')
    target = "data/packs/demo/streets-64x128/val.json"
    output = new_clone.snakemake("--directory", str(elsewhere), "--", target)
    assert marker in output
    assert (elsewhere / target).exists()
    assert not (new_clone.path / "data").exists()
    assert "Nothing to be done" in new_clone.snakemake("--directory", str(elsewhere), "--", target)
    planned = new_clone.snakemake("-n", "--directory", str(elsewhere))
    assert re.search(r"--published \S+/workflow/resources/published.csv", planned)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("prset=demo", "prset: unknown; did you mean preset?"),
        (
            "studies={cityscapes_fcn: {variants: {unet: {lrr: 3}}}}",
            "studies.cityscapes_fcn.variants.unet.lrr: unknown; ",
        ),
        ("seeds=[0, 0]", "seeds: got [0, 0]; list each seed once"),
    ],
)
def test_wrong_names_and_values_of_config_are_refused_in_one_line(new_clone: Clone, change: str, message: str) -> None:
    assert refused(new_clone, "-n", "--config", change).startswith(f"error: {message}")


def test_scarce_processors_are_reported_where_the_trainings_run(
    new_clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    new_clone.set("budgets.demo.threads", 999)
    output = new_clone.snakemake("--", "data/raw/streets/manifest.json")
    assert re.search(r"^warning: threads: .* trains with 999 threads on \d+ processors", output, re.MULTILINE)
    params = load_params(new_clone.params())
    warn_of_processors(SimpleNamespace(local_exec=False), params)  # on the submitting host of a cluster
    assert capsys.readouterr().err == ""
    warn_of_processors(SimpleNamespace(local_exec=True), params)
    assert "999 threads" in capsys.readouterr().err


def test_a_thousand_results_are_checked_in_a_tenth_of_a_second(tmp_path: Path) -> None:
    content = json.dumps({"schema_version": RUN_VERSION, "recipe": {str(k): "x" * 40 for k in range(40)}})
    paths = [tmp_path / f"variant{k}/seed0/run.json" for k in range(1000)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text(content)
    start = time.process_time()
    assert {schema_version(path) for path in paths} == {RUN_VERSION}
    assert time.process_time() - start < 0.1
