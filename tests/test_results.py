"""Schemas of the result files: they read back equal, and other content is refused in one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seg.results import (
    Commonest,
    EvaluationRun,
    HistoryRow,
    Machine,
    Metrics,
    ResultFile,
    Scores,
    Statistics,
    TrainingRun,
    history_text,
    read_history,
    read_result,
)

MACHINE = Machine(cpu="AMD EPYC 9R14", cores=2, gpu=None, system="Linux 6.1")
STAGE: dict[str, Any] = {
    "device": "cpu",
    "machine": MACHINE,
    "precision": "fp32",
    "seconds": 0.1,
    "images_per_second": 120.5,
    "peak_memory_bytes": 2**33,
}
SCORES = Scores(
    pixel_accuracy=0.1 + 0.2,
    mean_accuracy=1e-7,
    miou=1.0,
    frequency_weighted_iou=0.0,
    image_accuracy=0.5,
    image_miou=1 / 3,
    boundary_iou=0.25,
    calibration_error=0.125,
    iou={"road": 2 / 3, "train": None},
    class_boundary_iou={"road": 0.25, "train": None},
    commonest=Commonest(name="road", pixel_accuracy=0.5, miou=0.25),
)
SCORES_JSON = json.loads(SCORES.model_dump_json(by_alias=True))
METRICS = Metrics(
    split="val",
    images=2,
    names=("a", "b"),
    groups=("drive", "drive"),
    ordered=True,
    classes=("road", "train"),
    inference={"flip": False, "window": None},
    loss=1.5,
    native=SCORES,
    pack=SCORES.model_copy(update={"miou": 0.75}),
)
EVALUATION = {
    **STAGE,
    "throughput_images_per_second": 150.5,
    "multiply_adds": 2**40,
    "latency_seconds": 0.01,
    "latency_runs": 20,
}
RESULTS: list[ResultFile] = [
    METRICS,
    EvaluationRun(**EVALUATION),
    TrainingRun(
        **STAGE,
        recipe={"lr": 1e-3, "schedule": {"name": "poly"}, "weights": None},
        classes=("road",),
        palette=((128, 64, 128),),
        weights={"sha256": "0f"},
        parameters=10,
        trainable_parameters=9,
        epochs=3,
        scored_epoch=2,
        train_images=12,
        steps=6,
        resident_bytes=0,
        versions={"torch": "2.14.1"},
        code="0123",
        commit=None,
        started="2031-02-03T04:05:06+00:00",
    ),
    Statistics(
        dataset="streets",
        split="train",
        images=2,
        height=4,
        width=6,
        classes=("road",),
        palette=((128, 64, 128),),
        ids=("void", "road"),
        scored=(1,),
        id_pixels=(8, 40),
        id_images=(2, 2),
        pixels=(40,),
        class_images=(2,),
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        weights=(1.0,),
    ),
]
BY_NAME = pytest.mark.parametrize("result", RESULTS, ids=lambda result: type(result).__name__)
HISTORY = [HistoryRow(1, 0.1 + 0.2, 2.5), HistoryRow(2, 1e-7, 1 / 3, 2 / 3, 0.5, 0.0)]
HEAD = "epoch,lr,train_loss,val_loss,val_pixel_accuracy,val_miou,schema_version"


def written(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def refusal(path: Path, schema: type[ResultFile] = Metrics) -> str:
    """The message about a damaged file, which is one line with its name and the fix."""
    with pytest.raises(ValueError, match="run it again") as caught:
        read_history(path, "run it again") if path.suffix == ".csv" else read_result(schema, path, "run it again")
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith(f"{path}: ")
    assert message.endswith("; run it again")
    return message.removeprefix(f"{path}: ").removesuffix("; run it again")


@BY_NAME
def test_a_result_reads_back_equal(tmp_path: Path, result: ResultFile) -> None:
    path = written(tmp_path / "result.json", result.text())
    again = read_result(type(result), path, "run it again")
    assert again == result
    assert again.text() == result.text()
    assert json.loads(result.text())["schema_version"] == result.schema_version


@BY_NAME
@pytest.mark.parametrize("version", [0, 3, "1", None])
def test_another_version_is_refused(tmp_path: Path, result: ResultFile, version: Any) -> None:
    path = written(tmp_path / "result.json", json.loads(result.text()) | {"schema_version": version})
    assert refusal(path, type(result)) == f"schema version {version}, expected {result.schema_version}"


@BY_NAME
def test_a_file_without_a_version_is_refused(tmp_path: Path, result: ResultFile) -> None:
    content = json.loads(result.text())
    del content["schema_version"]
    expected = f"schema version none, expected {result.schema_version}"
    assert refusal(written(tmp_path / "result.json", content), type(result)) == expected


def test_a_schema_has_its_own_version(tmp_path: Path) -> None:
    class Changed(EvaluationRun):
        schema_version: int = 2

    path = written(tmp_path / "result.json", Changed(**EVALUATION).text())
    assert read_result(Changed, path, "run it again") == Changed(**EVALUATION)
    assert refusal(path, EvaluationRun) == "schema version 2, expected 1"


@given(st.floats(0, 1), st.floats(0, allow_infinity=False))
def test_json_keeps_the_bits_of_floats(tmp_path_factory: pytest.TempPathFactory, share: float, amount: float) -> None:
    folder = tmp_path_factory.mktemp("results")
    metrics = METRICS.model_copy(update={"native": SCORES.model_copy(update={"miou": share})})
    assert read_result(Metrics, written(folder / "metrics.json", metrics.text()), "").native.miou == share
    run = EvaluationRun(**EVALUATION | {"seconds": amount})
    assert read_result(EvaluationRun, written(folder / "evaluation.json", run.text()), "").seconds == amount


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"native": {**SCORES_JSON, "miou": float("nan")}}, "native.miou: "),
        ({"pack": {**SCORES_JSON, "miou": 1.5}}, "pack.miou: Input should be less than or equal to 1"),
        ({"images": "2"}, "images: Input should be a valid integer"),
        ({"native": {**SCORES_JSON, "iou": {"road": 0.5}}}, "Value error, 'iou' and 'classes' name different classes"),
        (
            {"pack": {**SCORES_JSON, "class_boundary_iou": {}}},
            "Value error, 'class_boundary_iou' and 'classes' name different classes",
        ),
        ({"names": ["a", "a"]}, "Value error, 'names' and 'images' differ in number, or a name is repeated"),
        ({"groups": ["drive"]}, "Value error, 'groups' and 'images' differ in number"),
        (
            {"pack": {**SCORES_JSON, "commonest": {"class": "road", "miou": 0.5}}},
            "pack.commonest.pixel_accuracy: Field required",
        ),
    ],
)
def test_damaged_metrics_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "metrics.json", json.loads(METRICS.text()) | change)
    assert refusal(path).startswith(message)


def test_files_that_are_missing_or_not_json_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "missing.json") == "missing"
    assert refusal(tmp_path / "missing.csv") == "missing"
    assert refusal(written(tmp_path / "half.json", METRICS.text()[:50])).startswith("not a JSON file (")
    assert refusal(written(tmp_path / "list.json", [1])) == "schema version none, expected 1"
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    assert refusal(tmp_path / "binary.json").startswith("not a JSON file (")


def test_metrics_hold_no_time_and_no_machine() -> None:
    assert not set(EvaluationRun.model_fields) & set(Metrics.model_fields) - {"schema_version"}


def test_history_by_hand(tmp_path: Path) -> None:
    text = f"{HEAD}\n1,0.30000000000000004,2.5,,,,1\n2,1e-07,0.3333333333333333,0.6666666666666666,0.5,0.0,1\n"
    assert history_text(HISTORY) == text
    path = written(tmp_path / "history.csv", text)
    assert read_history(path) == tuple(HISTORY)
    assert pd.read_csv(path)["val_miou"].dropna().tolist() == [0.0]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_history_keeps_the_bits_of_floats(tmp_path_factory: pytest.TempPathFactory, values: list[float]) -> None:
    row = HistoryRow(7, *values)
    assert read_history(written(tmp_path_factory.mktemp("results") / "history.csv", history_text([row]))) == (row,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no rows"),
        (f"{HEAD}\n", "has no rows"),
        (f"{HEAD}\n1,0.1,2.5,,,,2\n", "schema version 2, expected 1"),
        (f"{HEAD.removesuffix(',schema_version')}\n1,0.1,2.5,,,\n", "schema version none, expected 1"),
        ("epoch,lr,schema_version\n1,0.1,1\n", "lacks the column 'train_loss'"),
        (f"{HEAD}\n1,0.1,nan,,,,1\n", "epoch 1 has a value that is not finite"),
        (f"{HEAD}\n1,0.1,2.5,inf,,,1\n", "epoch 1 has a value that is not finite"),
        (f"{HEAD}\n1,0.1,,,,,1\n", "could not convert string to float: ''"),
        (f"{HEAD}\none,0.1,2.5,,,,1\n", "invalid literal for int() with base 10: 'one'"),
        (f"{HEAD}\n1,0.1\n", "schema version none, expected 1"),
    ],
)
def test_damaged_histories_are_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(written(tmp_path / "history.csv", text)) == message


def test_importing_the_schemas_is_cheap() -> None:
    """Snakemake may import them at every start."""
    program = "import sys, seg.results; print(sorted({'torch', 'pandas', 'numpy'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
