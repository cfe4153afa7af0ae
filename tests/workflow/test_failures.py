"""Failed stages are reported at once with their exit status; text from users is never executed by a shell."""

import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from clones import Clone

from workflow.state import shell_prefix

pytestmark = pytest.mark.workflow

LATENCY = 60  # seconds that Snakemake waits for outputs of a job that succeeded, as on a cluster
FAILED_AT_ONCE = 30.0  # seconds


def assert_reported(output: str, rule: str) -> None:
    """The rule is reported as failed with its exit status, and nothing waits for its outputs."""
    assert f"Error in rule {rule}" in output
    assert "command exited with non-zero exit code" in output
    assert "completed successfully" not in output
    assert "missing after" not in output


def test_a_killed_training_is_an_error(clone: Clone) -> None:
    clone.set("budgets.demo.epochs", {"cityscapes_fcn/baseline": 105})
    model = "results/demo/cityscapes_fcn/baseline/seed0/model.safetensors"
    killed, lines = 0.0, []
    with clone.start("snakemake", "--cores", "4", "--latency-wait", str(LATENCY), "--", model) as running:
        assert running.stdout
        for line in running.stdout:
            lines.append(line)
            if line.startswith("epoch 2/") and not killed:
                children = psutil.Process(running.pid).children(recursive=True)
                (training,) = (child for child in children if child.cmdline()[1:3] == ["-m", "seg.training.train"])
                training.kill()
                killed = time.monotonic()
    assert running.returncode == 1
    assert time.monotonic() - killed < FAILED_AT_ONCE
    assert_reported("".join(lines), "train_variant")
    killed = "error: seg.training.train: killed, as Linux does when memory runs out; lower batch or size of the variant"
    assert sum(line.startswith(killed) for line in lines) == 1


def test_the_advice_on_a_killed_stage_depends_on_the_stage(tmp_path: Path) -> None:
    workflow = SimpleNamespace(basedir=tmp_path, deployment_settings=SimpleNamespace(deployment_method=set()))
    prefix = shell_prefix(workflow, 1).replace("{{", "{").replace("}}", "}")
    command = f"{prefix} python() {{ bash -c 'kill -9 $$'; }}; python -m seg.data.pack --out x 2>&1 | cat"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 137
    assert done.stderr.splitlines()[-1] == (
        "error: seg.data.pack: killed, as Linux does when memory runs out; run fewer jobs at a time (--cores), "
        "or raise memory in the cluster section of params.yaml"
    )


def test_a_stage_that_fails_is_an_error(clone: Clone) -> None:
    label = next((clone.path / "data/raw/streets/gtFine/val").rglob("*.png"))
    label.write_bytes(label.read_bytes()[:100])
    start = time.monotonic()
    pack = "data/packs/demo/streets-64x128/val.json"
    output = clone.snakemake("--latency-wait", str(LATENCY), "--forcerun", pack, code=1)
    assert time.monotonic() - start < FAILED_AT_ONCE
    assert_reported(output, "pack_split")


def test_names_that_a_shell_would_run_are_refused(clone: Clone) -> None:
    task = {"images": 64, "size": 32, "epochs": 1, "batch": 32, "lr": 0.002, "seed": 7, "threads": 1}
    clone.set("weights.resnet34_shapes.pretext", task | {"backbone": "resnet34; touch injected #"})
    clone.set("cluster.training.partition", "main; touch injected")
    output = clone.snakemake(code=2)
    lines = [line for line in output.splitlines() if line.startswith("error: ")]
    assert [line.split(":")[1].strip() for line in lines] == [
        "cluster.training.partition",
        "weights.resnet34_shapes.pretext.backbone",
    ]
    assert not (clone.path / "injected").exists()


def test_free_text_is_passed_on_as_it_is(clone: Clone) -> None:
    title = "$(touch injected) `touch injected`; touch injected & 'quoted' \"twice\""
    clone.set("studies.cityscapes_fcn.title", title)
    clone.set("presets.demo.title", title)
    clone.set("studies.cityscapes_fcn.variants.dice.readings.model.says", title)
    clone.snakemake()
    assert not (clone.path / "injected").exists()
    assert title.replace('"', '""') in clone.result("table.csv").read_text()
