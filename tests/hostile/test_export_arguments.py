"""What people give to `seg export`: other files, formats that do not exist, missing libraries."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from trials import Trial, run_trial

Arrange = Callable[[Path], None]


def nothing(root: Path) -> None:
    pass


def file(name: str, content: bytes = b"precious") -> Arrange:
    def arrange(root: Path) -> None:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)

    return arrange


def folds_and_one(root: Path) -> None:
    for name in ("run/model.safetensors", "run/fold1/model.safetensors"):
        file(name)(root)


def export(name: str, arguments: str, arrange: Arrange, line: str) -> Trial:
    return Trial(name, ("seg.cli", "export", *arguments.split()), arrange, f"error: {line}")


TRIALS = [
    export("no such file", "modle.safetensors", nothing, r"modle\.safetensors: No such file or directory; .*"),
    export("a directory without a model", "run", file("run/a.txt"),
        r"run: contains no model\.safetensors; give the directory of a training, results/<preset>/.*"),
    export("the directory of a variant", "run", file("run/seed0/model.safetensors"),
        r"run: contains no model\.safetensors; give the directory of a training, such as run/seed0"),
    export("a directory of folds", "run", file("run/fold1/model.safetensors"),
           r"run/model\.safetensors: no such file; there is one per fold: give run/fold1/model\.safetensors"),
    export("a directory of folds and of an older training", "run", folds_and_one,
           r"run: has models of a training without folds and of folds: give run/model.* or run/fold1/model.*"),
    export("a damaged checkpoint", "a.safetensors", file("a.safetensors"), r"a\.safetensors: checkpoint is damaged .*"),
    export("an unknown format", "model.safetensors --format onxx", nothing,
           r"--format onxx: unknown; did you mean 'onnx'\? known are onnx, pt2"),
    export("the ending of another format", "model.safetensors --format onnx --out a.pt2", nothing,
           r"--out a\.pt2: expected a name that ends in \.onnx, that of --format onnx"),
    export("an existing file", "model.safetensors --out a.onnx", file("a.onnx"), r"a\.onnx: exists; add --over.*"),
    export("a directory as the file", "model.safetensors --out a.onnx", file("a.onnx/b"), r"a\.onnx: is a directory.*"),
    export("a directory that is a file", "model.safetensors --out a/b.onnx", file("a"), r"--out a: is a file, .*"),
    export("a model without evaluation size", "model.safetensors", nothing,
           r"model\.safetensors: has no eval_size, as it was trained by an earlier version; train again"),
]  # fmt: skip


@pytest.mark.parametrize("trial", TRIALS, ids=str)
def test_arguments(trial: Trial, small_model: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(small_model)
    run_trial(trial, tmp_path)


@pytest.mark.parametrize("library", ["onnx", "onnxscript", "onnxruntime"])
def test_a_library_that_is_not_installed(
    library: str, small_model: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    line = rf"export to ONNX requires {library}; run: pip install -e '\.\[export\]'"
    run_trial(export("no library", "model.safetensors", file("model.safetensors", small_model), line), tmp_path)
