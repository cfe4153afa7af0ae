"""No command replaces a file that it reads, or follows a link that someone has placed where it writes."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from trials import Trial, run_trial

Arrange = Callable[[Path], None]


def photos(*names: str) -> Arrange:
    """Images below the directory."""

    def arrange(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 32), "red").save(root / name)

    return arrange


def files(*names: str) -> Arrange:
    """Files below the directory, each with its name as content."""

    def arrange(root: Path) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)

    return arrange


def links(**targets: str) -> Arrange:
    """Symbolic links in the directory; `__` stands for a slash, `_png` and the like for an ending."""

    def arrange(root: Path) -> None:
        for name, target in targets.items():
            path = root / name.replace("__", "/").replace("_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)

    return arrange


def hard(old: str, new: str) -> Arrange:
    """A hard link."""

    def arrange(root: Path) -> None:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        (root / new).hardlink_to(root / old)

    return arrange


def pipe(name: str) -> Arrange:
    """A named pipe."""
    return lambda root: os.mkfifo(root / name)


def both(*steps: Arrange) -> Arrange:
    def arrange(root: Path) -> None:
        for step in steps:
            step(root)

    return arrange


def folder(name: str) -> Arrange:
    return lambda root: (root / name).mkdir(parents=True)


def predict(name: str, arrange: Arrange, line: str, *arguments: str, **options: Any) -> Trial:
    """`seg predict`, by default of one image."""
    given = arguments or ("photos/a.jpg",)
    return Trial(name, ("seg.cli", "predict", "model.safetensors", *given), arrange, line, **options)


PREDICT = [
    predict(
        "into a new directory", photos("photos/a.jpg"), r"predictions/a\.png", code=0, errors=0, writes=["predict*"]
    ),
    predict(
        "twice",
        both(photos("photos/a.jpg"), files("predictions/a.png")),
        r"error: predictions/a\.png: exists; add --overwrite to replace it, or use another --out",
    ),
    predict(
        "twice, replaced on request",
        both(photos("photos/a.jpg"), files("predictions/a.png")),
        r"predictions/a\.png",
        *("photos/a.jpg", "--overwrite"),
        code=0,
        errors=0,
        changes=["predictions/a.png"],
        process=True,
    ),
    predict(
        "a picture that lies in the output directory",
        photos("photos/a.jpg", "predictions/a.png"),
        r"error: predictions/a\.png: exists; add --overwrite to replace it, or use another --out",
        process=True,
    ),
    predict(
        "beside the images",
        photos("photos/a.png"),
        r"error: --out photos: contains a\.png, which could be overwritten; use another directory",
        *("photos/a.png", "--out", "photos", "--overwrite"),
    ),
    predict(
        "beside the images, which are links",
        both(photos("cache/a.png"), links(photos__a_png="../cache/a.png")),
        r"error: --out cache: contains a\.png, which could be overwritten; use another directory",
        *("photos/a.png", "--out", "cache", "--overwrite"),
    ),
    predict(
        "into a link to the images",
        both(photos("photos/a.png"), links(out="photos")),
        r"error: --out out: contains a\.png, which could be overwritten; use another directory",
        *("photos/a.png", "--out", "out", "--overwrite"),
    ),
    predict(
        "onto a hard link to an image",
        both(photos("photos/a.jpg"), hard("photos/a.jpg", "predictions/a.png")),
        r"error: predictions/a\.png: is also read; use another --out",
        *("photos/a.jpg", "--overwrite"),
    ),
    predict(
        "onto a link to an image",
        both(photos("photos/a.jpg"), links(predictions__a_png="../photos/a.jpg")),
        r"error: predictions/a\.png: is also read; use another --out",
        *("photos/a.jpg", "--overwrite"),
    ),
    predict(
        "onto a link to the model",
        both(photos("photos/a.jpg"), links(predictions__a_png="../model.safetensors")),
        r"error: predictions/a\.png: is also read; use another --out",
        *("photos/a.jpg", "--overwrite"),
    ),
    predict(
        "onto a broken link",
        both(photos("photos/a.jpg"), links(predictions__a_png="../nothing")),
        r"error: predictions/a\.png: exists; add --overwrite to replace it, or use another --out",
    ),
    predict(
        "twice, one of two images",
        both(photos("photos/a.jpg", "photos/b.jpg"), files("predictions/b.png")),
        r"error: predictions/b\.png: exists \(1 of 2 predictions exist\); add --overwrite to replace it, or use another"
        r" --out",
        *("photos/a.jpg", "photos/b.jpg"),
    ),
    predict(
        "twice, two images",
        both(photos("photos/a.jpg", "photos/b.jpg"), files("predictions/a.png", "predictions/b.png")),
        r"error: predictions/a\.png: exists \(2 of 2 predictions exist\); add --overwrite to replace them, or use"
        r" another --out",
        *("photos/a.jpg", "photos/b.jpg"),
    ),
    predict(
        "an image whose name has a line break, and which is damaged",
        files("photos/bad\nname.png"),
        r"error: photos/bad\\nname\.png: cannot be decoded .*",
        "photos/bad\nname.png",
        code=1,
    ),
    predict(
        "a directory with a damaged image whose name has a line break",
        both(photos("photos/a.jpg"), files("photos/bad\nname.png")),
        r"error: photos/bad\\nname\.png: cannot be decoded .*",
        "photos",
        code=1,
        writes=["predictions", "predictions/a.png"],
    ),
    predict(
        "onto a link to another file, which stays",
        both(photos("photos/a.jpg"), files("thesis"), links(predictions__a_png="../thesis")),
        r"predictions/a\.png",
        *("photos/a.jpg", "--overwrite"),
        code=0,
        errors=0,
        changes=["predictions/a.png"],
    ),
    predict(
        "onto a directory",
        both(photos("photos/a.jpg"), folder("predictions/a.png")),
        r"error: predictions/a\.png: is a directory, expected the name of a file to write; give another name",
        *("photos/a.jpg", "--overwrite"),
    ),
    predict(
        "onto a pipe",
        both(photos("photos/a.jpg"), folder("predictions"), pipe("predictions/a.png")),
        r"error: predictions/a\.png: is a device, expected the name of a file to write; give another name",
        *("photos/a.jpg", "--overwrite"),
    ),
    predict(
        "into a file",
        both(photos("photos/a.jpg"), files("out")),
        r"error: --out out: is a file, expected a directory; give another name",
        *("photos/a.jpg", "--out", "out"),
    ),
    predict(
        "into a device",
        photos("photos/a.jpg"),
        r"error: --out /dev/null: is a file, expected a directory; give another name",
        *("photos/a.jpg", "--out", "/dev/null"),
    ),
    predict(
        "two images of one name",
        photos("photos/a.jpg", "more/a.png"),
        r"predictions/more/a\.png",
        *("photos/a.jpg", "more/a.png"),
        code=0,
        errors=0,
        writes=["predictions", "predictions/more*", "predictions/photos*"],
    ),
    predict(
        "two names that differ in the case of a letter",
        photos("photos/a.jpg", "photos/A.jpg"),
        r"error: photos/A\.jpg: would be written to predictions/A\.jpg\.png, as photos/a\.jpg; segment them separately",
        *("photos/a.jpg", "photos/A.jpg"),
    ),
    predict(
        "a second image that is damaged",
        both(photos("photos/a.jpg"), files("photos/b.jpg")),
        r"error: photos/b\.jpg: cannot be decoded .*; replace the file",
        *("photos/a.jpg", "photos/b.jpg"),
        code=1,
        writes=["predictions", "predictions/a.png"],
    ),
    predict(
        "links at names that were temporary once",
        both(
            photos("photos/a.jpg"),
            files("thesis"),
            folder("predictions"),
            lambda root: (root / "predictions/.a.png.part").symlink_to("../thesis"),
        ),
        r"predictions/a\.png",
        code=0,
        errors=0,
        writes=["predictions/a.png"],
    ),
]


def evaluation(name: str, arrange: Arrange, line: str, **outputs: str) -> Trial:
    """`evaluate`; `run_info` and so on give another path to an output."""
    given = {
        "metrics": "metrics.json",
        "confusion": "confusion.npy",
        "predictions": "predictions.zip",
        "samples": "s.png",
        "run_info": "run.json",
    } | outputs
    options = [text for key, path in given.items() for text in (f"--{key.replace('_', '-')}", path)]
    command = ("seg.evaluation.evaluate", "--model", "model.safetensors", "--pack", "val.json", *options)
    return Trial(name, command, both(files("val.json"), arrange), line)


def nothing(_: Path) -> None:
    """No file besides those of the trial."""


def stage(name: str, command: str, arrange: Arrange, line: str, **options: Any) -> Trial:
    return Trial(name, command.split(), arrange, line, **options)


MANIFEST = "seg.datasets.register --name mine --root own --out data/manifest.json"
OWN = ("own/images/a.png", "own/labels/a.png")
TABLE = (
    "seg.report.table --study s --title t --eval-split val --scoring pack --published published.csv --variants v=runs/v"
    " --seeds 0 --source {} --block 8 --equivalence 0.01"
)
STAGES = [
    replace(
        evaluation(
            "metrics onto the model",
            nothing,
            r"error: --metrics model\.safetensors: would replace what is read as --model; give another name",
            metrics="model.safetensors",
        ),
        errors=2,  # nor is it the name of a JSON file
    ),
    evaluation(
        "metrics onto the pack",
        nothing,
        r"error: --metrics val\.json: would replace what is read as --pack; give another name",
        metrics="val.json",
    ),
    evaluation(
        "metrics onto a link to the pack",
        links(metrics_json="val.json"),
        r"error: --metrics metrics\.json: would replace what is read as --pack; give another name",
    ),
    evaluation(
        "metrics onto a hard link to the model",
        hard("model.safetensors", "metrics.json"),
        r"error: --metrics metrics\.json: would replace what is read as --model; give another name",
    ),
    evaluation(
        "two outputs at one path",
        nothing,
        r"error: --run-info metrics\.json: is also written as --metrics; give the outputs different names",
        run_info="./metrics.json",
    ),
    evaluation(
        "two outputs that differ in the case of a letter",
        nothing,
        r"error: --run-info METRICS\.json: is also written as --metrics; give the outputs different names",
        run_info="METRICS.json",
    ),
    evaluation(
        "two outputs at one path through a link",
        both(folder("a"), links(b="a")),
        r"error: --run-info b/m\.json: is also written as --metrics; give the outputs different names",
        metrics="a/m.json",
        run_info="b/m.json",
    ),
    evaluation(
        "exchanged options",
        nothing,
        r"error: --samples confusion\.npy: expected a name that ends in \.png; give another name",
        samples="confusion.npy",
        confusion="other.npy",
    ),
    evaluation(
        "samples onto a directory",
        folder("s.png"),
        r"error: --samples s\.png: is a directory, expected the name of a file to write; give another name",
    ),
    evaluation(
        "metrics into a pipe",
        pipe("metrics.json"),
        r"error: --metrics metrics\.json: is a device, expected the name of a file to write; give another name",
    ),
    evaluation(
        "metrics to a link to a device",
        links(metrics_json="/dev/null"),
        r"error: --metrics metrics\.json: is a device, expected the name of a file to write; give another name",
    ),
    evaluation(
        "metrics to a link to the standard output",
        links(metrics_json="/proc/self/fd/1"),
        r"error: --metrics metrics\.json: is a link to an open file, expected the name of a file to write; give .*",
    ),
    stage(
        "a pack onto the manifest",
        "seg.data.pack --manifest data/manifest.json --dataset folder --split val --height 8 --width 8"
        " --out data/manifest",
        files("data/manifest.json"),
        r"error: --out data/manifest\.json: would replace what is read as --manifest; give another name",
    ),
    stage(
        "labels onto the manifest",
        "seg.data.native_labels --manifest val.native.json --dataset folder --split val --height 8 --width 8 --out val",
        files("val.native.json"),
        r"error: --out val\.native\.json: would replace what is read as --manifest; give another name",
    ),
    stage(
        "statistics onto the pack",
        "seg.data.statistics --pack train.json --out ./train.json",
        files("train.json"),
        r"error: --out train\.json: would replace what is read as --pack; give another name",
        process=True,
    ),
    stage(
        "a figure onto the statistics",
        "seg.report.class_figures --statistics statistics.json --svg classes.svg --png classes.png",
        both(files("statistics.json"), hard("statistics.json", "classes.png")),
        r"error: --png classes\.png: would replace what is read as --statistics; give another name",
    ),
    stage(
        "a table onto the published figures",
        f"{TABLE} --csv published.csv --markdown a.md --latex a.tex --pairs b.csv --figures c",
        both(files("published.csv"), folder("runs/v")),
        r"error: --csv published\.csv: would replace what is read as --published; give another name",
    ),
    stage(
        "a table onto the history of a run",
        f"{TABLE} --csv runs/v/seed0/history.csv --markdown a.md --latex a.tex --pairs b.csv --figures c",
        files("published.csv", "runs/v/seed0/history.csv"),
        r"error: --csv runs/v/seed0/history\.csv: would replace what is read as --variants; give another name",
    ),
    stage(
        "the page onto a table",
        "seg.report.page --preset p --title t --study s=results/s --comparison results/s/table.csv --history h.csv"
        " --classes k.csv --confusion n.csv --latex c.tex --metrics m.json --page index.html --figures f",
        files("results/s/table.csv"),
        r"error: --comparison results/s/table\.csv: would replace what is read as --study; give another name",
    ),
    stage(
        "a training onto its initial weights",
        "seg.training.train --recipe {} --train-pack a.json --val-pack b.json --weights w.safetensors"
        " --model w.safetensors --history h.csv --run-info r.json --events events",
        files("w.safetensors", "a.json", "b.json"),
        r"error: --model w\.safetensors: would replace what is read as --weights; give another name",
    ),
    stage(
        "run information onto the validation pack",
        "seg.training.train --recipe {} --train-pack a.json --val-pack b.json"
        " --model m.safetensors --history h.csv --run-info b.json --events events",
        files("a.json", "b.json"),
        r"error: --run-info b\.json: would replace what is read as --val-pack; give another name",
    ),
    stage(
        "weights onto a text",
        "seg.models.fetch_weights --weights vgg16 --archives archives --out thesis.tex",
        files("thesis.tex"),
        r"error: --out thesis\.tex: expected a name that ends in \.safetensors; give another name",
    ),
    stage(
        "a manifest onto a directory",
        "seg.datasets.register --name mine --root own --out data.json",
        folder("data.json"),
        r"error: --out data\.json: is a directory, expected the name of a file to write; give another name",
    ),
    stage(
        "rendered scenes beside other files",
        "seg.synthetic.synthesize --layout cityscapes --height 32 --width 32 --split train=1 --seed 0"
        " --out manifest.json",
        files("thesis.tex"),
        r"error: .*: holds 2 other files, such as .*, and would be replaced as a whole; .*",
    ),
    stage(
        "a manifest that is a link into a cache, which stays",
        MANIFEST,
        both(files("cache/1", *OWN), links(data__manifest_json="../cache/1")),
        "",
        code=0,
        errors=0,
        changes=["data/manifest.json"],
    ),
    stage(
        "a manifest that is a hard link into a cache, which stays",
        MANIFEST,
        both(files("cache/1", *OWN), hard("cache/1", "data/manifest.json")),
        "",
        code=0,
        errors=0,
        changes=["data/manifest.json"],
    ),
    stage(
        "what a killed run left",
        MANIFEST,
        files(*OWN, "data/.manifest.json.abc.part/manifest.json", "data/.manifest.json.abc.part/.lock"),
        "",
        code=0,
        errors=0,
        writes=["data/manifest.json"],
        changes=["data/.manifest.json.abc.part*"],
    ),
    stage(
        "a directory that is named like a temporary one",
        MANIFEST,
        files(*OWN, "data/.manifest.json.abc.part/thesis"),
        "",
        code=0,
        errors=0,
        writes=["data/manifest.json"],
    ),
    stage(
        "a link at the name of a temporary directory",
        MANIFEST,
        both(
            files(*OWN, "data/a", "safe/thesis"),
            lambda root: (root / "data/.manifest.json.abc.part").symlink_to("../safe"),
        ),
        "",
        code=0,
        errors=0,
        writes=["data/manifest.json"],
    ),
]


@pytest.mark.parametrize("trial", PREDICT + STAGES, ids=str)
def test_what_is_written(trial: Trial, small_model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    run_trial(trial, tmp_path)
