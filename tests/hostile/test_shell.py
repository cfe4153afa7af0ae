"""Text from `params.yaml`, names of files and names of classes never become shell syntax."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml
from clones import ROOT, Clone, environment
from PIL import Image
from trials import Trial, run_trial

from seg.config.params import Params, load_params
from seg.report.rows import read_rows, split_notes

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "'; touch pwned; '",
    '"; touch pwned; "',
    "{wildcards.study} {{x}} {",
    "a\n touch pwned\n",
    "--help",
    "a,b=c | d\\",
    "> pwned",
]
ALL = " ".join(HOSTILE)
SCHEMA = Params.model_json_schema()
STAR = "*"  # any key of a mapping


class Needed(NamedTuple):
    """A value that is set only where there is none."""

    value: Any


class Field(NamedTuple):
    """A place for text in the schema; `build` makes the mappings around it."""

    name: str
    build: Callable[[str], Any]


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def text_fields(schema: Mapping[str, Any]) -> Iterator[Field]:
    """All places for text in a schema: values and keys."""
    schema = resolved(schema)
    for branch in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from text_fields(branch)
    if schema.get("type") == "string" and not schema.keys() & {"enum", "const"}:
        yield Field("", lambda text: text)
    if items := schema.get("items"):
        yield from (Field(f".0{name}", lambda text, build=build: [build(text)]) for name, build in text_fields(items))
    for key, part in schema.get("properties", {}).items():
        beside = {name: example(each) for name, each in schema["properties"].items() if name != key}
        beside = {name: value for name, value in beside.items() if value is not None}
        for name, build in text_fields(part):
            yield Field(f".{key}{name}", lambda text, key=key, build=build, beside=beside: beside | {key: build(text)})
    if isinstance(values := schema.get("additionalProperties"), dict):
        yield Field(".<key>", lambda text: {text: Needed({})})
        yield from (
            Field(f".{STAR}{name}", lambda text, build=build: {STAR: build(text)})
            for name, build in text_fields(values)
        )
        for pattern in schema.get("patternProperties", {}).values():
            yield from text_fields(pattern)
    for values in schema.get("patternProperties", {}).values():
        yield Field(".<key>", lambda text: {text: Needed({})})
        yield from (
            Field(f".{STAR}{name}", lambda text, build=build: {STAR: build(text)})
            for name, build in text_fields(values)
        )


def example(schema: Mapping[str, Any]) -> Any:
    """The constant that a schema requires, or text where it requires text; else None."""
    schema = resolved(schema)
    if "const" in schema:
        return schema["const"]
    return (
        Needed("text") if schema.get("type") == "string" and "default" not in schema and "enum" not in schema else None
    )


def merged(content: Any, over: Any) -> Any:
    """Content with other values; `STAR` stands for its first key."""
    if isinstance(over, Needed):
        return over.value if content is None else content
    if not isinstance(over, dict):
        return over
    before = content if isinstance(content, dict) else {}
    if "name" in over and not isinstance(over["name"], Needed) and before.get("name") != over["name"]:
        before = {}  # another model
    result = dict(before)
    for key, value in over.items():
        place = next(iter(before), "size") if key == STAR else key
        result[place] = merged(before.get(place), value)
    return result


def base() -> dict[str, Any]:
    """Parameters of one study on a dataset of the user's own, with every optional mapping."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    reading = {"source": "s", "says": "a", "done": "b", "why": "c"}
    study = content["studies"]["cityscapes_deeplab"]
    rows = {"resnet101": study["variants"]["resnet101"]}
    rows["resnet101"] |= {"weights": None, "readings": {"lr": reading}, "not_in_source": ["lr"]}
    study |= {"dataset": "mine", "variants": rows, "classes": ["a"], "readings": {"epochs": reading}}
    content["studies"] = {"mine": study}
    mine = {"layout": "folder", "size": [64, 64], "eval_split": "test", "readings": {"size": reading}}
    content["datasets"] = {"mine": mine, "streets": content["datasets"]["streets"]}
    content["presets"] = {"paper": content["presets"]["paper"] | {"datasets": {"streets": "mine"}, "weights": {}}}
    content |= {"preset": "paper", "budgets": {"paper": {"epochs": {"mine/resnet101": 1}}}}
    content["cluster"]["training_of"] = {"mine/resnet101": {}}
    return content


FIELDS = list(text_fields(SCHEMA))
BASE = base()


def outcome(content: dict[str, Any]) -> list[str]:
    """Lines of the errors in parameters; empty if they are accepted."""
    try:
        load_params(content)
    except ValueError as error:
        return str(error).split("\n")
    return []


def test_the_fields_are_found_in_the_schema() -> None:
    names = {field.name for field in FIELDS}
    assert len(names) > 40
    assert names >= {
        ".preset",
        ".presets.*.title",
        ".presets.<key>",
        ".datasets.*.readings.*.says",
        ".cluster.training.partition",
        ".budgets.*.epochs.<key>",
        ".defaults.model.options.encoder",
        ".studies.*.classes.0",
        ".studies.*.variants.<key>",
        ".studies.*.variants.*.not_in_source.0",
    }
    assert outcome(BASE) == []


@pytest.mark.parametrize("field", FIELDS, ids=[field.name for field in FIELDS])
def test_text_is_accepted_or_refused_in_one_line_per_error(field: Field) -> None:
    for text in HOSTILE:
        for line in outcome(merged(BASE, field.build(text))):
            place, _, problem = line.partition(": ")
            assert place, line
            assert problem, line


def accepted_everywhere() -> dict[str, Any]:
    """Parameters with hostile text in every field that accepts it."""
    content = BASE
    for field in FIELDS:
        changed = merged(content, field.build(ALL))
        if not outcome(changed) and ".ignore" not in field.name:  # an ignored class is no class of the study
            content = changed
    return content


STUB = f"""#!{sys.executable}
import json, os, sys
with open(os.environ["CALLS"], "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
"""


def test_commands_with_hostile_text_have_it_as_arguments(tmp_path: Path) -> None:
    """Snakemake renders the command of every job; stubs record the arguments that bash gives to programs."""
    content = accepted_everywhere()
    for name in ("Snakefile", "workflow", "seg", "profiles"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    write_images(tmp_path / "data/raw/mine", ["a", ALL])
    (tmp_path / "Probe.smk").write_text(
        'include: "Snakefile"\n'
        "import atexit, json\n"
        "def save():\n"
        "    with open('commands.json', 'w') as file:\n"
        "        json.dump([job.shellcmd for job in workflow.dag.jobs if job.shellcmd], file)\n"
        "atexit.register(save)\n"
    )
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    planning = ["snakemake", "-n", "-s", "Probe.smk", "--", "all", "data"]
    done = subprocess.run(
        planning, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    commands = json.loads((tmp_path / "commands.json").read_text())
    assert len(commands) > 8

    stubs = tmp_path / "stubs"
    stubs.mkdir()
    for name in ("python", "torchrun", "cp", "tee"):
        (stubs / name).write_text("#!/bin/sh\ncat > /dev/null\n" if name == "tee" else STUB)
        (stubs / name).chmod(stat.S_IRWXU)
    empty = tmp_path / "empty"
    (empty / "logs/data").mkdir(parents=True)
    calls = tmp_path / "calls"
    variables = {"PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}", "CALLS": str(calls)}
    for command in commands:
        subprocess.run(["bash", "-c", command], cwd=empty, env=variables, check=True, timeout=60)
    assert not [path for path in empty.rglob("*") if path.is_file()]
    arguments = [json.loads(line)[1:] for line in calls.read_text().splitlines()]
    assert len(arguments) == len(commands)
    assert sum(f"--title={ALL}" in each for each in arguments) == 2
    (table,) = [each for each in arguments if "seg.report.table" in each]
    assert json.loads(table[table.index("--classes") + 1]) == [ALL]
    assert json.dumps(ALL)[1:-1] in table[table.index("--notes") + 1]
    recipes = [json.loads(each[each.index("--recipe") + 1]) for each in arguments if "--recipe" in each]
    assert ALL in [recipe["model"]["options"].get("architecture") for recipe in recipes]


FILES = [
    "-x",
    "{a}",
    "{split}",
    "two\nlines",
    "$(touch pwned)",
    "it's",
    'q"q',
    "*",
    "[x]",
    "a,b",
    "%s",
    "~",
    "#c",
    "a\\b",
]
CLASSES = [
    *("a,b", 'say "hi"', "two\nlines", "$(touch pwned)", "<script>alert(1)</script>", "x | y", "it's {this}", "[z]"),
    *("=1+1", "absent", "-dash", "$x$", "back\\slash", " lead", "ü\u2028x"),
]


def write_images(root: Path, names: list[str]) -> None:
    """Images of 32x32 with labels, as a dataset of layout `folder`; a name is a file's, without suffix."""
    generator = np.random.default_rng(0)
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    for name in names:
        file = name.replace("/", "_")
        Image.fromarray(generator.integers(0, 256, (32, 32, 3), np.uint8)).save(root / f"images/{file}.png")
        Image.fromarray(generator.integers(0, len(CLASSES), (32, 32), np.uint8)).save(root / f"labels/{file}.png")
    (root / "classes.yaml").write_text(yaml.safe_dump([*CLASSES, ALL], allow_unicode=True), encoding="utf-8")


def images(root: Path) -> None:
    write_images(root / "data", FILES)


def manifest(root: Path) -> None:
    images(root)
    (root / "data/manifest.json").write_text(json.dumps({"files": {}}))


PACK = (
    "--manifest",
    "data/manifest.json",
    "--dataset",
    "folder",
    "--split",
    "train",
    "--height",
    "32",
    "--width",
    "32",
)
TRIALS = [
    Trial("doctor", ("seg.cli", "doctor", "data", "--layout", "folder"), images, "train: .*", code=0, errors=0),
    Trial(
        "pack",
        ("seg.data.pack", *PACK, "--out", "{a} $(touch pwned)/train", "--workers", "1"),
        manifest,
        ".*",
        code=0,
        errors=0,
        writes=("{a} *",),
    ),
    Trial(
        "native labels",
        ("seg.data.native_labels", *PACK, "--out=-x/train"),
        manifest,
        ".*",
        code=0,
        errors=0,
        writes=("-x*",),
    ),
    Trial(
        "manifest",
        ("seg.datasets.register", "--name=$(touch pwned)", "--root", "data", "--out", "manifest.json"),
        images,
        "",
        code=0,
        errors=0,
        writes=("manifest.json",),
    ),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_files_with_hostile_names_are_used(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)


@pytest.mark.workflow
def test_hostile_names_of_files_and_classes_reach_the_table_and_the_page(new_clone: Clone) -> None:
    write_images(new_clone.path / "data/raw/mine", FILES)
    new_clone.set("datasets.mine", {"layout": "folder", "size": [32, 32], "eval_split": "test"})
    reading = {"says": "a | b", "done": "$(touch pwned) {y}"}
    study = {
        "title": ALL,
        "source": "none",
        "dataset": "mine",
        "classes": CLASSES,
        "readings": {"lr": reading},
        "defaults": {"loss": "cross_entropy", "batch": 2, "epochs": 1, "lr": 0.001, "model": {"name": "u_lite"}},
        "variants": {"u_lite": {}},
    }
    new_clone.set("studies", {"mine": study})
    new_clone.snakemake()
    assert not list(new_clone.path.rglob("pwned"))
    (row,) = read_rows(new_clone.path / "results/demo/mine/table.csv")
    assert [name for name in CLASSES if f"iou[{name}]" not in row] == []
    assert split_notes(row["scarce_classes"]) == CLASSES
    assert split_notes(row["study_notes"])[0] == "Source: a | b. Here: $(touch pwned) {y}."
    page = (new_clone.path / "results/demo/index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert(1)" not in page
    assert "Nothing to be done" in new_clone.snakemake("-n")
