"""`params.yaml`: its resolved recipes, and the message for each kind of invalid edit."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from seg.config.architectures import make_model
from seg.config.params import PackSpec, Params, load_params, read_params
from seg.config.recipe import Augmentation, Recipe, Rotation, Schedule, recipe_from_json
from seg.models.weights_table import WEIGHTS
from seg.report.rows import shares_differ

ROOT = Path(__file__).parents[2]
STUDY = "cityscapes_fcn"
UNET = f"studies.{STUDY}.variants.unet"
DATASET = f"studies.{STUDY}.dataset"
INSTEAD = "presets.demo.datasets.cityscapes"
SCENES = "datasets.streets.scenes.train"
SCHEMA = ROOT / "workflow" / "schemas" / "params.schema.json"


@pytest.fixture
def content() -> dict[str, Any]:
    """The content of the repository's `params.yaml`, as a copy that a test may change."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    return loaded


def put(content: dict[str, Any], path: str, value: object) -> None:
    """Set the value at a dotted path."""
    *parents, last = path.split(".")
    for parent in parents:
        content = content[parent]
    content[last] = value


def errors_of(content: dict[str, Any]) -> list[str]:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the lines are compared whole
        load_params(content)
    return str(caught.value).splitlines()


# Errors

WRONG = [
    (f"{UNET}.epoch", 3, f"{UNET}.epoch: unknown; did you mean epochs?"),
    (f"{UNET}.epochs", 0, f"{UNET}.epochs: got 0; input should be greater than or equal to 1"),
    (f"{UNET}.epochs", 2.5, f"{UNET}.epochs: got 2.5; input should be a valid integer"),
    (f"{UNET}.epochs", True, f"{UNET}.epochs: got True; input should be a valid integer"),
    (f"{UNET}.batch", "four", f"{UNET}.batch: got 'four'; input should be a valid integer"),
    (f"{UNET}.lr", float("nan"), f"{UNET}.lr: got nan; input should be a finite number"),
    (f"{UNET}.gpus", 4, f"{UNET}: gpus 4 cannot share a batch of 2; raise batch or lower gpus"),
    (f"{UNET}.frozen", True, f"{UNET}.frozen: true without weights keeps a random backbone; set weights"),
    (f"{UNET}.weights", "resnet3", f"{UNET}.weights: 'resnet3' is unknown; did you mean resnet34_shapes?"),
    (f"{UNET}.lr", None, f"{UNET}.lr: got null; give a value or remove the line"),
    (f"{UNET}.schedule", None, f"{UNET}.schedule: got null; give a value or remove the line"),
    (f"{UNET}.train_size", None, f"{UNET}.train_size: got null; give a value or remove the line"),
    (f"{UNET}.model", {"name": "unett"}, f"{UNET}.model.name: 'unett' is unknown; did you mean unet?"),
    (f"{UNET}.model", {"name": "../fcn"}, f"{UNET}.model.name: '../fcn' is unknown; did you mean fcn?"),
    (
        f"{UNET}.model",
        {"name": "fcn", "options": {"dept": 6}},
        f"{UNET}.model.options.dept: unknown; did you mean depth?",
    ),
    (
        f"{UNET}.model",
        {"name": "fcn", "options": {"depth": 7}},
        f"{UNET}.model.options.depth: got 7; input should be 5 or 6",
    ),
    (
        f"{UNET}.model",
        {"name": "unet", "options": {"depth": 5}},
        f"{UNET}.model.options.depth: unknown; known are widths",
    ),
    (
        f"{UNET}.loss",
        "dce",
        f"{UNET}.loss: got 'dce'; input should be 'cross_entropy', 'weighted_cross_entropy' or 'dice'",
    ),
    (f"{UNET}.augmentation", {"flp": 0.5}, f"{UNET}.augmentation.flp: unknown; did you mean flip?"),
    (
        f"{UNET}.augmentation",
        {"rotation": {"p": 0.5}},
        f"{UNET}.augmentation.rotation.degrees: missing; add it",
    ),
    (
        f"{UNET}.augmentation",
        {"crop": {"p": 1, "area": {"low": 1, "high": 0.5}, "aspect": {"low": 1, "high": 2}}},
        f"{UNET}.augmentation.crop.area: low 1.0 is above high 0.5; swap them",
    ),
    (f"{UNET}.schedule", {"name": "step"}, f"{UNET}.schedule: schedule 'step' takes every, factor; give every, factor"),
    (
        f"{UNET}.schedule",
        {"name": "cosine", "every": 0},
        f"{UNET}.schedule.every: got 0; input should be greater than or equal to 1",
    ),
    (f"{UNET}.momentum", 1.0, f"{UNET}.momentum: got 1.0; input should be less than 1"),
    (f"{UNET}.not_in_source", ["lrr"], f"{UNET}.not_in_source: 'lrr' is not a value of a recipe; did you mean lr?"),
    (f"{UNET}.enabled", "no way", f"{UNET}.enabled: got 'no way'; input should be a valid boolean"),
    (DATASET, "cityscape", f"{DATASET}: 'cityscape' is unknown; did you mean cityscapes?"),
    (INSTEAD, "street", f"{INSTEAD}: 'street' is unknown; did you mean streets?"),
    ("presets.demo.epochs_scale", 0, "presets.demo.epochs_scale: got 0; input should be greater than 0"),
    ("presets.demo.epochs", 1, "presets.demo.epochs: unknown; did you mean epochs_scale?"),
    (
        "budgets.demo.epochs",
        {f"{STUDY}/unet": 0.5},
        f"budgets.demo.epochs.{STUDY}/unet: got 0.5; input should be a valid integer",
    ),
    (
        "budgets.demo.epochs",
        {f"{STUDY}/unett": 1},
        f"budgets.demo.epochs.{STUDY}/unett: '{STUDY}/unett' is unknown; did you mean {STUDY}/unet?",
    ),
    ("datasets.streets.folds", 1, "datasets.streets.folds: got 1; input should be greater than or equal to 2"),
    (
        "datasets.streets.folds",
        "5",
        "datasets.streets.folds: got '5'; input should be a valid integer; write it without quotes",
    ),
    (
        "datasets.streets.folds",
        5,
        "datasets.streets: eval_split: got val, but folds are scored as test split; write test",
    ),
    ("datasets.streets.fold", 0, "datasets.streets: fold: got 0, expected less than folds, which is not given"),
    ("budgets.demoo", {}, "budgets.demoo: 'demoo' is unknown; did you mean demo?"),
    ("weights.erfnet_imagenet", {}, "weights.erfnet_imagenet: got neither; give either source or pretext"),
    ("weights.erfnet_shapes.source", "github", "weights.erfnet_shapes: got both; give either source or pretext"),
    (
        "weights.erfnet_imagenet.source",
        "web",
        "weights.erfnet_imagenet.source: got 'web'; input should be 'torchvision' or 'github'",
    ),
    (
        "datasets.streets.layout",
        "city",
        "datasets.streets.layout: layout 'city' is unknown; "
        "known are ade20k, bdd100k, bdd100k_19, camvid, cityscapes, coco_stuff10k, kitti, kvasir_seg, loveda, "
        "mapillary, oxford_pet, pascal_context, pascal_context_mat, potsdam, voc, voc2007, voc2012, "
        "voc2012_sbd, folder",
    ),
    (
        "datasets.streets.splits",
        {"lists": {"train": [210, 211]}},  # 2_10 and 2_11 in YAML
        "datasets.streets.splits.lists.train: got 210, expected names or files; put names such as '2_10' in quotes",
    ),
    (
        "datasets.streets.splits",
        {"lists": {"trian": ["a.txt"]}},
        "datasets.streets.splits.lists.trian: got 'trian'; input should be 'train', 'val' or 'test'",
    ),
    (
        "datasets.streets.splits",
        {"hold_out": 1},
        "datasets.streets.splits.hold_out: got 1; input should be less than 1",
    ),
    *(
        (
            "datasets.streets.splits",
            {"hold_out": 0.1} | val,
            "datasets.streets.splits: got hold_out and validation images, expected one of them; hold_out takes them "
            "from train",
        )
        for val in ({"names": {"val": ["tune"]}}, {"lists": {"train": ["a.txt"], "val": ["b.txt"]}})
    ),
    (
        "weights.My Weights",
        {"source": "torchvision"},
        "weights.My Weights: got 'My Weights'; expected lower-case letters, digits and underscores after a letter, "
        "such as u_lite",
    ),
    ("datasets.streets.size", "32x64", "datasets.streets.size: got '32x64'; expected a list, such as [256, 512]"),
    (f"{UNET}.model", "unet", f"{UNET}.model: got 'unet'; expected keys with values, such as {{ name: fcn }}"),
    (
        "datasets.streets.images",
        "data/raw/streets/{stem}.png",
        "datasets.streets.images.0: got 'data/raw/streets/{stem}.png', expected a pattern below the dataset's "
        "directory, without data/raw/<name>/",
    ),
    (
        "datasets.streets.images",
        "photos\\{stem}.png",
        "datasets.streets.images.0: got 'photos\\{stem}.png', expected / between directories, not a backslash",
    ),
    ("datasets.streets.size", [96], "datasets.streets.size.1: missing; add it"),
    (SCENES, 0, f"{SCENES}: got 0; input should be greater than or equal to 1"),
    ("cluster.data.memory", 0, "cluster.data.memory: got 0; input should be greater than or equal to 1"),
    ("cluster.training.minutes", 1.5, "cluster.training.minutes: got 1.5; input should be a valid integer"),
    ("cluster.training.partion", "gpu", "cluster.training.partion: unknown; did you mean partition?"),
    ("cluster.data.gpu_model", "a100", "cluster.data.gpu_model: unknown; known are partition, memory, minutes"),
    (
        "cluster.training.gpu_model",
        "a100 or h100",
        "cluster.training.gpu_model: got 'a100 or h100'; string should match pattern '^[A-Za-z0-9_.]+$'",
    ),
    (
        "cluster.training_of",
        {f"{STUDY}/unett": {"memory": 1, "minutes": 1}},
        f"cluster.training_of.{STUDY}/unett: '{STUDY}/unett' is unknown; did you mean {STUDY}/unet?",
    ),
    ("preset", "dmo", "preset: 'dmo' is unknown; did you mean demo?"),
    ("block", 0, "block: got 0; input should be greater than or equal to 1"),
    ("block", 2.5, "block: got 2.5; input should be a valid integer"),
    ("equivalence", 0, "equivalence: got 0; input should be greater than 0"),
    ("equivalence", 1, "equivalence: got 1; input should be less than 1"),
    ("preset", "xyzzy", "preset: 'xyzzy' is unknown; known are demo, camvid, paper"),
    ("preset", 3, "preset: got 3; input should be a valid string"),
    ("seeds", [-1], "seeds.0: got -1; input should be greater than or equal to 0"),
    ("seeds", 0, "seeds: got 0; input should be a valid list"),
    ("seeds", [0, 1, 0], "seeds: got [0, 1, 0]; list each seed once"),
    ("presets.demo.seeds", [2, 2], "presets.demo.seeds: got [2, 2]; list each seed once"),
    (
        f"{UNET}.early_stopping",
        {"patience": 3},
        f"{UNET}.early_stopping: would select the weights on the images that are scored, because eval_split of dataset "
        "'streets' is its validation split; set early_stopping: null, or another eval_split",
    ),
    ("study", {}, "study: unknown; did you mean studies?"),
    (
        f"studies.{STUDY}.variants.figures",
        {"like": "unet"},
        f"studies.{STUDY}.variants.figures: 'figures' is the directory of the figures in the results; "
        "choose another name",
    ),
]


def test_several_errors_of_a_value_are_one_line_each(content: dict[str, Any]) -> None:
    put(content, "datasets.streets.classes", [False, True])
    fix = "expected text; put numbers and words such as no in quotes"
    assert errors_of(content) == [
        f"datasets.streets.classes: class 0: got name False, {fix}",
        f"datasets.streets.classes: class 1: got name True, {fix}",
    ]


@pytest.mark.parametrize(("path", "value", "line"), WRONG, ids=[f"{path}={value}" for path, value, _ in WRONG])
def test_an_error_is_one_line_with_its_path(content: dict[str, Any], path: str, value: object, line: str) -> None:
    put(content, path, value)
    assert errors_of(content) == [line]


def test_all_errors_are_reported_at_once(content: dict[str, Any]) -> None:
    put(content, "preset", "dmo")
    put(content, f"{UNET}.epoch", 3)
    put(content, f"studies.{STUDY}.variants.dice.epochs", 0)
    put(content, f"studies.{STUDY}.variants.baseline.lr", "fast")
    put(content, f"studies.{STUDY}.variants.adapted.model.name", "fnc")
    put(content, f"studies.{STUDY}.dataset", "cityscape")
    assert sorted(errors_of(content)) == [
        "preset: 'dmo' is unknown; did you mean demo?",
        f"studies.{STUDY}.dataset: 'cityscape' is unknown; did you mean cityscapes?",
        f"studies.{STUDY}.variants.adapted.model.name: 'fnc' is unknown; did you mean fcn?",
        f"studies.{STUDY}.variants.baseline.lr: got 'fast'; input should be a valid number",
        f"studies.{STUDY}.variants.dice.epochs: got 0; input should be greater than or equal to 1",
        f"{UNET}.epoch: unknown; did you mean epochs?",
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-3", 0.001), ("1E-3", 0.001), ("0.001", 0.001), ("1e+1", 10), (".5", 0.5), ("2", 2), ("-1e-3", -0.001)],
)
def test_text_that_is_a_number_is_read_as_one(content: dict[str, Any], text: str, number: float) -> None:
    put(content, f"{UNET}.lr", text)
    if number > 0:
        assert load_params(content).recipe("paper", STUDY, "unet", 0).lr == number
    else:
        assert errors_of(content) == [f"{UNET}.lr: got '{text}'; input should be greater than 0"]


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    edited = re.sub(r"(epochs: 35\n +lr:) 0\.005", r"\1 1e-3", text)
    assert edited != text
    (tmp_path / "params.yaml").write_text(edited, encoding="utf-8")
    assert read_params(tmp_path / "params.yaml").recipe("paper", STUDY, "baseline", 0).lr == 0.001


@pytest.mark.parametrize("text", ["fast", "", "1e", "0x10", "1_000", "nan", "1,5", "1e-3 "])
def test_other_text_is_refused(content: dict[str, Any], text: str) -> None:
    put(content, f"{UNET}.lr", text)
    assert errors_of(content) == [f"{UNET}.lr: got '{text}'; input should be a valid number"]


def test_text_stays_text_and_counts_are_no_text(content: dict[str, Any]) -> None:
    put(content, "presets.demo.title", "1e-3")
    assert load_params(content).presets["demo"].title == "1e-3"
    put(content, f"{UNET}.batch", "2")
    assert errors_of(content) == [f"{UNET}.batch: got '2'; input should be a valid integer; write it without quotes"]


def test_a_value_without_a_default_is_missing_in_every_variant(content: dict[str, Any]) -> None:
    del content["defaults"]["threads"]
    assert errors_of(content) == [
        f"studies.{study}.variants.{name}.threads: missing; give it here, in the study's defaults or in defaults"
        for study, row in content["studies"].items()
        for name in row["variants"]
    ]


def test_a_null_in_the_defaults_is_reported_once(content: dict[str, Any]) -> None:
    put(content, "defaults.optimizer", None)
    assert errors_of(content) == ["defaults.optimizer: got null; give a value or remove the line"]


@pytest.mark.parametrize("section", ["presets", "cluster", "datasets", "defaults", "studies"])
@pytest.mark.parametrize("value", [None, [], 3, "text"])
def test_a_section_of_another_type_is_refused(content: dict[str, Any], section: str, value: object) -> None:
    content[section] = value
    assert errors_of(content)[0].startswith(f"{section}: got {value!r}; ")


def check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seg.config.params", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_prints_one_line_per_error_and_exits_with_2(content: dict[str, Any], tmp_path: Path) -> None:
    put(content, f"{UNET}.epoch", 3)
    put(content, "preset", "dmo")
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(content))
    run = check(str(path))
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines() == [
        f"error: {UNET}.epoch: unknown; did you mean epochs?",
        "error: preset: 'dmo' is unknown; did you mean demo?",
    ]


def test_the_command_on_a_missing_file_is_one_line(tmp_path: Path) -> None:
    run = check(str(tmp_path / "absent.yaml"))
    assert run.returncode == 2
    assert run.stderr == f"error: {tmp_path / 'absent.yaml'}: No such file or directory; check the path and run again\n"


# The schema for editors


def test_the_stored_schema_is_current() -> None:
    stored = json.loads(SCHEMA.read_text(encoding="utf-8"))
    fix = f"run: python -m seg.config.params --schema > {SCHEMA.relative_to(ROOT)}"
    assert stored == Params.model_json_schema(), fix


def test_the_schema_accepts_the_file_and_refuses_invalid_ones(content: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    validator.check_schema(validator.schema)
    validator.validate(content)
    put(content, f"{UNET}.epoch", 3)
    put(content, f"studies.{STUDY}.variants.dice.epochs", 0)
    put(content, f"studies.{STUDY}.variants.baseline.lr", "1e-4")
    put(content, "preset", 3)
    wrong = {".".join(map(str, error.absolute_path)) for error in validator.iter_errors(content)}
    study = f"studies.{STUDY}.variants"
    assert wrong == {UNET, f"{study}.dice.epochs", f"{study}.baseline.lr", "preset"}


# Resolved recipes

HALF, FULL = (512, 1024), (1024, 2048)
FCN, ADAPTED, UNET_MODEL = (
    make_model("fcn"),
    make_model("fcn", depth=6, activation="prelu"),
    make_model("unet"),
)
RESNET50 = make_model("resnet_fcn", backbone="resnet50")
CONSTANT, STEP = Schedule(), Schedule(name="step", every=10, factor=0.1)
PLAIN, AUGMENTED = Augmentation(), Augmentation(flip=0.2, rotation=Rotation(p=0.2, degrees=10))
# The table of the study: model, loss, batch, epochs, lr, schedule, weight decay, augmentation, size of training images.
TABLE = {
    "baseline": (FCN, "cross_entropy", 4, 35, 0.005, CONSTANT, 0, PLAIN, HALF),
    "augmented": (FCN, "cross_entropy", 2, 30, 1e-4, STEP, 1e-4, AUGMENTED, HALF),
    "augmented_full_resolution": (FCN, "cross_entropy", 2, 30, 1e-4, STEP, 1e-4, AUGMENTED, FULL),
    "adapted": (ADAPTED, "cross_entropy", 4, 32, 0.005, CONSTANT, 0, PLAIN, HALF),
    "dice": (FCN, "dice", 4, 37, 0.005, CONSTANT, 0, PLAIN, HALF),
    "resnet50_frozen": (RESNET50, "cross_entropy", 2, 30, 0.005, CONSTANT, 0, PLAIN, HALF),
    "unet": (make_model("unet"), "cross_entropy", 2, 30, 1e-4, STEP, 0, PLAIN, HALF),
}  # fmt: skip


def test_the_variants_of_the_first_study() -> None:
    assert read_params(ROOT / "params.yaml").variants(STUDY) == list(TABLE)


@pytest.mark.parametrize("variant", TABLE)
def test_a_recipe_has_the_values_of_its_source(variant: str) -> None:
    params = read_params(ROOT / "params.yaml")
    model, loss, batch, epochs, lr, schedule, decay, augmentation, size = TABLE[variant]
    recipe = params.recipe("paper", STUDY, variant, seed=3)
    assert (recipe.model, recipe.loss, recipe.batch, recipe.epochs) == (model, loss, batch, epochs)
    assert (recipe.lr, recipe.schedule, recipe.weight_decay) == (lr, schedule, decay)
    assert (recipe.augmentation, recipe.optimizer, recipe.seed) == (augmentation, "adam", 3)
    assert params.pack("paper", STUDY, variant, "train") == PackSpec("cityscapes", "train", *size)
    assert params.pack("paper", STUDY, variant, "val") == PackSpec("cityscapes", "val", *FULL)
    assert params.pack("paper", STUDY, variant, "eval") == PackSpec("cityscapes", "val", *FULL)


def test_values_that_are_not_in_the_source_are_named() -> None:
    variants = read_params(ROOT / "params.yaml").studies[STUDY].variants
    expected = {"adapted": ["lr"], "dice": ["lr"], "resnet50_frozen": ["lr"]}
    assert {name: row.not_in_source for name, row in variants.items() if row.not_in_source} == expected


def test_a_preset_chooses_the_dataset() -> None:
    params = read_params(ROOT / "params.yaml")
    assert params.pack("camvid", STUDY, "baseline", "train") == PackSpec("camvid", "train", 180, 240)
    assert params.pack("camvid", STUDY, "baseline", "val") == PackSpec("camvid", "val", 360, 480)
    assert params.pack("camvid", STUDY, "baseline", "eval") == PackSpec("camvid", "test", 360, 480)
    assert params.pack("demo", STUDY, "unet", "train") == PackSpec("streets", "train", 40, 60)
    assert params.pack("demo", STUDY, "unet", "eval") == PackSpec("streets", "val", 80, 120)


@pytest.mark.parametrize("variant", TABLE)
@pytest.mark.parametrize("preset", ["demo", "camvid"])
def test_a_preset_never_changes_the_method(content: dict[str, Any], preset: str, variant: str) -> None:
    put(content, f"presets.{preset}.epochs_scale", 0.2)
    put(content, "budgets.demo.epochs", {})
    put(content, f"presets.{preset}.validate_every", 5)
    params = load_params(content)
    paper = params.recipe("paper", STUDY, variant, 0)
    every = paper.schedule.every and paper.schedule.every // 5
    spent = {
        "epochs": round(paper.epochs / 5),
        "validate_every": 5,
        "schedule": paper.schedule.model_copy(update={"every": every}),
        "weights": params.presets[preset].weights.get(paper.weights, paper.weights),  # their replacement
        "threads": 1 if preset == "demo" else paper.threads,
    }
    assert params.recipe(preset, STUDY, variant, 0) == paper.model_copy(update=spent)


def test_a_small_scale_still_trains_and_validates(content: dict[str, Any]) -> None:
    put(content, "presets.demo.epochs_scale", 0.001)
    put(content, "budgets.demo.epochs", {})
    recipe = load_params(content).recipe("demo", STUDY, "unet", 0)
    assert (recipe.epochs, recipe.validate_every, recipe.schedule.every) == (1, 1, 1)


def test_a_budget_is_epochs_of_single_variants_and_the_scale_applies_to_the_rest(content: dict[str, Any]) -> None:
    put(content, "presets.demo.epochs_scale", 0.5)
    put(content, "budgets.demo", {"epochs": {f"{STUDY}/unet": 7}})
    params = load_params(content)
    assert [params.recipe("demo", STUDY, name, 0).epochs for name in ("unet", "augmented")] == [7, 15]
    assert [params.recipe("paper", STUDY, name, 0).epochs for name in ("unet", "augmented")] == [30, 30]
    assert params.recipe("demo", STUDY, "unet", 0).threads == 2


@pytest.mark.parametrize(("epochs", "every"), [(1, 1), (3, 1), (4, 2), (6, 2), (8, 3), (29, 10), (30, 10), (60, 20)])
def test_learning_rate_steps_are_scaled_with_the_epochs_and_rounded_up(
    content: dict[str, Any], epochs: int, every: int
) -> None:
    put(content, "budgets.demo.epochs", {f"{STUDY}/unet": epochs})  # of 30, with a step every 10
    schedule = load_params(content).recipe("demo", STUDY, "unet", 0).schedule
    assert schedule == Schedule(name="step", every=every, factor=0.1)


def test_the_curves_of_the_demo_have_three_points_and_two_validations() -> None:
    params = read_params(ROOT / "params.yaml")
    for study in params.studies:
        for variant in params.variants(study):
            recipe = params.recipe("demo", study, variant, 0)
            assert recipe.epochs >= 3
            assert -(-recipe.epochs // recipe.validate_every) >= 2


def test_the_demo_trains_equal_shares_but_for_the_nets_that_learn_slowly_or_quickly() -> None:
    params = read_params(ROOT / "params.yaml")
    for study in params.studies:
        budgets = [
            (params.recipe("demo", study, variant, 0).epochs, params.recipe("paper", study, variant, 0).epochs)
            for variant in params.variants(study)
        ]
        assert shares_differ(budgets) == (study == "voc2007_erfnet")


def test_a_job_of_a_single_variant_inherits_the_other_requests(content: dict[str, Any]) -> None:
    put(content, "cluster.training.gpu_model", "a100")
    put(content, "cluster.training_of", {f"{STUDY}/unet": {"minutes": 60, "gpu_model": None}})
    cluster = load_params(content).cluster
    expected = cluster.training.model_copy(update={"minutes": 60, "gpu_model": None})
    assert cluster.training_of[f"{STUDY}/unet"] == expected
    put(content, "cluster.training.memory", 0)
    assert errors_of(content) == ["cluster.training.memory: got 0; input should be greater than or equal to 1"]


def test_weights_are_downloaded_from_the_source_in_their_row() -> None:
    rows = read_params(ROOT / "params.yaml").weights
    hosts = {"torchvision": "https://download.pytorch.org/", "github": "https://raw.githubusercontent.com/"}
    sources = {name: row.source for name, row in rows.items() if row.source}
    assert set(sources) == set(WEIGHTS)
    for name, source in sources.items():
        assert WEIGHTS[name].archive.urls[0].startswith(hosts[source])


def test_a_disabled_variant_keeps_its_row(content: dict[str, Any]) -> None:
    put(content, f"{UNET}.enabled", False)
    params = load_params(content)
    assert params.variants(STUDY) == [name for name in TABLE if name != "unet"]
    assert "unet" in params.studies[STUDY].variants


def test_settings_name_the_row_that_a_value_was_written_in() -> None:
    settings = read_params(ROOT / "params.yaml").settings(STUDY, "augmented_full_resolution")
    assert settings["train_size"] == (1.0, f"studies.{STUDY}.variants.augmented_full_resolution")
    assert settings["loss"] == ("cross_entropy", f"studies.{STUDY}.defaults")
    assert settings["optimizer"] == ("adam", "defaults")


# Recipes as text

RECIPES = [read_params(ROOT / "params.yaml").recipe("paper", STUDY, variant, 0) for variant in TABLE]


@pytest.mark.parametrize("recipe", RECIPES, ids=TABLE)
def test_a_recipe_survives_its_json_line(recipe: Recipe) -> None:
    line = recipe.json_line()
    assert recipe_from_json(line) == recipe
    assert recipe_from_json(line).json_line() == line
    assert "\n" not in line
    assert list(json.loads(line)) == sorted(Recipe.model_fields)


@given(lr=st.floats(min_value=0, exclude_min=True, allow_nan=False, allow_infinity=False))
def test_a_number_survives_to_the_last_bit(lr: float) -> None:
    recipe = RECIPES[0].model_copy(update={"lr": lr})
    assert recipe_from_json(recipe.json_line()).lr == lr


def test_order_and_number_format_do_not_change_a_recipe(content: dict[str, Any]) -> None:
    put(content, "presets.demo.epochs_scale", 1.0)
    before = load_params(content).recipe("demo", STUDY, "augmented", 0).json_line()
    put(content, "defaults.weight_decay", 0)  # was 0.0
    put(content, "presets.demo.epochs_scale", 1)  # was 1.0
    for table in (content, content["defaults"], content["studies"][STUDY]["variants"]["augmented"]):
        for key in reversed(list(table)):
            table[key] = table.pop(key)
    assert load_params(content).recipe("demo", STUDY, "augmented", 0).json_line() == before


def test_recipes_are_frozen_and_checked() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        RECIPES[0].lr = 1.0  # type: ignore[misc]
    with pytest.raises(ValueError, match=r"^--recipe: not JSON .*; copy it from the command that Snakemake prints$"):
        recipe_from_json("{'lr': 1}")
    with pytest.raises(ValueError, match=r"model\.name: 'fnc' is unknown; did you mean fcn"):
        recipe_from_json(RECIPES[0].json_line().replace('"fcn"', '"fnc"'))


# Values in the other sources: model and options, loss, schedule, weights, what is augmented.
FCN_34 = ("resnet_fcn", {"backbone": "resnet34", "order": "relu_bn"})
RELU_BN = ("fcn", {"order": "relu_bn"})
DARREN_34 = ("darrennet", {"stem": "resnet34"})
CROSS, WEIGHTED = "cross_entropy", "weighted_cross_entropy"
OTHERS = {
    "voc2012_fcn/baseline": (*RELU_BN, CROSS, "constant", None, ""),
    "voc2012_fcn/cosine": (*RELU_BN, CROSS, "cosine", None, ""),
    "voc2012_fcn/augmented": (*RELU_BN, CROSS, "cosine", None, "flip crop"),
    "voc2012_fcn/weighted": (*RELU_BN, WEIGHTED, "cosine", None, "flip crop"),
    "voc2012_fcn/dropout": ("fcn", {"order": "relu_bn", "dropout": True}, WEIGHTED, "cosine", None, "flip crop"),
    "voc2012_fcn/resnet34": (*FCN_34, WEIGHTED, "cosine", "resnet34_imagenet", "flip crop"),
    "voc2012_fcn/unet": ("unet", {"widths": "voc2012_fcn"}, WEIGHTED, "cosine", None, "flip crop"),
    "bdd100k_lite/segnet_basic": ("segnet", {"depth": "basic"}, CROSS, "constant", None, ""),
    "bdd100k_lite/u_lite": ("u_lite", {}, CROSS, "constant", None, ""),
    "cityscapes_deeplab/resnet101": (
        "deeplab", {"backbone": "resnet101"}, CROSS, "polynomial", "resnet101_imagenet", "",
    ),
    "cityscapes_deeplab/resnet152": (
        "deeplab", {"backbone": "resnet152"}, CROSS, "polynomial", "resnet152_imagenet", "",
    ),
    "voc2007_erfnet/baseline": (*RELU_BN, CROSS, "constant", None, ""),
    "voc2007_erfnet/augmented": (*RELU_BN, CROSS, "constant", None, "flip rotation crop"),
    "voc2007_erfnet/cosine": (*RELU_BN, CROSS, "cosine", None, ""),
    "voc2007_erfnet/weighted": (*RELU_BN, WEIGHTED, "constant", None, ""),
    "voc2007_erfnet/fcn_resnet34": (*FCN_34, CROSS, "constant", "resnet34_imagenet", ""),
    "voc2007_erfnet/darrennet": ("darrennet", {}, WEIGHTED, "cosine", None, "flip vertical_flip"),
    "voc2007_erfnet/darrennet_erfnet": (
        "darrennet", {}, WEIGHTED, "cosine", "erfnet_imagenet", "flip vertical_flip",
    ),
    "voc2007_erfnet/darrennet_resnet34": (
        *DARREN_34, WEIGHTED, "cosine", "resnet34_imagenet", "flip vertical_flip",
    ),
    "voc2007_erfnet/darrennet_resnet34_augmented": (
        *DARREN_34, WEIGHTED, "cosine", "resnet34_imagenet", "flip vertical_flip rotation crop",
    ),
    "voc2007_erfnet/darrennet_affine": (
        *DARREN_34, WEIGHTED, "cosine", "resnet34_imagenet", "flip vertical_flip affine",
    ),
    "voc2007_erfnet/unet": ("unet", {"widths": "voc2007_erfnet"}, CROSS, "constant", None, ""),
    "voc2007_erfnet/unet_resnet34": (
        "resnet_unet", {"backbone": "resnet34"}, CROSS, "constant", "resnet34_imagenet", "",
    ),
}  # fmt: skip


def test_the_variants_of_the_other_studies() -> None:
    params = read_params(ROOT / "params.yaml")
    names = [f"{study}/{name}" for study in params.studies if study != STUDY for name in params.variants(study)]
    assert names == list(OTHERS)


@pytest.mark.parametrize("variant", OTHERS)
def test_a_recipe_of_another_study_has_the_values_of_its_source(variant: str) -> None:
    recipe = read_params(ROOT / "params.yaml").recipe("paper", *variant.split("/"), seed=0)
    model, options, loss, schedule, weights, augmented = OTHERS[variant]
    assert (recipe.model, recipe.loss) == (make_model(model, **options), loss)
    assert (recipe.schedule.name, recipe.weights, recipe.frozen) == (schedule, weights, False)
    used = {name for name, value in recipe.augmentation.model_dump().items() if value}
    assert used == set(augmented.split())
    deeplab = variant.startswith("cityscapes_deeplab")
    assert (recipe.optimizer, recipe.scaling) == (
        "sgd" if deeplab else "adam",
        "symmetric" if variant.startswith("bdd") else "imagenet",
    )
    stops = variant.startswith(("voc2012", "bdd"))
    assert (recipe.early_stopping is not None) == stops


# Seeds


def test_seeds_are_the_presets_unless_they_are_given_for_all(content: dict[str, Any]) -> None:
    params = load_params(content)
    assert {preset: params.run_seeds(preset) for preset in params.presets} == {
        "demo": [0],
        "camvid": [0, 1, 2],
        "paper": [0, 1, 2],
    }
    assert params.resolved(STUDY, "unet")["seed"] == (0, "presets.demo.seeds")
    put(content, "seeds", [4])
    params = load_params(content)
    assert [params.run_seeds(preset) for preset in params.presets] == [[4], [4], [4]]
    assert params.resolved(STUDY, "unet")["seed"] == (4, "seeds")
    del content["seeds"], content["presets"]["camvid"]["seeds"]
    assert load_params(content).run_seeds("camvid") == [0]


# Training images


def test_a_subset_of_the_training_images_is_used_under_paper_only(content: dict[str, Any]) -> None:
    params = load_params(content)
    used = {
        preset: [params.recipe(preset, "bdd100k_lite", name, 0).train_images for name in ("segnet_basic", "u_lite")]
        for preset in params.presets
    }
    assert used == {"demo": [None, None], "camvid": [None, None], "paper": [70, 700]}
    assert params.recipe("paper", STUDY, "unet", 0).train_images is None


# Early stopping


def test_early_stopping_is_refused_where_the_validation_split_is_scored(content: dict[str, Any]) -> None:
    """Whichever row sets it, once; and where another preset scores other images, it is used."""
    put(content, f"studies.{STUDY}.defaults.early_stopping", {"patience": 3})
    (line,) = errors_of(content)
    assert line.startswith(f"studies.{STUDY}.defaults.early_stopping: would select the weights on the images that")
    put(content, "preset", "camvid")  # scores its test split
    params = load_params(content)
    assert params.recipe("camvid", STUDY, "unet", 0).early_stopping is not None
    with pytest.raises(ValueError, match="dataset 'cityscapes' is its validation split"):
        params.recipe("paper", STUDY, "unet", 0)
    put(content, f"studies.{STUDY}.defaults.early_stopping", None)
    put(content, "preset", "paper")
    load_params(content)


def test_classes_of_a_study_are_those_of_its_dataset(content: dict[str, Any]) -> None:
    content["datasets"]["cracks"] = {"classes": ["wall", "crack"], "size": [64, 64], "eval_split": "test"}
    content["studies"][STUDY]["dataset"] = "cracks"
    content["studies"][STUDY]["classes"] = ["crak"]
    assert errors_of(content) == [f"studies.{STUDY}.classes: 'crak' is no class of 'cracks'; did you mean crack?"]
    content["datasets"]["cracks"].pop("classes")  # those of classes.yaml
    assert load_params(content).studies[STUDY].classes == ["crak"]
