"""Every command of README and docs: run here as it is written, or by the test that the table names.

A new command, in a block `sh` or `bash` or with its arguments in a sentence, fails the first test until it is in one of
the tables.
"""

import ast
import csv
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import yaml
from clones import ROOT, Clone
from PIL import Image

from docs.generate import FILES
from docs.pictures import AFTER

pytestmark = pytest.mark.workflow

WHOLE_RUN = "the fixture `template` runs it to the end in a small clone"
# Commands that a test of another file runs, and what differs there.
ELSEWHERE = {
    "make test": (".ci/run", "CI is this command"),
    "make lint": (".ci/run", "CI runs it first"),
    "make docs": (
        "tests/test_docs.py::test_the_site_is_built_without_a_warning_and_without_the_network",
        "",
    ),
    'pytest -m "not slow and not workflow"': ("Makefile", "`make fast`; CI runs all tests"),
    "pytest tests/models/test_unet.py": (".ci/run", "CI runs all tests"),
    "make bench": ("tests/test_benchmarks.py::test_the_measured_training_step_trains", "parts; it takes 20 minutes"),
    "python -m benchmarks.graph": (
        "tests/workflow/test_travel.py::test_many_finished_variants_need_nothing",
        "a part; it takes minutes",
    ),
    "snakemake --cores 4 --resources gpu=1": ("tests/conftest.py::template", WHOLE_RUN),
    "snakemake --cores 4 --resources gpu=1 --config preset=camvid": (
        "tests/workflow/test_studies.py::test_every_preset_trains_thirty_variants_with_its_seeds",
        "dry run: downloads, and trains for hours",
    ),
    "snakemake --profile profiles/slurm": (
        "tests/workflow/test_slurm.py::test_cancelled_and_preempted_trainings_resume_on_a_cluster",
        "",
    ),
    "seg show cityscapes_fcn/unet": (
        "tests/test_cli.py::test_show_prints_the_row_that_a_value_was_written_in",
        "another variant",
    ),
    "seg doctor data/raw/camvid --layout camvid": (
        "tests/doctor/test_doctor.py::test_a_valid_dataset_is_summarised_by_a_real_process",
        "on images that are made on the spot",
    ),
    "seg export results/camvid/voc2012_fcn/unet/seed0 --out unet.onnx": (
        "tests/evaluation/test_export.py::test_every_family_in_onnxruntime",
        "the function of the command, for every family of models",
    ),
    "seg export results/camvid/voc2012_fcn/unet/seed0 --out unet.pt2": (
        "tests/evaluation/test_export.py::test_torch_export",
        "the function of the command, for every family of models",
    ),
    "seg diff HEAD~1": ("tests/workflow/test_travel.py::test_there_and_back_and_through_history", ""),
    "dvc repro": (
        "tests/workflow/test_dvc.py::test_repro_records_and_trains_nothing_then_an_experiment_trains_one",
        "",
    ),
    "dvc exp run -S studies.cityscapes_fcn.variants.baseline.lr=0.01": (
        "tests/workflow/test_dvc.py::test_repro_records_and_trains_nothing_then_an_experiment_trains_one",
        "",
    ),
    "dvc exp run -S +studies.cityscapes_fcn.variants.baseline.weight_decay=0.001": (
        "tests/config/test_set_param.py::test_a_key_that_is_not_in_the_row_is_refused_and_added_with_a_plus",
        "DVC's parser and writer in one process",
    ),
    "tensorboard --logdir results/demo": (
        "tests/training/test_events.py::test_the_recipe_is_text",
        "a server; this and its neighbours read the events with its library",
    ),
    "snakemake --report report.html": ("tests/workflow/test_snakemake.py::test_lint_and_report", ""),
    "dvc plots show": (
        "tests/workflow/test_dvc.py::test_repro_records_and_trains_nothing_then_an_experiment_trains_one",
        "with --out",
    ),
    "dvc plots diff HEAD~1": (
        "tests/workflow/test_dvc.py::test_repro_records_and_trains_nothing_then_an_experiment_trains_one",
        "of one commit: `dvc plots show`",
    ),
    "dvc metrics diff HEAD~1": (
        "tests/workflow/test_dvc.py::test_repro_records_and_trains_nothing_then_an_experiment_trains_one",
        "against HEAD",
    ),
    "dvc remote add --default store /mnt/results": ("tests/workflow/test_travel.py::sent", "another directory"),
    "dvc repro && git add -A && git commit && dvc push": ("tests/workflow/test_travel.py::sent", ""),
    "git clone <address> seg && cd seg && dvc pull": (
        "tests/workflow/test_travel.py::test_there_and_back_and_through_history",
        "",
    ),
    "dvc cache dir --local /mnt/large/dvc-cache": (
        "tests/hostile/test_links.py::test_dvc_keeps_its_cache_on_another_disk",
        "another directory",
    ),
}
# The same for commands in sentences.
IN_SENTENCES = {
    "dvc add data/raw/cracks": (
        "tests/workflow/test_own_images.py::test_images_added_to_dvc_survive_checkout_and_gc_and_travel",
        "",
    ),
    "dvc pull results/<preset> .snakemake/metadata": (
        "tests/workflow/test_travel.py::test_there_and_back_and_through_history",
        "",
    ),
    "mogrify -auto-orient": ("docs/how-to/own-dataset.md", "a program of ImageMagick"),
    "pytest -m slow tests/evaluation/test_coverage.py": (".ci/run", "CI runs all tests"),
    "pytest -m slow tests/evaluation/test_coverage_of_methods.py": (".ci/run", "CI runs all tests"),
    "python -m benchmarks.demo": ("tests/test_benchmarks.py::test_what_the_demo_misses_is_listed", "on other results"),
    "python -m benchmarks.gpu": ("benchmarks/results/h100.md", "what it printed; it needs a GPU"),
    "python -m benchmarks.profile": ("tests/test_benchmarks.py::test_the_measured_training_step_trains", "its step"),
    "seg predict model.safetensors day night": ("tests/evaluation/test_predict.py", "names of outputs"),
    "snakemake --config verify=true": ("tests/hostile/test_own_data.py", "dry"),
    "snakemake -n -p": (
        "tests/workflow/test_snakemake.py::test_a_second_run_does_nothing",
        "without -p, which prints the commands",
    ),
}
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def documented() -> set[str]:
    """Commands in blocks of shell, one per line, without comments."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(block for page in pages for block in BLOCK.findall(page.read_text(encoding="utf-8")))
    lines = (re.sub(r"(^|\s+)#.*", "", line) for line in text.replace("\\\n", " ").splitlines())
    return {" ".join(line.split()) for line in lines if line.strip()}


def in_sentences() -> set[str]:
    """Commands with arguments in the sentences of README and docs, without those that stand for others (`<study>`)."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(FENCED.sub("", page.read_text("utf-8")) for page in pages if page.parent.name != "reference")
    spans = (" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text))
    program = re.compile(r"(seg \w+|snakemake|dvc \w+|pytest|mogrify) [-\w]|python -m benchmarks\.")
    return {span for span in spans if program.match(span) and not re.search("<(study|commit|name)>", span)}


def functions(path: Path) -> dict[str, list[str]]:
    """Texts in each function of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = (each for each in tree.body if isinstance(each, ast.FunctionDef))
    return {each.name: [str(node.value) for node in ast.walk(each) if isinstance(node, ast.Constant)] for each in found}


def test_every_command_is_run_by_a_test() -> None:
    here = {text for name, texts in functions(Path(__file__)).items() if name.startswith("test_") for text in texts}
    assert documented() - here == set(ELSEWHERE)
    assert in_sentences() - documented() - here == set(IN_SENTENCES)
    for where, _ in [*ELSEWHERE.values(), *IN_SENTENCES.values()]:
        file, _, name = where.partition("::")
        assert (ROOT / file).is_file()
        assert not name or name in functions(ROOT / file), where


def shell(clone: Clone, command: str, code: int = 0) -> str:
    """Run a command as documented; `seg` is the code of the clone, which is not installed."""
    return clone.run("bash", "-ec", f'seg() {{ python -m seg.cli "$@"; }}\n{command}', code=code)


def dry(command: str) -> str:
    """The command as a dry run."""
    return command.replace(" ", " --dry-run ", 1)


def yaml_blocks(page: str) -> list[dict]:
    """Contents of the YAML blocks of a page."""
    return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)]


def test_the_tutorial(clone: Clone, tmp_path: Path) -> None:
    there = Clone(tmp_path)
    shell(there, "git clone <address> seg".replace("<address>", str(clone.path)))
    shell(there, "cd seg")
    (clone.path / ".venv").symlink_to(sys.prefix)  # the environment of these tests
    # Dry: it would install the environment. The fixture has run the same command.
    assert "snakemake --cores 4 --resources gpu=2 --config preset=demo" in shell(clone, dry("make demo"))
    shell(clone, "source .venv/bin/activate")

    (row,) = (block for block in yaml_blocks("docs/tutorial/first-variant.md"))
    clone.set("studies.cityscapes_fcn.variants", clone.params()["studies"]["cityscapes_fcn"]["variants"] | row)
    assert "augmentation flip 0.5" in shell(clone, "seg augmented cityscapes_fcn/unet_flipped")
    assert (clone.path / "augmented.png").is_file()
    planned = re.findall(r"^Job \d+: (.*)$", shell(clone, "snakemake -n"), re.MULTILINE)
    new = [f"{verb} cityscapes_fcn/unet_flipped with seed 0" for verb in ("Train", "Evaluate")]
    assert sorted(planned) == sorted([*new, "Tabulate cityscapes_fcn", "Report preset demo"])
    shell(clone, "snakemake --cores 2 --resources gpu=1")
    assert "unet_flipped" in clone.result("table.md").read_text()
    taken = [clone.path / "docs/pictures" / name for name in AFTER]
    for file in taken:
        file.unlink()
    shell(clone, "python -m docs.pictures")
    assert all(file.stat().st_size < 200_000 for file in taken)
    shell(
        clone,
        "seg predict results/demo/cityscapes_fcn/unet_flipped/seed0/model.safetensors data/raw/streets/leftImg8bit/val "
        "--out predictions --overlay",
    )
    assert len(list((clone.path / "predictions").rglob("*.overlay.png"))) == 4
    shutil.copy(next((clone.path / "data/raw/streets").rglob("*leftImg8bit.png")), clone.path / "street.jpg")
    shell(
        clone,
        "seg predict results/demo/cityscapes_fcn/unet/seed0/model.safetensors street.jpg --out predictions",
    )
    assert (clone.path / "predictions/street.png").is_file()


def test_single_runs(clone: Clone) -> None:
    assert "Nothing to be done" in shell(clone, "snakemake --cores 4 -- results/demo/cityscapes_fcn/table.csv")
    command = (
        "snakemake --cores 4 --resources gpu=1 --config studies='{cityscapes_fcn: {variants: {unet: {epochs: 3}}}}'"
    )
    planned = shell(clone, dry(command))  # dry, because it trains
    assert re.findall(r"^Job \d+: (Train .*)$", planned, re.MULTILINE) == ["Train cityscapes_fcn/unet with seed 0"]
    planned = shell(clone, dry("snakemake --cores 4 --resources gpu=1 --config seeds='[0,1,2]'"))  # trains for minutes
    assert len(re.findall(r"^Job \d+: Train ", planned, re.MULTILINE)) == 12
    command = (
        "snakemake --cores 16 --resources gpu=6 --config preset=camvid seeds='[0]' trainings_per_gpu=6 "
        "presets='{camvid: {weights: {resnet34_imagenet: resnet34_shapes}}}' "
        "-- results/camvid/{bdd100k_lite/u_lite,bdd100k_lite/segnet_basic,cityscapes_fcn/baseline,voc2012_fcn/resnet34}"
        "/seed0/metrics.json"
    )
    shutil.copy2(ROOT / "params.yaml", clone.path / "params.yaml")
    planned = shell(clone, dry(command))  # needs CamVid and a GPU
    assert len(re.findall(r"^Job \d+: Train ", planned, re.MULTILINE)) == 4


def test_own_images(new_clone: Clone) -> None:
    root = new_clone.path / "data/raw/cracks"
    for folder in ("photos", "masks"):
        (root / folder).mkdir(parents=True)
    generator = np.random.default_rng(0)
    for k in range(20):
        Image.fromarray(generator.integers(0, 256, (64, 64, 3), np.uint8)).save(root / f"photos/{k:02}.jpg")
        Image.fromarray(np.where(np.eye(64) > 0, 255, 0).astype(np.uint8)).save(root / f"masks/{k:02}_mask.png")
    rows = yaml.safe_load(shell(new_clone, "seg init data/raw/cracks"))
    assert rows["datasets"]["cracks"]["ids"] == {0: "background", 255: "foreground"}
    content = new_clone.params()
    (own,) = (block for block in yaml_blocks("README.md") if "datasets" in block)
    content["datasets"] |= own["datasets"]
    content["studies"] |= own["studies"]
    (new_clone.path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    assert "0 errors, 0 warnings" in shell(new_clone, "seg doctor --dataset cracks")
    assert "photos/*.jpg" in shell(new_clone, "seg show --dataset cracks")
    command = "snakemake --cores 4 --resources gpu=1 --config preset=paper -- results/paper/cracks/table.csv"
    assert "Train cracks/transfer with seed 2" in shell(new_clone, dry(command))  # its weights are downloaded
    content["studies"] = own["studies"]  # alone, as the page says
    content["cluster"]["training_of"] = content["budgets"] = {}
    (new_clone.path / "params.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    planned = shell(new_clone, dry(command.partition(" -- ")[0]))
    assert "Report preset paper" in planned
    assert set(re.findall(r"Tabulate (\w+)", planned)) == {"cracks"}


def test_commands_of_contributors(
    new_clone: Clone, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    shell(new_clone, "python -m docs.generate")
    shell(new_clone, "python -m seg.config.params --schema > workflow/schemas/params.schema.json")
    assert new_clone.run("git", "status", "--short") == ""
    fast = 'pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder -m "not slow'
    assert fast in shell(new_clone, dry("make fast"))
    for command in ("python -m seg.training.train --help", "python -m seg.evaluation.evaluate --help"):
        module = command.split()[2]
        monkeypatch.setattr(sys, "argv", [module, "--help"])
        with pytest.raises(SystemExit, match="0"):
            import_module(module).main()  # in this process: importing torch takes seconds
        assert f"usage: python -m {module}" in capsys.readouterr().out


def test_every_file_of_the_results_is_documented(template: Clone) -> None:
    patterns = {
        name: re.compile(re.sub(r"<\w+>", "[^/]+", re.sub(r"\.(?!\*)", r"\\.", name).replace("*", "[^/]+")))
        for name in FILES
    }
    root = template.path / "results/demo"
    files = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
    assert [file for file in files if not any(each.fullmatch(file) for each in patterns.values())] == []
    assert [name for name, each in patterns.items() if not any(each.fullmatch(file) for file in files)] == []
    page = (ROOT / "docs/reference/results.md").read_text(encoding="utf-8")
    for file in root.rglob("*.csv"):
        columns = next(csv.reader(file.read_text(encoding="utf-8").splitlines()))
        for name in columns:  # scores are described without what follows their name
            plain = re.sub("(_std|_low|_high|_published)$", "", re.sub(r"^iou\[.*\]", "iou[<class>]", name))
            assert f"`{name}`" in page or f"`{plain}`" in page, (file, name)
