"""Which readings of a source concern a variant, and that all of them reach the notes of its study's table."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from seg.config.base import Reading, leaves
from seg.config.code_readings import CODE_READINGS, CodeReading
from seg.config.params import Params, load_params
from seg.config.readings import readings_of
from seg.plan import Plan
from seg.report.formatting import footnotes
from seg.report.rows import join_notes

CONTENT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
for row in CONTENT["studies"].values():
    for each in row["variants"].values():
        each["enabled"] = True
PARAMS = load_params(CONTENT)
VARIANTS = [f"{study}/{variant}" for study in PARAMS.studies for variant in PARAMS.studies[study].variants]
ONE = {"says": "one", "done": "two", "why": "three"}
TEXT = "Source: one. Here: two, because three."


def noted(preset: str) -> dict[str, set[str]]:
    """Texts that the table of a study shows for each variant: numbered ones that mark it, and those of all variants."""
    plan = Plan(PARAMS)
    found = {}
    for study in PARAMS.studies:
        notes = json.loads(plan.notes(preset, study))
        rows = [
            {"variant": name, "published_notes": "", "variant_notes": join_notes(notes[name])}
            for name in PARAMS.variants(study)
        ]
        numbered = footnotes(rows)
        for row in rows:
            numbers = [n for mark in numbered.of(row, "variant") for n in range(mark.first, mark.last + 1)]
            texts = {note.text for note in numbered.notes if note.number in numbers}
            found[f"{study}/{row['variant']}"] = texts | set(notes[study])
    return found


PAPER, DEMO = noted("paper"), noted("demo")


def concerned(reading: CodeReading) -> set[str]:
    """Variants of the preset `paper` that a reading of the code concerns."""
    found = set()
    for study in reading.studies:
        for variant in PARAMS.studies[study].variants:
            values = dict(leaves(PARAMS.recipe("paper", study, variant, 0).model_dump()))
            if reading.when.items() <= values.items():
                found.add(f"{study}/{variant}")
    return found


@pytest.mark.parametrize("reading", CODE_READINGS, ids=lambda each: f"{each.studies[0]}-{each.reading.source}")
def test_a_reading_of_the_code_is_in_the_tables_of_its_variants_only(reading: CodeReading) -> None:
    expected = concerned(reading)
    assert {name.partition("/")[0] for name in expected} == set(reading.studies)  # none is without effect
    same = [other for other in CODE_READINGS if other.reading == reading.reading]
    everywhere = set().union(*map(concerned, same))
    assert {name for name, texts in PAPER.items() if reading.reading.text() in texts} == everywhere


@pytest.mark.parametrize("name", VARIANTS)
def test_the_readings_of_a_row_are_in_the_table_of_its_variant(name: str) -> None:
    study, _, variant = name.partition("/")
    for row in (CONTENT["studies"][study], CONTENT["studies"][study]["variants"][variant]):
        for key, reading in row.get("readings", {}).items():
            others = CONTENT["studies"][study]["variants"][variant].get("readings", {}).get(key, reading)
            assert Reading(**others).text() in PAPER[name]
    dataset = CONTENT["studies"][study]["dataset"]
    for reading in CONTENT["datasets"][dataset]["readings"].values():
        assert Reading(**reading).text() in PAPER[name]


def test_readings_of_a_dataset_are_only_where_it_is_used() -> None:
    texts = {
        name: {Reading(**each).text() for each in row.get("readings", {}).values()}
        for name, row in CONTENT["datasets"].items()
    }
    assert not set().union(*texts.values()) & set().union(*DEMO.values())
    for name, found in PAPER.items():
        used = CONTENT["studies"][name.partition("/")[0]]["dataset"]
        others = set().union(*(texts[dataset] for dataset in texts if dataset != used)) - texts[used]
        assert not others & found


def test_readings_of_weights_are_only_where_these_are_used() -> None:
    assert [text for text in PAPER["cityscapes_fcn/resnet50_frozen"] if "IMAGENET1K_V1" in text]
    assert not [text for texts in DEMO.values() for text in texts if "ImageNet weights" in text]
    assert not [text for texts in DEMO.values() for text in texts if "torchvision's for ImageNet" in text]


# What a reader of the sources would look for: variants, and words of the note
EXPECTED = {
    "cityscapes_fcn/baseline voc2012_fcn/unet cityscapes_deeplab/resnet101 voc2007_erfnet/cosine": "standard deviation",
    "cityscapes_fcn/resnet50_frozen": "Table 2: average pooling to 1 x 1",
    "cityscapes_fcn/resnet50_frozen cityscapes_fcn/unet cityscapes_fcn/dice": "nothing on resizing. Here: half size",
    "cityscapes_fcn/adapted": "a sixth one of 512 channels",
    "cityscapes_fcn/adapted ": "in encoder and decoder",
    "cityscapes_fcn/dice": '"our adjusted model"',
    "cityscapes_fcn/dice ": "soft counts from probabilities over the batch, mean over the classes that are present",
    "cityscapes_fcn/augmented cityscapes_fcn/augmented_full_resolution": "both are drawn separately",
    "cityscapes_deeplab/resnet101 cityscapes_deeplab/resnet152": "fifth branch",
    "cityscapes_deeplab/resnet101 cityscapes_deeplab/resnet152 ": "two, then a 1x1 classifier",
    "cityscapes_deeplab/resnet101 cityscapes_deeplab/resnet152  ": "nothing on weight decay",
    "cityscapes_deeplab/resnet101 cityscapes_deeplab/resnet152   ": "30 classes",
    "cityscapes_deeplab/resnet152": "ResNet156",
    "bdd100k_lite/segnet_basic": "2 or 4",
    "bdd100k_lite/segnet_basic ": "64 filters of 7x7",
    "bdd100k_lite/u_lite": "two 3x3 convolutions per step, 2x2 transposed convolutions, concatenated skips",
    "voc2007_erfnet/unet": "Table 6: no batch norm.",
    "voc2007_erfnet/unet ": "ReLU on the output",
    "voc2007_erfnet/unet  ": "conv17",
    "voc2007_erfnet/unet_resnet34": "32 and 16 channels for the two finest levels",
    "voc2007_erfnet/fcn_resnet34": "neither named nor cut",
    "voc2007_erfnet/darrennet voc2007_erfnet/darrennet_erfnet": "stride 1 of the initial block",
    "voc2007_erfnet/darrennet_resnet34 voc2007_erfnet/darrennet_affine": "up to its second stage",
    "voc2012_fcn/cosine voc2012_fcn/unet voc2007_erfnet/cosine voc2007_erfnet/darrennet": "in every step",
    "voc2012_fcn/unet": "batch norm before ReLU, unlike the study's FCN",
    "voc2012_fcn/weighted voc2012_fcn/unet voc2007_erfnet/weighted voc2007_erfnet/darrennet": "adding a single pixel",
    "cityscapes_fcn/unet": "rows deconv5_2, 6_1 and 7_0",
    "voc2007_erfnet/baseline voc2007_erfnet/weighted": "four transitions",
    "voc2012_fcn/dropout": "0.1382",
}


@pytest.mark.parametrize(("names", "words"), EXPECTED.items(), ids=EXPECTED.values())
def test_known_deviations_are_noted(names: str, words: str) -> None:
    assert [name for name in names.split() if not any(words in text for text in PAPER[name])] == []
    assert len([name for name, texts in PAPER.items() if any(words in text for text in texts)]) < len(PAPER)


def test_a_reading_changes_notes_and_no_recipe() -> None:
    changed = deepcopy(CONTENT)
    changed["studies"]["cityscapes_fcn"]["variants"]["dice"]["readings"]["model"]["done"] = "something else"
    params = load_params(changed)
    for study in PARAMS.studies:
        before, after = Plan(PARAMS).notes("paper", study), Plan(params).notes("paper", study)
        assert (before != after) == (study == "cityscapes_fcn")
        for variant in PARAMS.variants(study):
            assert params.recipe("paper", study, variant, 0) == PARAMS.recipe("paper", study, variant, 0)


def small(**changes: Any) -> Params:
    """Parameters with a study `own` of the given rows of variants; its name has no readings of the code."""
    content = deepcopy(CONTENT)
    study = content["studies"]["own"] = deepcopy(content["studies"]["voc2012_fcn"])
    study |= {"readings": changes.pop("readings", {}), "variants": changes, "dataset": "camvid"}
    return load_params(content)


def texts_of(params: Params, variant: str) -> list[str]:
    return [each.text() for each in readings_of(params, "paper", "own", variant)]


def test_a_reading_is_inherited_with_its_value() -> None:
    params = small(
        a={"lr": 0.1, "augmentation": {"flip": 0.5}, "readings": {"lr": ONE, "augmentation.flip": ONE}},
        same={"like": "a"},
        other={"like": "a", "lr": 0.2},
        more={"like": "a", "augmentation": {"vertical_flip": 0.5}},
        cleared={"like": "a", "readings": {"lr": None}},
        changed={"like": "a", "lr": 0.2, "readings": {"lr": {"done": "more"}}},
        no_flip={"like": "a", "augmentation": None},
    )
    assert {name: len(texts_of(params, name)) for name in params.variants("own")} == {
        "a": 2, "same": 2, "other": 1, "more": 2, "cleared": 1, "changed": 2, "no_flip": 1,
    }  # fmt: skip
    assert "Source: one. Here: more, because three." in texts_of(params, "changed")


def test_a_reading_of_a_study_concerns_the_variants_that_keep_its_value() -> None:
    rows = {"a": {}, "b": {"lr": 0.2}, "c": {"readings": {"lr": {"source": "Table 1", "says": "no", "done": "yes"}}}}
    params = small(readings={"lr": ONE, "metrics": ONE}, **rows)
    assert texts_of(params, "a") == [TEXT, TEXT]
    assert texts_of(params, "b") == [TEXT]
    assert texts_of(params, "c") == ["Table 1: no. Here: yes.", TEXT]


def test_a_reading_of_a_published_figure_is_not_inherited() -> None:
    params = small(a={"readings": {"published": ONE, "loss": ONE}}, b={"like": "a"})
    assert texts_of(params, "a") == [TEXT, TEXT]
    assert texts_of(params, "b") == [TEXT]


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("studies.voc2012_fcn", "'lrr' is not a value; did you mean lr?"),
        ("studies.voc2012_fcn.variants.unet", "'lrr' is not a value; did you mean lr?"),
        ("datasets.voc2012", "'lrr' is not a value; known are background, bands, channels, classes, colours,"),
    ],
)
def test_a_reading_of_no_value_is_refused(place: str, line: str) -> None:
    content = deepcopy(CONTENT)
    row = content
    for key in place.split("."):
        row = row[key]
    row.setdefault("readings", {})["lrr"] = ONE
    with pytest.raises(ValueError, match="lrr") as caught:
        load_params(content)
    assert str(caught.value).startswith(f"{place}.readings: {line}")
    assert "\n" not in str(caught.value)


def test_a_reading_of_a_value_that_the_variant_lacks_does_not_concern_it() -> None:
    assert texts_of(small(a={"readings": {"augmentation.crop": ONE}}), "a") == []
    with pytest.raises(ValueError, match=r"'augmentation\.crops' is not a value; did you mean augmentation\.crop\?"):
        small(a={"readings": {"augmentation.crops": ONE}})
