"""A training shared by two processes comes to what one would have; it is resumed like any other."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainings import arguments, bits, fit, history, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Augmentation, EarlyStopping, Recipe, Schedule
from seg.training import distributed
from seg.training.distributed import _BatchNorm
from seg.training.step import share

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
VARIED = {
    "plain": {"augmentation": Augmentation(flip=0.5)},
    "weighted": {"loss": "weighted_cross_entropy", "clip_norm": 1.0, "schedule": Schedule(name="cosine")},
    "dice": {"loss": "dice", "batch": 2, "accumulate": 2, "model": make_model("u_lite")},
    "stopping": {"early_stopping": EarlyStopping(patience=1), "model": make_model("u_lite")},
}
# All in one group, for starting one takes longer than they do: the gradient of every loss in float64, for a batch that
# is shared and by one process alone; then whole trainings.
_SHARED = """
import copy, json, sys
from pathlib import Path
import torch
from seg.models import build_model
from seg.models.layers import PooledNorm
from seg.config.recipe import recipe_from_json
from seg.training.losses import make_loss
from seg.training.distributed import everywhere, first, joined, own_device, rank, replicated
from seg.training.train import Outputs, train

def outcome(model, forward, loss, images, labels):
    value = loss(forward(images), labels)
    value.backward()
    statistics = [buffer.double().flatten() for buffer in model.buffers()]
    gradients = [parameter.grad.flatten() for parameter in model.parameters()]
    return {"loss": value.detach()[None], "gradient": torch.cat(gradients), "statistics": torch.cat(statistics)}

class Scaled(torch.nn.Module):
    "Logits scaled by what DeepLab's pooled batch norm makes of their means: one value a channel and image."

    def __init__(self):
        super().__init__()
        self.norm = PooledNorm(11)

    def forward(self, logits):
        return logits * (1 + self.norm(logits.mean((2, 3), keepdim=True)))

errors = {}
runs, report = sys.argv[1:]
with joined():
    for name in ("cross_entropy", "weighted_cross_entropy", "dice"):
        torch.manual_seed(3)
        alone = torch.nn.Sequential(build_model("fcn", 11, {}), Scaled()).double().train()
        shared = copy.deepcopy(alone)
        images, labels = torch.randn(5, 3, 32, 32).double(), torch.randint(0, 11, (5, 32, 32), dtype=torch.uint8)
        labels[1:4, :20] = 255
        weights = torch.rand(11).double() + 0.1
        one = outcome(alone, alone, make_loss(name, weights), images, labels)
        forward = replicated(shared, torch.device("cpu"))
        two = outcome(shared, forward, make_loss(name, weights, everywhere), images[rank() :: 2], labels[rank() :: 2])
        errors[name] = {key: float((two[key] - one[key]).norm() / one[key].norm()) for key in one}
    if first():
        Path(report).write_text(json.dumps(errors))
    for recipe, train_pack, val_pack, *out in json.loads(Path(runs).read_text()):
        out = Outputs(*map(Path, out))
        train(recipe_from_json(recipe), Path(train_pack), Path(val_pack), None, out, own_device("cpu"), 0, "0123")
"""


@pytest.fixture(scope="module")
def shared(tiny_recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of what two processes came to."""
    folder = tmp_path_factory.mktemp("shared")
    runs = []
    for name, changes in VARIED.items():
        recipe = varied(tiny_recipe, **changes, gpus=2)
        runs.append([recipe.json_line(), *map(str, packs[:2]), *map(str, outputs(folder / name))])
    (folder / "runs.json").write_text(json.dumps(runs))
    (folder / "shared.py").write_text(_SHARED)
    line = [*TORCHRUN, *(str(folder / name) for name in ("shared.py", "runs.json", "errors.json"))]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_loss_gradient_and_statistics_are_those_of_the_whole_batch(shared: Path) -> None:
    """To rounding in float64, with shares of unequal size and unequally many labelled pixels."""
    errors = json.loads((shared / "errors.json").read_text())
    assert errors.keys() == {"cross_entropy", "weighted_cross_entropy", "dice"}
    for each in errors.values():
        assert max(each.values()) < 1e-12, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_two_processes_train_as_one_does(
    tiny_recipe: Recipe, packs: Any, tmp_path: Path, shared: Path, name: str
) -> None:
    """To what torch's own batch norm in float32 and channels-last is off by, 1e-3 of the gradient, over six steps."""
    alone = history(fit(tmp_path, varied(tiny_recipe, **VARIED[name]), packs))
    for one, two in zip(alone, history(outputs(shared / name)), strict=True):
        assert one["lr"] == two["lr"]
        assert float(two["train_loss"]) == pytest.approx(float(one["train_loss"]), rel=0.02)
        assert float(two["val_loss"]) == pytest.approx(float(one["val_loss"]), rel=0.05)


@pytest.mark.slow
def test_a_shared_training_that_is_killed_goes_on(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    recipe = varied(tiny_recipe, gpus=2, epochs=6, model=make_model("fcn", dropout=True))
    log = tmp_path / "log"

    def started(folder: Path) -> subprocess.Popen[bytes]:
        line = [*TORCHRUN, "-m", "seg.training.train", *arguments(folder, recipe, packs)]
        with log.open("wb") as file:
            return subprocess.Popen([*line, "--save-every", "0"], stderr=file, start_new_session=True)

    whole = started(tmp_path / "whole")
    assert whole.wait() == 0, log.read_text()
    assert len(re.findall(r"epoch \d+/6 loss", log.read_text())) == 6  # the first process alone speaks
    run = started(tmp_path / "killed")
    while "epoch 3/6" not in log.read_text():
        assert run.poll() is None, log.read_text()
        time.sleep(0.02)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert started(tmp_path / "killed").wait() == 0, log.read_text()
    assert "resumed at epoch " in log.read_text()
    assert bits(outputs(tmp_path / "killed")) == bits(outputs(tmp_path / "whole"))
    assert not list((tmp_path / "killed").glob("resume-*"))


def test_another_number_of_processes_than_the_recipes_is_refused(
    tiny_recipe: Recipe, packs: Any, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"for 2 GPUs, this is one of 1 processes; use torchrun .*--nproc-per-node 2"):
        fit(tmp_path / "run", varied(tiny_recipe, gpus=2), packs)
    assert not (tmp_path / "run").exists()


def test_a_batch_that_cannot_be_shared_is_refused(tiny_recipe: Recipe) -> None:
    with pytest.raises(ValueError, match="gpus 3 cannot share a batch of 4; give a multiple of gpus"):
        varied(tiny_recipe, gpus=3)


def test_a_batch_norm_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would see its own process' samples only."""

    class Other(torch.nn.BatchNorm2d):
        pass

    monkeypatch.setattr(distributed, "processes", lambda: 2)
    with pytest.raises(ValueError, match=r"^1 is a Other, which several GPUs cannot share; take gpus: 1$"):
        distributed.replicated(torch.nn.Sequential(torch.nn.BatchNorm2d(3), Other(3)), torch.device("cpu"))


def test_shares_make_up_the_batches() -> None:
    order = np.array([5, 3, 8, 1, 9, 0, 2])
    assert [share(order, 4, rank, 2).tolist() for rank in (0, 1)] == [[5, 8, 9, 2], [3, 1, 0]]
    assert share(order, 4, 0, 1) is order
    with pytest.raises(ValueError, match="7 images in batches of 6 leave 1 to the last batch, fewer than the 2 GPUs"):
        share(order, 6, 0, 2)


def test_batch_norm_over_one_process_is_torchs() -> None:
    """Over several it is compared above."""
    torch.manual_seed(0)
    ours, torchs = _BatchNorm(5), torch.nn.BatchNorm2d(5)
    for step in range(3):
        features = torch.randn(2, 5, 7, 6) * 3 + step
        ours_in, torchs_in = features.clone().requires_grad_(), features.clone().requires_grad_()
        torch.testing.assert_close(ours(ours_in), torchs(torchs_in), rtol=1e-5, atol=1e-5)
        ours(ours_in).square().sum().backward()
        torchs(torchs_in).square().sum().backward()
        torch.testing.assert_close(ours_in.grad, torchs_in.grad, rtol=1e-4, atol=1e-4)
    for name, value in torchs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours.eval()(features), torchs.eval()(features))
