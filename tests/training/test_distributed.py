"""Training in two processes gives the result of one, and resumes like any other training."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from trainings import arguments, bits, fit, history, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Augmentation, EarlyStopping, Recipe, Schedule
from seg.plan import launcher
from seg.training import distributed
from seg.training.distributed import SharedBatchNorm2d

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
VARIED = {
    "plain": {"augmentation": Augmentation(flip=0.5)},
    "weighted": {"loss": "weighted_cross_entropy", "clip_norm": 1.0, "schedule": Schedule(name="cosine")},
    "dice": {"loss": "dice", "batch": 2, "accumulate": 2, "model": make_model("u_lite")},
    "stopping": {"early_stopping": EarlyStopping(patience=1), "model": make_model("u_lite")},
    "uneven": {"batch": 11},  # 6 and 5 images, then 1 and none
}
# One process group for everything, because starting it takes longer than the work: the gradient of every loss in
# float64, with the batch in one process and split over two; then whole trainings.
_SHARED = """
import copy, json, sys
from pathlib import Path
import torch
from seg.models import build_model
from seg.models.layers import BatchNorm
from seg.config.recipe import recipe_from_json
from seg.training.losses import make_loss
from seg.training.distributed import all_reduce_sum, is_main, own_device, process_group, rank, wrap_ddp
from seg.training.train import Outputs, train

def outcome(model, forward, loss, images, labels):
    value = loss(forward(images), labels)
    value.backward()
    statistics = [buffer.double().flatten() for buffer in model.buffers()]
    gradients = [parameter.grad.flatten() for parameter in model.parameters()]
    return {"loss": value.detach()[None], "gradient": torch.cat(gradients), "statistics": torch.cat(statistics)}

class Scaled(torch.nn.Module):
    "Logits scaled by DeepLab's pooled batch norm of their means: one value per channel and image."

    def __init__(self):
        super().__init__()
        self.norm = BatchNorm(11)

    def forward(self, logits):
        return logits * (1 + self.norm(logits.mean((2, 3), keepdim=True)))

errors = {}
runs, report = sys.argv[1:]
with process_group():
    for name in ("cross_entropy", "weighted_cross_entropy", "dice"):
        torch.manual_seed(3)
        whole = torch.nn.Sequential(build_model("fcn", 11, {}), Scaled()).double().train()
        shared = copy.deepcopy(whole)
        images, labels = torch.randn(5, 3, 32, 32).double(), torch.randint(0, 11, (5, 32, 32), dtype=torch.uint8)
        labels[1:4, :20] = 255
        weights = torch.rand(11).double() + 0.1
        forward = wrap_ddp(shared, torch.device("cpu"))
        for count in (5, 1):  # with one image, the second process has none
            own = slice(rank(), count, 2)
            one = outcome(whole, whole, make_loss(name, weights), images[:count], labels[:count])
            loss = make_loss(name, weights, all_reduce_sum)
            two = outcome(shared, forward, loss, images[own], labels[own])
            errors[f"{name} {count}"] = {key: float((two[key] - one[key]).norm() / one[key].norm()) for key in one}
    if is_main():
        Path(report).write_text(json.dumps(errors))
    for recipe, train_pack, val_pack, *out in json.loads(Path(runs).read_text()):
        out = Outputs(*map(Path, out))
        train(recipe_from_json(recipe), Path(train_pack), Path(val_pack), None, out, own_device("cpu"), 0, "0123")
"""


@pytest.fixture(scope="module")
def shared(tiny_recipe: Recipe, packs: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with the results of two processes."""
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
    """Up to rounding in float64, with shares of unequal size and unequal numbers of labelled pixels."""
    errors = json.loads((shared / "errors.json").read_text())
    assert len(errors) == 6
    for each in errors.values():
        assert max(each.values()) < 1e-12, errors


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_two_processes_train_like_one(tiny_recipe: Recipe, packs: Any, tmp_path: Path, shared: Path, name: str) -> None:
    """Over six steps, up to the error of PyTorch's batch norm in float32 and channels-last: 1e-3 of the gradient."""
    single = history(fit(tmp_path, varied(tiny_recipe, **VARIED[name]), packs))
    for one, two in zip(single, history(outputs(shared / name)), strict=True):
        assert one["lr"] == two["lr"]
        assert float(two["train_loss"]) == pytest.approx(float(one["train_loss"]), rel=0.02)
        assert float(two["val_loss"]) == pytest.approx(float(one["val_loss"]), rel=0.05)


@pytest.mark.slow
def test_a_killed_training_in_two_processes_resumes(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    recipe = varied(tiny_recipe, gpus=2, epochs=6, model=make_model("fcn", dropout=True))
    log = tmp_path / "log"

    def started(folder: Path, *options: str) -> subprocess.Popen[bytes]:
        line = [sys.executable, *launcher(2)[1:], "-m", "seg.training.train"]
        line += [*arguments(folder, recipe, packs), *options]
        with log.open("wb") as file:
            return subprocess.Popen(line, stderr=file, start_new_session=True)

    def ended(run: subprocess.Popen[bytes], line: str, number: signal.Signals) -> int:
        while line not in log.read_text():
            assert run.poll() is None, log.read_text()
            time.sleep(0.02)
        os.killpg(run.pid, number)
        return run.wait()

    whole = started(tmp_path / "whole")
    assert whole.wait() == 0, log.read_text()
    assert len(re.findall(r"epoch \d+/6 loss", log.read_text())) == 6  # only the main process prints
    ended(started(tmp_path / "killed", "--save-every", "0"), "epoch 2/6", signal.SIGKILL)
    assert ended(started(tmp_path / "killed"), "epoch 4/6", signal.SIGTERM) == 128 + signal.SIGTERM
    printed = log.read_text()
    assert "resumed at epoch " in printed
    stopped = re.search(r"^interrupted; run again to continue from epoch ([56])$", printed, re.MULTILINE)
    assert stopped, printed
    assert started(tmp_path / "killed").wait() == 0, log.read_text()
    assert f"resumed at epoch {stopped[1]}, after step " in log.read_text()
    assert bits(outputs(tmp_path / "killed")) == bits(outputs(tmp_path / "whole"))
    assert len(list((tmp_path / "killed").glob("resume-*"))) == 1


def test_number_of_processes_must_match_the_recipe(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"processes is 1, but the recipe's gpus are 2; start it with torchrun .*--nproc-per-node 2"
    ):
        fit(tmp_path / "run", varied(tiny_recipe, gpus=2), packs)
    assert not (tmp_path / "run").exists()


def test_a_batch_with_less_than_an_image_per_process_is_refused(tiny_recipe: Recipe) -> None:
    assert varied(tiny_recipe, gpus=3).batch == 4
    with pytest.raises(ValueError, match="gpus 5 cannot share a batch of 4; raise batch or lower gpus"):
        varied(tiny_recipe, gpus=5)


class OtherNorm(torch.nn.BatchNorm2d):
    pass


@pytest.mark.parametrize("norm", [OtherNorm, torch.nn.BatchNorm1d, torch.nn.BatchNorm3d, torch.nn.SyncBatchNorm])
def test_other_batch_norms_are_refused(monkeypatch: pytest.MonkeyPatch, norm: type[torch.nn.Module]) -> None:
    """Their statistics would come from the samples of one process."""
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    network = torch.nn.Sequential(torch.nn.BatchNorm2d(3), norm(3))
    with pytest.raises(
        ValueError, match=rf"^layer '1' is a {norm.__name__}, expected BatchNorm2d with gpus > 1; set gpus: 1$"
    ):
        distributed.wrap_ddp(network, torch.device("cpu"))


def test_batch_norm_in_one_process_equals_pytorchs() -> None:
    """Two processes are compared above."""
    torch.manual_seed(0)
    actual, reference = SharedBatchNorm2d(5), torch.nn.BatchNorm2d(5)
    for step in range(3):
        features = torch.randn(2, 5, 7, 6) * 3 + step
        actual_in, reference_in = features.clone().requires_grad_(), features.clone().requires_grad_()
        torch.testing.assert_close(actual(actual_in), reference(reference_in), rtol=1e-5, atol=1e-5)
        actual(actual_in).square().sum().backward()
        reference(reference_in).square().sum().backward()
        torch.testing.assert_close(actual_in.grad, reference_in.grad, rtol=1e-4, atol=1e-4)
    for name, value in reference.state_dict().items():
        torch.testing.assert_close(actual.state_dict()[name], value)
    torch.testing.assert_close(actual.eval()(features), reference.eval()(features))
