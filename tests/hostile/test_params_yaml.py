"""`params.yaml` and `classes.yaml` with content that cannot be read or makes no sense, from every entry point."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from clones import ROOT
from planned import PLANNED, snakemake, written
from trials import Trial, run_trial

TEXT = (ROOT / "params.yaml").read_text(encoding="utf-8")
TITLE = "title: CamVid"  # replaced by other YAML
LINE = TEXT[: TEXT.index(f"    {TITLE}")].count("\n") + 1
AT = f"error: params\\.yaml, line {LINE}, column"
PATH = r"presets\.camvid"
CONTENT = yaml.safe_load(TEXT)
MINE = {"title": "Mine", "source": "none", "dataset": "camvid", "defaults": {}, "variants": {}}
CHECK = ("seg.config.params",)
SHOW = ("seg.cli", "show", "cityscapes_fcn/unet")


def edited(new: str, old: str = TITLE, encoding: str = "utf-8") -> Callable[[Path], None]:
    """Write `params.yaml` with one piece of text replaced."""
    assert TEXT.count(old) == 1

    def arrange(root: Path) -> None:
        (root / "params.yaml").write_bytes(TEXT.replace(old, new).encode(encoding))

    return arrange


def nested(content: str, levels: int = 3000) -> str:
    return f"{TEXT}deep: {content * levels}"


BOMB = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
DECIMAL = "write a finite number in decimal digits, or put text in quotes"

# What stands in place of `title: CamVid`, and the line after its place.
VALUES = [
    ("a tab", "\ttitle: CamVid", "5: a tab; indent with spaces"),
    ("an unquoted colon", "title: CamVid: real", "18: a second colon; put text that contains ': ' in quotes"),
    ("an alias without an anchor", "title: *bold", "12: text that begins with \\* is an alias; put it in quotes"),
    ("text that begins with a star", "title: *bold*", "17: text cannot begin with \\* or &; put it in quotes"),
    ("a sign for YAML", "title: @CamVid", "12: text cannot begin with @; put it in quotes"),
    ("a percent sign", "title: %CamVid", "12: text cannot begin with %; put it in quotes"),
    (
        "a closing quote too early",
        "title: 'a' b",
        f"16: text after a closing quote or bracket, or another .* line {LINE}",
    ),
    ("infinity", "epochs_scale: .inf", f"19: {PATH}\\.epochs_scale: got \\.inf; {DECIMAL}"),
    ("not a number", "epochs_scale: .nan", f"19: {PATH}\\.epochs_scale: got \\.nan; {DECIMAL}"),
    ("a float beyond the largest", "epochs_scale: 1.0e+999", f"19: {PATH}\\.epochs_scale: got 1\\.0e\\+999; {DECIMAL}"),
    ("an octal number", "title: 010", f"12: {PATH}\\.title: got 010; {DECIMAL}"),
    ("a hexadecimal number", "title: 0x10", f"12: {PATH}\\.title: got 0x10; {DECIMAL}"),
    ("a number to the base of 60", "title: 12:30", f"12: {PATH}\\.title: got 12:30; {DECIMAL}"),
    ("thousands of digits", f"title: {'9' * 5000}", f"12: {PATH}\\.title: got 9{{40}}; {DECIMAL}"),
    ("a date", "title: 2020-01-01", f"12: {PATH}\\.title: 2020-01-01 is read as a date; put it in quotes"),
    ("no date", "title: 2020-13-45", f"12: {PATH}\\.title: 2020-13-45 is read as a date; put it in quotes"),
    ("a key that is a number", "1: CamVid", f"5: {PATH}: key 1 is read as a number, expected text; put it in quotes"),
    ("a null key", "null: CamVid", f"5: {PATH}: key null is read as null, expected text; put it in quotes"),
    ("a key that is a date", "2020-01-01: x", f"5: {PATH}: key 2020-01-01 is read as a date, expected .*"),
    ("a key that is a truth value", "no: CamVid", f"5: {PATH}: key no is read as true or false, expected text; .*"),
    ("a key that is a list", "? [a]\n    : b", f"7: {PATH}: the key is a list or a mapping, expected text; .*"),
    ("the tag of a command", "title: !!python/object/apply:os.system [touch x]", f"12: {PATH}\\.title: unknown tag .*"),
    ("a custom tag", "title: !mine CamVid", f"12: {PATH}\\.title: unknown tag !mine; remove it"),
    ("bytes", "title: !!binary YQ==", f"12: {PATH}\\.title: unknown tag tag:yaml.org,2002:binary; remove it"),
    ("a set", "title: !!set {a, b}", f"12: {PATH}\\.title: unknown tag tag:yaml.org,2002:set; remove it"),
    ("text as a number", "title: !!int CamVid", f"12: {PATH}\\.title: got CamVid; {DECIMAL}"),
    ("text as a truth value", "title: !!bool CamVid", f"12: {PATH}\\.title: got CamVid; write true or false"),
    ("a merge with a number", "<<: 3\n    title: CamVid", "9: not YAML: .* expected a mapping .*"),
    ("an escaped bell", 'title: "a\\ab"', f"12: {PATH}\\.title: contains the control character U\\+0007; remove it"),
    ("half of a surrogate pair", 'title: "\\ud800"', f"12: {PATH}\\.title: contains the .* U\\+D800; remove it"),
    ("an escape in a key", '"a\\0b": 3', f"5: {PATH}: key 'a\\\\x00b': contains the control character U\\+0000; .*"),
    ("a NUL byte", "title: Cam\0Vid", "15: control character U\\+0000; remove it"),
    ("the same key again", "title: a\n    title: b", f"5: {PATH}\\.title: already given in line {LINE}; keep one"),
    (
        "the same key in quotes",
        "title: a\n    'title': b",
        f"5: {PATH}\\.title: already given in line {LINE}; keep one",
    ),
    ("a list that contains itself", "title: &t [*t]", f"12: {PATH}\\.title\\.0: an alias of what contains it; .*"),
]


def at_line(name: str, value: str, expected: str) -> Trial:
    """A trial of a value in place of the title."""
    lines = LINE + value.count("\n    ") if "same key" in name else LINE
    return Trial(name, CHECK, edited(value), f"error: params\\.yaml, line {lines}, column {expected}")


FILES = [
    ("Latin-1", edited("title: Kühe", encoding="latin-1"), f"{AT} 13: byte 0xfc is not UTF-8 .*Latin-1.*; .*"),
    ("UTF-16", edited(TITLE, encoding="utf-16"), r"error: params\.yaml: encoded as UTF-16; save it as UTF-8"),
    ("UTF-16 without a mark", edited(TITLE, encoding="utf-16-be"), r"error: params\.yaml: encoded as UTF-16; .*"),
    ("an empty file", written(""), r"error: params\.yaml: got an empty file, expected keys such as preset and studies"),
    ("only a comment", written("# none\n"), r"error: params\.yaml: got an empty file, expected keys .*"),
    ("a list", written("- preset\n"), r"error: params\.yaml: got a list, expected keys such as preset and studies"),
    ("text", written("preset\n"), r"error: params\.yaml: got 'preset', expected keys such as preset and studies"),
    ("two documents", written(TEXT + "---\n" + TEXT), r"error: .*, line \d+, column 1: a second document .*"),
    ("a key at the end again", written(TEXT + "preset: camvid\n"), r"error: .*: preset: already given in line \d+; .*"),
    ("an alias bomb", written(f"{TEXT}a0: &a0 [x, x]\n{BOMB}"), r"error: .*: more than 100000 values; .*"),
    ("deep lists", written(nested("[")), r"error: params\.yaml: nested too deeply; remove brackets or levels"),
    ("deep mappings", written(nested("{a: ")), r"error: params\.yaml: nested too deeply; remove brackets or levels"),
    ("no space after a colon", edited("title:CamVid"), f"error: .* line {LINE + 1}, column 10: unexpected key.*"),
    (
        "another indentation",
        edited("   title: CamVid", "    title: CamVid"),
        f"error: .* line {LINE + 1}, column 10: unexpected key; indent it as its neighbours, .*",
    ),
    (
        "a bracket that is not closed",
        edited(f"{TITLE}\n    seeds: [0, 1, 2", f"{TITLE}\n    seeds: [0, 1, 2]"),
        f"error: .* line {LINE + 2}, column 13: a comma or a bracket is missing after the bracket in line {LINE + 1}",
    ),
    (
        "a quote that is not closed",
        written(f"{TEXT}title: 'CamVid\n"),
        r"error: .*: the closing quote is missing; the text begins in line \d+",
    ),
    ("a merge that contains itself", written(f"{TEXT}x: &x\n  <<: *x\n"), "error: .*: x: an alias of what contains .*"),
]  # fmt: skip

STUDY = "studies.cityscapes_fcn"
UNET = f"{STUDY}.variants.unet"
LESS = {name: row for name, row in CONTENT["studies"]["cityscapes_fcn"]["variants"].items() if name != "unet"}
OFF = {name: row | {"enabled": False} for name, row in CONTENT["studies"]["voc2012_fcn"]["variants"].items()}


def changed(values: Mapping[str, Any]) -> Callable[[Path], None]:
    """Write `params.yaml` with other values at dotted paths."""

    def arrange(root: Path) -> None:
        content = deepcopy(CONTENT)
        for path, value in values.items():
            *parents, last = path.split(".")
            place = content
            for parent in parents:
                place = place[parent]
            place[last] = value
        written(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))(root)

    return arrange


# Values that are YAML but cannot be run: what is changed, and the line.
SENSELESS = [
    (
        "a size that is no pixel",
        {f"{UNET}.train_size": 0.001},
        rf"{UNET}\.train_size: 0\.001 makes 0 x 0 pixels of 'streets', expected at least 32 x 32; give more",
    ),
    (
        "a size that is too small for the network",
        {f"{STUDY}.defaults.train_size": 0.3},
        rf"{STUDY}\.defaults\.train_size: 0\.3 makes 24 x 36 pixels of 'streets', expected at least 32 x 32; give more",
    ),
    (
        "an evaluation size that is too small",
        {f"{UNET}.eval_size": 0.25},
        rf"{UNET}\.eval_size: 0\.25 makes 20 x 30 pixels of 'streets', expected at least 32 x 32; give more",
    ),
    (
        "batches with one value per channel",
        {f"{STUDY}.variants.baseline.train_size": [32, 32], f"{STUDY}.variants.baseline.batch": 1},
        rf"{STUDY}\.variants\.baseline\.train_size: \[32, 32\] makes 32 x 32 pixels of 'streets', a single one .*",
    ),
    (
        "weights without a backbone",
        {f"{UNET}.weights": "resnet34_imagenet"},
        rf"{UNET}\.weights: 'resnet34_imagenet' \(replaced by 'resnet34_shapes' in presets\.demo\.weights\) for model"
        " 'unet' without a backbone; set null",
    ),
    (
        "weights of another backbone",
        {f"{STUDY}.variants.resnet50_frozen.weights": "resnet34_imagenet"},
        rf"{STUDY}\.variants\.resnet50_frozen\.weights: 'resnet34_imagenet' \(replaced by 'resnet34_shapes' in "
        r"presets\.demo\.weights\) is for resnet34, expected .* resnet50",
    ),
    ("a study without variants", {"studies.mine": MINE}, r"studies\.mine\.variants: empty; add a variant, or .*"),
    (
        "no study",
        {"studies": {}, "budgets": {}, "cluster.training_of": {}},
        "studies: no variant is enabled; add a study, or remove `enabled: false` from a variant",
    ),
    (
        "variants that are null",
        {"studies.mine": MINE | {"variants": None}},
        r"studies\.mine\.variants: got None; input should be a valid dictionary",
    ),
    ("no preset of this name", {"preset": "dmo"}, "preset: 'dmo' is unknown; did you mean demo\\?"),
    ("no presets", {"presets": {}, "budgets": {}}, "preset: 'demo' is unknown; known are none"),
    ("a class twice", {f"{STUDY}.classes": ["car", "car"]}, rf"{STUDY}\.classes: got .*; list each class once"),
    ("a class without a name", {f"{STUDY}.classes": [""]}, rf"{STUDY}\.classes\.0: got ''; string should have .*"),
    (
        "a key with a line break",
        {"budgets.demo.epochs": {"a\nb": 3}},
        r"budgets\.demo\.epochs\.a\\nb: 'a\\nb' is unknown; known are .*",
    ),
]
AT_START = [
    ("no classes of its own", {f"{STUDY}.classes": []}, PLANNED, 0),
    ("a variant less than published", {f"{STUDY}.variants": LESS}, PLANNED, 0),
    ("another dataset than published", {f"{STUDY}.dataset": "camvid", f"{STUDY}.classes": []}, PLANNED, 0),
    ("a study whose variants are off", {"studies.voc2012_fcn.variants": OFF}, PLANNED, 0),
    (
        "classes that the dataset does not have",
        {f"{STUDY}.classes": ["building", "trafic sign"]},
        rf"error: {STUDY}\.classes: 'trafic sign' is no class of 'cityscapes'; did you mean traffic sign\?",
        2,
    ),
    (
        "weights that are not published",
        {"weights.resnet18_imagenet": {"source": "torchvision"}},
        r"error: weights\.resnet18_imagenet: weights 'resnet18_imagenet' are unknown; did you mean .*",
        2,
    ),
]

TRIALS = [
    *(Trial(name, CHECK, changed(values), f"error: {line}") for name, values, line in SENSELESS),
    *(snakemake(f"snakemake: {name}", changed(values), line, code=code) for name, values, line, code in AT_START),
    *(at_line(*row) for row in VALUES),
    *(Trial(name, CHECK, arrange, line) for name, arrange, line in FILES),
    # The same reader stands behind every entry point.
    *(
        Trial(f"show: {name}", SHOW, arrange, line)
        for name, arrange, line in FILES
        if name in ("Latin-1", "an empty file", "an alias bomb")
    ),
    Trial("diff: Latin-1", ("seg.cli", "diff", "HEAD"), FILES[0][1], FILES[0][2]),
    *(
        snakemake(f"snakemake: {name}", arrange, line)
        for name, arrange, line in FILES
        if name in ("Latin-1", "an alias bomb", "a key at the end again")
    ),
    *(
        snakemake(f"snakemake: {trial.name}", trial.arrange, trial.line)
        for trial in map(at_line, *zip(*VALUES, strict=True))
        if trial.name in ("a date", "not a number")
    ),
    snakemake("snakemake: a byte order mark", edited(TITLE, encoding="utf-8-sig"), PLANNED, code=0),
    snakemake(
        "no params.yaml", lambda root: (root / "params.yaml").unlink(), r"error: params\.yaml: No such .+; check .+"
    ),
    # Values of the command line
    snakemake(
        "--config: a key with dots",
        written(TEXT),
        r"error: --config studies\.a\.b=3: expected KEY=VALUE, .* top level of params\.yaml: studies='\{a: \{b: 3\}\}'",
        "--config",
        "studies.a.b=3",
    ),
    snakemake(
        "--configfile: no such file",
        written(TEXT),
        r"error: --configfile other\.yaml: No such file or directory; check the path and run again",
        "--configfile",
        "other.yaml",
    ),
    snakemake(
        "--configfile: Latin-1",
        written("# ü".encode("latin-1"), "other.yaml"),
        r"error: --configfile other\.yaml: 'utf-8' codec can't decode .*; give a file in UTF-8",
        "--configfile",
        "other.yaml",
    ),
    snakemake(
        "--config: the same key again",
        written(TEXT),
        "error: --config studies, line 1, column 8: a: already given in line 1; keep one",
        "--config",
        "studies={a: 1, a: 2}",
    ),
    snakemake(
        "--config: not a number",
        written(TEXT),
        f"error: --config defaults, line 1, column 6: lr: got \\.nan; {DECIMAL}",
        "--config",
        "defaults={lr: .nan}",
    ),
    snakemake(
        "--config: a mapping in place of text",
        written(TEXT),
        r"error: preset: got \{'a': 'b'\}; input should be a valid string",
        "--config",
        "preset={a: b}",
    ),
    snakemake(
        "--configfile: the same key again",
        written("preset: camvid\npreset: paper\n", "other.yaml"),
        r"error: .*/other\.yaml, line 2, column 1: preset: already given in line 1; keep one",
        "--configfile",
        "other.yaml",
    ),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_params_yaml_that_cannot_be_used(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
