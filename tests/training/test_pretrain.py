"""Pretraining: accuracy, reproducibility, and refusal of weights no better than chance."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from seg.data.loader import scaled
from seg.models import build_model
from seg.models.weights import load_backbone, read_weights
from seg.synthetic.pretext import CLASSES, draw_shapes
from seg.training import pretrain as stage
from seg.training.pretrain import CLASSIFIERS, HELD_OUT, Classifier, Task, pretrain

ROOT = Path(__file__).parents[2]
# The models that start from each backbone.
USERS = {
    "resnet34": ("resnet_fcn", {"backbone": "resnet34"}),
    "resnet50": ("resnet_fcn", {"backbone": "resnet50"}),
    "resnet101": ("deeplab", {"backbone": "resnet101"}),
    "resnet152": ("deeplab", {"backbone": "resnet152"}),
    "erfnet": ("erfnet", {}),
}
TINY = Task("erfnet", images=96, size=16, epochs=1, batch=16, lr=0.005, seed=3)


class Little(torch.nn.Module):
    """A backbone that learns within a second."""

    def __init__(self) -> None:
        super().__init__()
        layers = [(3, 32, 2), (32, 64, 2), (64, 64, 1)]
        self.layers = torch.nn.Sequential(*(self.layer(*row) for row in layers))

    def layer(self, inputs: int, outputs: int, stride: int) -> torch.nn.Sequential:
        convolution = torch.nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
        return torch.nn.Sequential(convolution, torch.nn.BatchNorm2d(outputs), torch.nn.ReLU())

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.layers(images)


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, "little", lambda: Classifier(Little(), 64))


@pytest.fixture
def without_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "MIN_ACCURACY", 0.0)


@pytest.mark.usefixtures("little")
def test_it_learns_and_records_its_accuracy(tmp_path: Path) -> None:
    task = Task("little", images=1200, size=24, epochs=3, batch=24, lr=0.01, seed=5)
    accuracy = pretrain(task, 1, tmp_path / "w.safetensors")
    state, about = read_weights(tmp_path / "w.safetensors")
    assert accuracy > 0.25
    assert about["accuracy"] == accuracy
    assert round(accuracy * HELD_OUT) == pytest.approx(accuracy * HELD_OUT)
    assert about["classes"] == list(CLASSES)
    assert about["recipe"] == task._asdict()
    assert about["versions"]["torch"] == torch.__version__
    assert set(state) == set(Little().state_dict())
    again = Little().eval()
    again.load_state_dict(state)
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


@pytest.mark.usefixtures("little")
def test_weights_that_learnt_nothing_are_refused_and_not_written(tmp_path: Path) -> None:
    task = Task("little", images=24, size=24, epochs=1, batch=24, lr=1e-9, seed=5)
    with pytest.raises(ValueError, match=r"chance is 8\.3%, expected at least 16\.7%; use more images"):
        pretrain(task, 1, tmp_path / "w.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("little")
def test_held_out_images_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random labels cannot be learned, so the weights are refused."""

    def shuffled(count: int, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        images, labels = draw_shapes(count, size, seed)
        return images, np.random.default_rng(seed).permutation(labels)

    monkeypatch.setattr(stage, "draw_shapes", shuffled)
    task = Task("little", images=600, size=24, epochs=2, batch=24, lr=0.01, seed=5)
    with pytest.raises(ValueError, match="expected at least"):
        pretrain(task, 1, tmp_path / "w.safetensors")


@pytest.mark.usefixtures("without_threshold")
def test_the_same_seed_gives_the_same_file_and_another_does_not(tmp_path: Path) -> None:
    seeds = {"a": 3, "b": 3, "c": 4}
    for name, seed in seeds.items():
        pretrain(TINY._replace(seed=seed), 1, tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in seeds)
    assert a == b
    assert a != c


def test_images_are_scaled_like_those_of_the_loader() -> None:
    pixels, _ = draw_shapes(12, 16, seed=2)
    actual, _ = stage._images(12, 16, 2, torch.device("cpu"))
    reference = scaled(torch.from_numpy(pixels).permute(0, 3, 1, 2), "imagenet")
    torch.testing.assert_close(actual, reference, rtol=0, atol=1e-5)


@pytest.mark.slow
@pytest.mark.usefixtures("without_threshold")
@pytest.mark.parametrize("name", USERS)
def test_a_pretrained_backbone_fits_the_model_that_starts_from_it(tmp_path: Path, name: str) -> None:
    pretrain(TINY._replace(backbone=name, images=33, batch=16), 2, tmp_path / "w.safetensors")
    model, options = USERS[name]
    built = build_model(model, 4, options)
    about = load_backbone(built, tmp_path / "w.safetensors")
    assert about["name"] == f"{name}_shapes"
    state, _ = read_weights(tmp_path / "w.safetensors")
    assert set(state) == set(built.get_submodule("backbone").state_dict())


@pytest.mark.slow
def test_the_stage_as_a_process(tmp_path: Path) -> None:
    out = tmp_path / "w.safetensors"
    options = "--backbone erfnet --images 1536 --size 24 --epochs 2 --batch 32 --lr 0.005 --seed 1 --threads 1"
    command = [sys.executable, "-m", "seg.training.pretrain", *options.split(), "--out", str(out)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1
    assert "% on 12 shapes, chance is 8.3%; weights in " in done.stderr
    assert json.dumps(read_weights(out)[1]["accuracy"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "resnet18"}, "--backbone resnet18: unknown; known are resnet34"),
        ({"batch": 97}, "--batch 97: expected 2 to 96, the number of --images"),
        ({"size": 8}, "--size 8: expected at least 16 pixels"),
    ],
)
def test_invalid_tasks_are_refused(tmp_path: Path, change: dict[str, str | int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pretrain(TINY._replace(**change), 1, tmp_path / "w.safetensors")
