"""Paths and values that the workflow derives from `params.yaml`; every expectation is written by hand."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seg.config.params import Params, read_params
from seg.config.recipe import WeightsFile
from seg.plan import PRESET_FOLDER, RUN_FOLDER, STUDY_FOLDER, Plan, alternatives, launcher

PARAMS = read_params(Path(__file__).parents[1] / "params.yaml")
FCN = ("demo", "cityscapes_fcn", "baseline")


def changed(**values: object) -> Params:
    """The project's parameters with some of the top-level values replaced."""
    return PARAMS.model_copy(update=values)


@pytest.fixture(scope="module")
def plan() -> Plan:
    """Of the project's own `params.yaml`, preset demo, seed 0."""
    return Plan(changed(preset="demo", seeds=[0]))


def without(study: str, *variants: str) -> Params:
    """The project's parameters with variants of a study disabled."""
    rows = PARAMS.studies[study].variants
    off = {name: rows[name].model_copy(update={"enabled": False}) for name in variants}
    row = PARAMS.studies[study].model_copy(update={"variants": rows | off})
    return changed(studies=PARAMS.studies | {study: row})


def test_every_enabled_variant_is_planned(plan: Plan) -> None:
    assert plan.studies == ["cityscapes_fcn", "voc2012_fcn", "bdd100k_lite", "cityscapes_deeplab", "voc2007_erfnet"]
    assert len(plan.variants) == 30
    assert plan.variants[0] == ("cityscapes_fcn", "baseline")
    assert ("bdd100k_lite", "segnet") not in plan.variants


def test_a_study_without_an_enabled_variant_is_left_out() -> None:
    less = Plan(without("cityscapes_deeplab", "resnet101", "resnet152"))
    assert "cityscapes_deeplab" not in less.studies
    assert "data/packs/demo/crossings-48x64/train.json" not in less.packs()
    assert "data/weights/resnet152_shapes.safetensors" not in less.all_weights()


@pytest.mark.parametrize(
    ("variant", "use", "stem"),
    [
        (FCN, "train", "data/packs/demo/streets-40x60/train"),
        (FCN, "val", "data/packs/demo/streets-80x120/val"),
        (FCN, "eval", "data/packs/demo/streets-80x120/val"),
        (("demo", "cityscapes_fcn", "augmented_full_resolution"), "train", "data/packs/demo/streets-80x120/train"),
        (("camvid", "cityscapes_fcn", "baseline"), "eval", "data/packs/camvid/camvid-360x480/test"),
        (("paper", "cityscapes_deeplab", "resnet101"), "train", "data/packs/paper/cityscapes_513-513x513/train"),
        (("paper", "voc2007_erfnet", "unet"), "eval", "data/packs/paper/voc2007-224x224/test"),
    ],
)
def test_packs_of_a_variant(plan: Plan, variant: tuple[str, str, str], use: str, stem: str) -> None:
    assert plan.pack_stem(*variant, use) == stem  # type: ignore[arg-type]
    assert plan.pack_pixels(*variant, use) == [f"{stem}.images.npy", f"{stem}.labels.npy"]  # type: ignore[arg-type]


def test_each_pack_of_a_preset_is_listed_once(plan: Plan) -> None:
    assert plan.packs() == [
        "data/packs/demo/crossings-48x64/train.json",
        "data/packs/demo/crossings-48x64/val.json",
        "data/packs/demo/crossings-48x64/val.native.json",
        "data/packs/demo/dashcam-32x48/test.json",
        "data/packs/demo/dashcam-32x48/test.native.json",
        "data/packs/demo/dashcam-32x48/train.json",
        "data/packs/demo/dashcam-32x48/val.json",
        "data/packs/demo/objects-32x32/test.json",
        "data/packs/demo/objects-32x32/test.native.json",
        "data/packs/demo/objects-32x32/train.json",
        "data/packs/demo/objects-32x32/val.json",
        "data/packs/demo/streets-40x60/train.json",
        "data/packs/demo/streets-80x120/train.json",
        "data/packs/demo/streets-80x120/val.json",
        "data/packs/demo/streets-80x120/val.native.json",
        "data/packs/demo/thumbnails-32x32/test.json",
        "data/packs/demo/thumbnails-32x32/test.native.json",
        "data/packs/demo/thumbnails-32x32/train.json",
        "data/packs/demo/thumbnails-32x32/val.json",
    ]


def test_datasets_that_share_files_share_the_manifest(plan: Plan) -> None:
    assert plan.manifest("streets") == "data/raw/streets/manifest.json"
    assert plan.manifest("thumbnails") == "data/raw/objects/manifest.json"
    assert plan.raw_folder("thumbnails") == "data/raw/objects"
    assert plan.kept_manifests() == [
        "data/manifests/crossings.json",
        "data/manifests/dashcam.json",
        "data/manifests/objects.json",
        "data/manifests/streets.json",
    ]
    assert Plan(changed(preset="camvid")).kept_manifests() == ["data/manifests/camvid.json"]


def test_statistics_are_of_the_training_pack_of_each_first_variant(plan: Plan) -> None:
    assert plan.statistics("demo") == {
        "streets": "data/packs/demo/streets-40x60/statistics.json",
        "objects": "data/packs/demo/objects-32x32/statistics.json",
        "dashcam": "data/packs/demo/dashcam-32x48/statistics.json",
        "crossings": "data/packs/demo/crossings-48x64/statistics.json",
        "thumbnails": "data/packs/demo/thumbnails-32x32/statistics.json",
    }
    assert plan.statistics("demo", "classes.png")["streets"] == "data/packs/demo/streets-40x60/classes.png"
    assert plan.statistics_options("demo")[1] == "--statistics=objects=data/packs/demo/objects-32x32/statistics.json"


def test_the_page_gets_the_packs_that_first_variants_are_validated_and_evaluated_on(plan: Plan) -> None:
    assert plan.scored_packs("demo", "val")["objects"] == "data/packs/demo/objects-32x32/val.json"
    options = plan.statistics_options("demo")
    for use, name in (("validation", "val"), ("evaluation", "eval")):
        packs = plan.scored_packs("demo", name)  # type: ignore[arg-type]
        assert [option for option in options if option.startswith(f"--{use}")] == [
            f"--{use}={dataset}={path}" for dataset, path in packs.items()
        ]


def test_datasets_by_source(plan: Plan) -> None:
    assert plan.datasets("rendered") == ["streets", "crossings", "objects", "dashcam"]
    assert plan.datasets("downloaded") == ["camvid", "cityscapes", "voc2012", "voc2007", "bdd100k"]
    assert plan.datasets("folder") == []
    named = PARAMS.datasets["camvid"].model_copy(update={"images": ("images/{stem}.png",), "labels": ("a/{stem}.png",)})
    assert Plan(changed(datasets=PARAMS.datasets | {"camvid": named})).datasets("folder") == ["camvid"]
    own = PARAMS.datasets["camvid"].model_copy(update={"layout": "folder"})
    assert Plan(changed(datasets=PARAMS.datasets | {"cracks": own})).datasets("folder") == ["cracks"]


def test_weights_follow_the_preset(plan: Plan) -> None:
    frozen = ("cityscapes_fcn", "resnet50_frozen")
    assert plan.weights("demo", *frozen) == ["data/weights/resnet50_shapes.safetensors"]
    assert plan.weights("paper", *frozen) == ["data/weights/resnet50_imagenet.safetensors"]
    assert plan.weights(*FCN) == []
    assert plan.all_weights() == [
        "data/weights/erfnet_shapes.safetensors",
        "data/weights/resnet101_shapes.safetensors",
        "data/weights/resnet152_shapes.safetensors",
        "data/weights/resnet34_shapes.safetensors",
        "data/weights/resnet50_shapes.safetensors",
    ]
    assert "resnet34_shapes" in plan.weights_names(pretrained_here=True)
    assert "resnet34_shapes" not in plan.weights_names(pretrained_here=False)
    assert "resnet34_imagenet" in plan.weights_names(pretrained_here=False)


def test_files_of_a_study_are_one_or_one_per_variant_and_seed() -> None:
    plan = Plan(changed(preset="demo", seeds=[0, 3]))
    assert plan.study_files("demo", "bdd100k_lite", f"{STUDY_FOLDER}table.csv") == [
        "results/demo/bdd100k_lite/table.csv"
    ]
    assert plan.study_files("demo", "bdd100k_lite", f"{RUN_FOLDER}metrics.json") == [
        "results/demo/bdd100k_lite/segnet_basic/seed0/metrics.json",
        "results/demo/bdd100k_lite/segnet_basic/seed3/metrics.json",
        "results/demo/bdd100k_lite/u_lite/seed0/metrics.json",
        "results/demo/bdd100k_lite/u_lite/seed3/metrics.json",
    ]
    assert len(plan.files([f"{RUN_FOLDER}run.json", f"{STUDY_FOLDER}table.csv"])) == 30 * 2 + 5
    presets_own = Plan(changed(preset="camvid", seeds=None))
    assert len(presets_own.files([f"{RUN_FOLDER}run.json"])) == 30 * 3
    assert len(presets_own.study_files("demo", "bdd100k_lite", f"{RUN_FOLDER}run.json")) == 2
    assert PRESET_FOLDER.format(preset="demo") == "results/demo/"


def test_directories_for_the_table_and_the_page(plan: Plan) -> None:
    assert plan.variant_folders("demo", "bdd100k_lite") == [
        "segnet_basic=results/demo/bdd100k_lite/segnet_basic",
        "u_lite=results/demo/bdd100k_lite/u_lite",
    ]
    assert plan.study_options("camvid")[2] == "--study=bdd100k_lite=results/camvid/bdd100k_lite"
    assert plan.eval_split("demo", "cityscapes_fcn") == "val"
    assert plan.eval_split("camvid", "cityscapes_fcn") == "test"


def test_recipes_are_those_of_the_parameters_and_resolved_once(plan: Plan) -> None:
    recipe = plan.recipe(*FCN, 0)
    assert recipe == PARAMS.recipe(*FCN, 0)
    assert plan.recipe(*FCN, 0) is recipe


def test_cluster_resources_of_single_variants(plan: Plan) -> None:
    assert plan.gpu_job("cityscapes_deeplab", "resnet152").memory == 32000
    assert plan.gpu_job("cityscapes_deeplab", "resnet101").memory == 16000
    assert plan.gpu_job(None, None).minutes == 720  # pretraining


def test_a_checkpoint_is_an_input_that_no_rule_makes_unless_it_is_a_model_of_a_study() -> None:
    name, row = "baseline", PARAMS.studies["cityscapes_fcn"]
    for file, own in (("start.safetensors", True), ("results/demo/voc2012_fcn/unet/seed0/model.safetensors", False)):
        rows = row.variants | {name: row.variants[name].model_copy(update={"weights": WeightsFile(file=file)})}
        studies = PARAMS.studies | {"cityscapes_fcn": row.model_copy(update={"variants": rows})}
        plan = Plan(changed(preset="demo", seeds=[0], studies=studies))
        assert plan.weights(*FCN) == [file]
        assert plan.own_weights(*FCN) == ([file] if own else [])
        assert file not in plan.all_weights()
        assert f"The network starts from {file}." in json.loads(plan.notes("demo", "cityscapes_fcn"))[name]


def starting_from(files: dict[str, str]) -> Plan:
    """A plan in which variants of `cityscapes_fcn` start from these files."""
    row = PARAMS.studies["cityscapes_fcn"]
    rows = {
        k: v.model_copy(update={"weights": WeightsFile(file=files[k])}) for k, v in row.variants.items() if k in files
    }
    study = row.model_copy(update={"variants": row.variants | rows})
    return Plan(changed(preset="demo", seeds=[0], studies=PARAMS.studies | {"cityscapes_fcn": study}))


def test_trainings_that_start_from_each_other() -> None:
    file = "results/{}/cityscapes_fcn/{}/seed0/model.safetensors".format
    starting_from({"baseline": file("demo", "unet"), "dice": file("demo", "baseline")}).check_weights()
    starting_from({"baseline": file("demo", "unet"), "unet": "elsewhere.safetensors"}).check_weights()
    with pytest.raises(
        ValueError, match=r"^weights: \S+/dice/seed0/\S+ starts from \S+/unet/seed0/\S+ starts from \S+/dice/"
    ):
        starting_from({"unet": file("demo", "dice"), "dice": file("demo", "unet")}).check_weights()
    with pytest.raises(
        ValueError, match=r"camvid.*unet.* starts from .*camvid.*unet.*, its own result; give one of them"
    ):
        starting_from({"unet": file("camvid", "unet")}).check_weights()


def test_the_model_of_a_training_with_folds() -> None:
    name = PARAMS.dataset("demo", "cityscapes_fcn")
    row = PARAMS.datasets[name].model_copy(update={"folds": 2})
    plan = Plan(changed(preset="demo", seeds=[0], datasets=PARAMS.datasets | {name: row}))
    folder = "results/demo/cityscapes_fcn/unet/seed0"
    expected = [f"{folder}/fold{k}/model.safetensors" for k in range(2)]
    assert plan.folds_of(f"{folder}/model.safetensors") == expected
    assert Plan(PARAMS).folds_of(f"{folder}/model.safetensors") == []


def test_notes_name_start_weights_and_values_that_are_not_in_the_source(plan: Plan) -> None:
    notes = json.loads(plan.notes("demo", "cityscapes_fcn"))
    assert notes["cityscapes_fcn"][-1] == "Not in the source, chosen here: optimizer."
    assert notes["resnet50_frozen"][-2:] == [
        "The backbone starts from resnet50_shapes and is not trained.",
        "Not in the source, chosen here: lr.",
    ]
    assert not [text for text in notes["baseline"] if "chosen here" in text or "backbone" in text]
    resnet101 = json.loads(plan.notes("paper", "cityscapes_deeplab"))["resnet101"]
    assert resnet101[-1] == "The backbone starts from resnet101_imagenet."


def test_a_note_on_all_variants_is_not_repeated_for_each(plan: Plan) -> None:
    notes = json.loads(plan.notes("demo", "cityscapes_fcn"))
    shared = notes.pop("cityscapes_fcn")
    assert "Source: nothing on the scaling of pixel values. " in " ".join(shared)
    assert not set(shared) & {text for texts in notes.values() for text in texts}
    fewer = json.loads(Plan(without("cityscapes_fcn", "resnet50_frozen", "unet")).notes("demo", "cityscapes_fcn"))
    assert [text for text in fewer["cityscapes_fcn"] if "no stride" in text]  # all that are left are FCNs
    assert not [text for text in shared if "no stride" in text]


def test_notes_tell_a_subset_of_the_training_images(plan: Plan) -> None:
    subsets = {
        preset: [note for note in json.loads(plan.notes(preset, "bdd100k_lite"))["segnet_basic"] if "Trained" in note]
        for preset in ("demo", "paper")
    }
    assert subsets == {
        "demo": ["Trained on all images; train_images: 70 applies to the presets: paper."],
        "paper": ["Trained on a fixed subset of 70 images of the training split, or on all if it has fewer."],
    }


def test_the_source_and_what_is_scored_in_its_place(plan: Plan) -> None:
    demo = json.loads(plan.source("demo", "bdd100k_lite"))
    assert demo == {
        "dataset": "bdd100k",
        "classes": 41,
        "scored": "dashcam",
        "split": "test",
        "epochs": {"segnet_basic": 38, "u_lite": 38},
    }
    paper = {study: json.loads(plan.source("paper", study)) for study in plan.studies}
    assert all(each["dataset"] == each["scored"] for each in paper.values())
    assert {study: each["split"] for study, each in paper.items()} == {
        "cityscapes_fcn": "val",
        "voc2012_fcn": "half of val",
        "bdd100k_lite": "15% of train and val",
        "cityscapes_deeplab": "val",
        "voc2007_erfnet": "test",
    }
    assert [each["classes"] for each in paper.values()] == [19, 21, 41, 30, 21]


def test_the_launcher_is_torchrun_for_several_gpus() -> None:
    assert launcher(1) == ["python"]
    assert launcher(4) == ["python", "-m", "seg.training.launch", "--standalone", "--nproc-per-node", "4"]


def test_a_wildcard_without_values_matches_nothing() -> None:
    assert alternatives(["a", "b", "a"]) == "a|b"
    assert not re.fullmatch(alternatives([]), "")


def test_the_plan_imports_neither_torch_nor_snakemake_nor_dvc() -> None:
    code = "import sys, seg.plan; print(*sorted({'torch', 'snakemake', 'dvc'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# cross-validation


@pytest.fixture(scope="module")
def folded() -> Plan:
    """The study `cityscapes_fcn` of the preset demo on streets with three folds."""
    row = PARAMS.datasets["streets"].model_copy(update={"folds": 3, "eval_split": "test"})
    study = {"cityscapes_fcn": PARAMS.studies["cityscapes_fcn"]}
    return Plan(changed(preset="demo", seeds=[0, 1], datasets=PARAMS.datasets | {"streets": row}, studies=study))


def test_folds_are_part_of_paths_only_where_a_dataset_has_folds(plan: Plan, folded: Plan) -> None:
    assert (plan.folds("streets"), plan.fold_options("demo", "cityscapes_fcn")) == ([""], [])
    assert (plan.fold_pattern(), folded.fold_pattern()) == ("(?:)", "(?:|/fold0|/fold1|/fold2)")
    assert folded.folds("streets") == ["/fold0", "/fold1", "/fold2"]
    assert folded.fold_options("demo", "cityscapes_fcn") == ["--folds=3"]
    assert folded.pack_stem(*FCN, "eval", "/fold1") == "data/packs/demo/streets-80x120/fold1/test"
    assert folded.study_files("demo", "cityscapes_fcn", f"{RUN_FOLDER}run.json")[:4] == [
        "results/demo/cityscapes_fcn/baseline/seed0/fold0/run.json",
        "results/demo/cityscapes_fcn/baseline/seed0/fold1/run.json",
        "results/demo/cityscapes_fcn/baseline/seed0/fold2/run.json",
        "results/demo/cityscapes_fcn/baseline/seed1/fold0/run.json",
    ]


def test_each_fold_has_packs_and_statistics(folded: Plan) -> None:
    names = ["test.json", "test.native.json", "train.json", "val.json"]
    expected = [f"data/packs/demo/streets-80x120/fold{k}/{name}" for k in range(3) for name in names]
    assert [file for file in folded.packs() if "80x120" in file] == expected
    assert folded.statistics("demo") == {
        f"streets/fold{k}": f"data/packs/demo/streets-40x60/fold{k}/statistics.json" for k in range(3)
    }


def test_the_report_gets_the_evaluation_pack_of_each_study_and_fold(folded: Plan) -> None:
    options = [option for option in folded.picture_options("demo") if option.startswith("--pictures=cityscapes_fcn")]
    path = "data/packs/demo/streets-80x120/fold{0}/test.json"
    assert options == [f"--pictures=cityscapes_fcn/fold{k}={path.format(k)}" for k in range(3)]
    without_folds = [option for option in folded.picture_options("demo") if "fold" not in option]
    assert [option.split("=")[1] for option in without_folds] == [x for x in folded.studies if x != "cityscapes_fcn"]


def test_the_description_of_a_fold_names_it_and_that_of_the_files_does_not(folded: Plan) -> None:
    assert json.loads(folded.description("streets", "/fold2"))["fold"] == 2
    assert all("fold" not in json.loads(text) for text in folded.descriptions("streets"))


def test_figures_of_a_split_are_not_comparable_with_folds(folded: Plan) -> None:
    assert json.loads(folded.source("demo", "cityscapes_fcn"))["split"] == "test of 3 folds"


def test_a_given_fold_is_a_split_like_any_other() -> None:
    row = PARAMS.datasets["streets"].model_copy(update={"folds": 3, "fold": 1, "eval_split": "test"})
    plan = Plan(changed(preset="demo", datasets=PARAMS.datasets | {"streets": row}))
    assert plan.folds("streets") == [""]
    assert plan.pack_stem(*FCN, "eval") == "data/packs/demo/streets-80x120/test"
