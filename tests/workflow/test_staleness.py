"""An edit of the code schedules exactly the results that it can change."""

import shutil
from collections.abc import Iterator

import pytest
from clones import VARIANTS, Clone, rerun

pytestmark = pytest.mark.workflow

FOLLOWING = ["Report preset demo", "Tabulate cityscapes_fcn"]
EVALUATIONS = sorted([*(f"Evaluate cityscapes_fcn/{name} with seed 0" for name in VARIANTS), *FOLLOWING])

METRIC = '''

def dice_score(confusion: np.ndarray) -> np.ndarray:
    """Mean over classes of 2TP / (2TP + FP + FN)."""
    iou = class_iou(confusion)
    return np.nanmean(2 * iou / (1 + iou), -1)


METRICS["dice_score"] = dice_score
'''
EDITS = {
    "a metric is added": ("seg/metrics/scores.py", "", METRIC, EVALUATIONS),
    "a message of a lock": ("seg/system/gpus.py", "GPUs", "graphics cards", []),
    "how files are written": ("seg/system/files.py", "fsync", "fdatasync", []),
    "the text of a validation": ("seg/config/messages.py", "unknown", "not known", []),
    "the jackknife": ("seg/evaluation/jackknife.py", "level: float = 0.95", "level: float = 0.9", FOLLOWING),
    "the paired comparison": ("seg/evaluation/comparison.py", "np.quantile", "np.percentile", FOLLOWING),
    "a reading of a source": ("seg/config/code_readings.py", "no stride", "no strides", FOLLOWING),
    "the U-Net": (
        "seg/models/unet.py",
        "nn.MaxPool2d(2)",
        "nn.AvgPool2d(2)",
        rerun("unet"),
    ),
    "a loss": ("seg/training/losses.py", "1 - ratio", "2 - ratio", rerun(*VARIANTS)),
    "the message of a training's error": (
        "seg/training/train.py",
        "lower lr, set clip_norm",
        "lower lr or set clip_norm",
        [],
    ),
    "the checkpoint's format": ("seg/models/checkpoint.py", "train again", "train it again", []),
    "the loss curves": ("seg/report/curve_figures.py", "_COLUMNS = 3", "_COLUMNS = 4", FOLLOWING),
    "the style of figures": (
        "seg/report/drawing.py",
        '"font.size": 7',
        '"font.size": 8',
        [*FOLLOWING, "Plot the classes of streets at 32x64"],
    ),
    "the page": ("seg/report/templates/index.html.j2", "<main", "<main class='wide'", ["Report preset demo"]),
    "the entry of another dataset": ("seg/datasets/catalogue/voc2012.yaml", "", "\n# A comment.\n", []),
    "a comment": ("seg/training/losses.py", "", "\n# A comment.\n", []),
}


@pytest.fixture(scope="module")
def finished(template: Clone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A copy of the finished clone that these tests edit and restore."""
    path = tmp_path_factory.mktemp("staleness") / "clone"
    yield Clone(shutil.copytree(template.path, path, symlinks=True))
    shutil.rmtree(path)


@pytest.mark.parametrize(("file", "old", "new", "scheduled"), EDITS.values(), ids=EDITS)
def test_an_edit_schedules_what_it_can_change(
    finished: Clone, file: str, old: str, new: str, scheduled: list[str]
) -> None:
    path = finished.path / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new) if old else text + new)
    try:
        assert finished.scheduled() == sorted(scheduled)
    finally:
        path.write_text(text)
