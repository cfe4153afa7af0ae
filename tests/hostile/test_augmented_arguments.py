"""Careless arguments of `seg augmented`."""

import shutil
from pathlib import Path

import pytest
from clones import ROOT
from trials import Trial, run_trial


def params(root: Path) -> None:
    shutil.copy(ROOT / "params.yaml", root)


def picture(root: Path) -> None:
    params(root)
    (root / "augmented.png").write_bytes(b"mine")


def augmented(name: str, line: str, *arguments: str, arrange: object = params) -> Trial:
    return Trial(name, ("seg.cli", "augmented", "cityscapes_fcn/augmented", *arguments), arrange, line)  # type: ignore[arg-type]


PACK = r"data/packs/demo/streets-40x60/train\.json"
TRIALS = [
    augmented("no pack", rf"error: {PACK}: missing; make it with: snakemake --cores 2 -- {PACK}"),
    augmented(
        "no pack of another preset",
        r"error: .*: missing; make it with: snakemake --cores 2 --config preset=camvid -- data/packs/camvid/.*",
        "--preset",
        "camvid",
    ),
    augmented("an unknown preset", r"error: --preset demos: unknown; did you mean demo\?", "--preset", "demos"),
    augmented("another ending", r"error: --out a\.jpg: expected a name that ends in \.png; .*", "--out", "a.jpg"),
    augmented("a picture that exists", r"error: --out augmented\.png: exists; add --overwrite .*", arrange=picture),
    Trial("an unknown variant", ("seg.cli", "augmented", "unet"), params, "error: unet: unknown variant; known are .*"),
]


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_arguments_of_augmented(trial: Trial, tmp_path: Path) -> None:
    run_trial(trial, tmp_path)
