"""What people do to `seg doctor`: its exit codes, and what it writes."""

import json
from pathlib import Path

import pytest
from PIL import Image
from scenes import write_scenes
from trials import Trial, run_trial

DOCTOR = ("seg.cli", "doctor", "own")


def arrange(root: Path) -> None:
    write_scenes(root / "own")


def one_broken(root: Path) -> None:
    arrange(root)
    (root / "own/labels/07.png").write_bytes(b"")
    (root / "keep.png").write_bytes(b"a picture of somebody")


def unknown_key(root: Path) -> None:
    arrange(root)
    (root / "own/dataset.yaml").write_text("imges: x")


TRIALS = [
    Trial("a good directory", DOCTOR, arrange, "0 errors, 0 warnings", code=0, errors=0),
    Trial("a picture", (*DOCTOR, "--picture", "out/sheet.png"), one_broken, r"error: files that cannot be .+ \(1\)",
          code=1, writes=("out*",)),
    Trial("a picture that exists", (*DOCTOR, "--picture", "keep.png"), one_broken,
          r"error: --picture keep\.png: exists; add --overwrite .+"),
    Trial("a picture in the dataset", (*DOCTOR, "--picture", "own/images/sheet.png"), arrange,
          r"error: --picture own/images/sheet\.png: is in the directory of the dataset; .+"),
    Trial("a picture that is no PNG", (*DOCTOR, "--picture", "sheet.txt"), arrange,
          r"error: --picture sheet\.txt: expected a name that ends in \.png; .+"),
    Trial("a directory and a name", (*DOCTOR, "--dataset", "camvid"), arrange, r"error: give either the directory .+"),
    Trial("JSON", (*DOCTOR, "--json"), one_broken, r'  "failed": true,', code=1, errors=0),
    Trial("an invalid description", DOCTOR, unknown_key, r"    own/dataset\.yaml: .*imges.*", code=1),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_commands(trial: Trial, tmp_path: Path) -> None:
    output = run_trial(trial, tmp_path)
    if "--json" in trial.command:
        assert json.loads(output)["findings"][0]["kind"] == "undecodable"
    if (tmp_path / "out/sheet.png").exists():
        with Image.open(tmp_path / "out/sheet.png") as sheet:
            assert sheet.width > 1600
