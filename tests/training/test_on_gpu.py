"""Training on an NVIDIA GPU: repeatable to the bit, without waits, and equal to the CPU up to rounding."""

import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from trainings import arguments, bits, outputs, varied

from seg.config.architectures import make_model
from seg.config.recipe import Affine, Augmentation, Crop, Interval, Recipe, Rotation
from seg.data import loader as loaders
from seg.data.loader import Loader, epoch_order, scaled
from seg.data.pack_format import Pack
from seg.models import build_model
from seg.models.layers import resize
from seg.models.segnet import unpool
from seg.training.inputs import open_inputs
from seg.training.losses import make_loss
from seg.training.numerics import set_up
from seg.training.step import TrainStep
from seg.training.validation import validate

pytestmark = pytest.mark.gpu

NETWORKS: dict[str, dict[str, Any]] = {
    "fcn": {},
    "unet": {},
    "u_lite": {},
    "segnet": {"depth": "vgg16"},
    "deeplab": {"backbone": "resnet50"},
    "resnet_fcn": {},
    "resnet_unet": {},
    "erfnet": {},
    "darrennet": {},
}
STRONG = Augmentation(
    flip=0.5,
    rotation=Rotation(p=0.5, degrees=10.0),
    affine=Affine(p=0.5, degrees=5.0, translation=0.1, scale=Interval(low=0.9, high=1.1), shear=5.0),
    crop=Crop(p=0.5, area=Interval(low=0.5, high=1.0), aspect=Interval(low=0.75, high=1.5)),
)


@pytest.fixture(autouse=True)
def restored() -> Any:
    """Restore the settings that `set_up` changes."""
    benchmark = torch.backends.cudnn.benchmark
    yield
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = benchmark


def cuda() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device())


def started(recipe: Recipe, pack: Path) -> tuple[TrainStep, Loader, Tensor]:
    """A step, the loader of the training pack, and the class weights."""
    set_up(recipe.threads, recipe.deterministic, recipe.precision, cuda())
    train, _, weights, model, _ = open_inputs(recipe, pack, pack, None, cuda(), None)
    step = TrainStep(recipe, model, weights, cuda())
    step.train_mode()
    return step, train, weights


def weights_after(recipe: Recipe, pack: Path, steps: int = 4) -> dict[str, Tensor]:
    step, train, _ = started(recipe, pack)
    torch.manual_seed(5)
    order = epoch_order(len(train.pack), 0, 0)
    for epoch in range(steps):
        for batch in train.batches(order, recipe.batch, augmentation=recipe.augmentation, epoch=epoch):
            step([batch], recipe.lr)
    return {name: tensor.cpu() for name, tensor in step.model.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("precision", ["bf16", "tf32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_trains_twice_to_the_same_bits(
    tiny_recipe: Recipe, packs: Any, name: str, precision: str
) -> None:
    """A kernel without a deterministic form would warn, which fails a test."""
    model = make_model(name, **NETWORKS[name])
    recipe = varied(tiny_recipe, model=model, precision=precision, augmentation=STRONG)
    assert equal(weights_after(recipe, packs.train), weights_after(recipe, packs.train))


@pytest.mark.parametrize("loss", ["weighted_cross_entropy", "dice"])
def test_every_loss_trains_twice_to_the_same_bits(tiny_recipe: Recipe, packs: Any, loss: str) -> None:
    recipe = varied(tiny_recipe, loss=loss, precision="bf16", clip_norm=1.0)
    assert equal(weights_after(recipe, packs.train), weights_after(recipe, packs.train))


@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_steps_and_batches_do_not_wait_for_the_gpu(tiny_recipe: Recipe, packs: Any) -> None:
    recipe = varied(tiny_recipe, precision="bf16", augmentation=STRONG)
    step, train, _ = started(recipe, packs.train)

    def epoch() -> None:
        for batch in train.batches(np.arange(12), 4, augmentation=recipe.augmentation):
            step([batch], recipe.lr)

    epoch()
    torch.cuda.set_sync_debug_mode("error")
    try:
        epoch()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_pack_that_does_not_fit_gives_the_same_bits(
    tiny_recipe: Recipe, packs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = varied(tiny_recipe, precision="bf16", augmentation=STRONG)
    resident = weights_after(recipe, packs.train)
    monkeypatch.setattr(loaders, "_SHARE_OF_DEVICE", 0.0)
    loader = Loader(Pack(packs.train), cuda())
    assert (loader.resident_bytes, loader.workers) == (0, 4)
    assert equal(resident, weights_after(recipe, packs.train))


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_are_those_of_the_cpu(name: str) -> None:
    set_up(1, deterministic=True, precision="fp32", device=cuda())
    torch.manual_seed(0)
    network = build_model(name, 5, NETWORKS[name]).eval()
    images = torch.randn(2, 3, 65, 97)
    with torch.inference_mode():
        expected = network(images)
        actual = network.to(cuda())(images.to(cuda())).cpu()
    assert ((actual - expected).norm() / expected.norm()).item() < 1e-4


@pytest.mark.parametrize(("before", "after"), [((33, 33), (129, 129)), ((9, 4), (3, 4)), ((1, 1), (5, 7))])
def test_resizing_is_torchs_values_and_gradients(before: tuple[int, int], after: tuple[int, int]) -> None:
    x = torch.randn(2, 5, *before, device="cuda", requires_grad=True)
    weights = torch.randn(2, 5, *after, device="cuda")
    results = []
    for function in (resize, lambda x, size: F.interpolate(x, size, mode="bilinear")):
        y = function(x, after)
        (gradient,) = torch.autograd.grad((y * weights).sum(), x)
        results.append((y, gradient))
    for actual, expected in zip(*results, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [(8, 10), (9, 11), (1, 1)])
def test_unpooling_is_torchs_values_and_gradients(size: tuple[int, int]) -> None:
    x = torch.randn(2, 5, *size, device="cuda").to(memory_format=torch.channels_last)
    pooled, positions = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
    pooled.requires_grad_()
    weights = torch.randn_like(x)
    results = []
    for function in (unpool, lambda x, at, size: F.max_unpool2d(x, at, 2, output_size=size)):
        whole = function(pooled, positions, size)
        (gradient,) = torch.autograd.grad((whole * weights).sum(), pooled)
        results.append((whole, gradient))
    for actual, expected in zip(*results, strict=True):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("loss", ["cross_entropy", "weighted_cross_entropy", "dice"])
def test_losses_are_those_of_the_cpu(loss: str) -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 7, 33, 17), torch.randint(0, 7, (2, 33, 17), dtype=torch.uint8)
    labels[0, :9] = 255
    weights = torch.rand(7) + 0.1
    expected = make_loss(loss, weights)(logits, labels)
    actual = make_loss(loss, weights.cuda())(logits.cuda(), labels.cuda())
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)


def test_validation_is_that_of_the_cpu(tiny_recipe: Recipe, packs: Any) -> None:
    step, train, weights = started(tiny_recipe, packs.train)
    actual = validate(step.model, train, tiny_recipe, weights, "fp32")
    on_cpu = Loader(Pack(packs.train), torch.device("cpu"))
    expected = validate(step.model.cpu(), on_cpu, tiny_recipe, weights.cpu(), "fp32")
    assert actual == pytest.approx(expected, rel=1e-3)


def process(folder: Path, recipe: Recipe, packs: Any) -> subprocess.Popen[bytes]:
    """A training that saves after every read of the losses."""
    line = arguments(folder, recipe, packs)
    line[line.index("cpu")] = "cuda"
    folder.mkdir()
    with (folder / "log").open("ab") as log:
        command = [sys.executable, "-m", "seg.training.train", *line, "--save-every", "0"]
        return subprocess.Popen(command, stderr=log)


def test_a_killed_training_ends_with_the_same_bits(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    model = make_model("fcn", dropout=True)
    recipe = varied(tiny_recipe, model=model, epochs=40, precision="bf16", augmentation=STRONG)
    whole = process(tmp_path / "whole", recipe, packs)
    assert whole.wait() == 0, (tmp_path / "whole" / "log").read_text()
    killed, log = process(tmp_path / "killed", recipe, packs), tmp_path / "killed" / "log"
    while "epoch 5/40 loss" not in log.read_text():
        assert killed.poll() is None, log.read_text()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    line = arguments(tmp_path / "killed", recipe, packs)
    line[line.index("cpu")] = "cuda"
    again = subprocess.run(
        [sys.executable, "-m", "seg.training.train", *line], capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    assert "resumed at epoch" in again.stderr
    assert bits(outputs(tmp_path / "killed")) == bits(outputs(tmp_path / "whole"))


def test_too_little_memory_gives_one_line(tiny_recipe: Recipe, packs: Any, tmp_path: Path) -> None:
    """The process may use 50 MiB of the GPU."""
    code = (
        "import sys, torch\n"
        "share = 50 * 2**20 / torch.cuda.mem_get_info()[1]\n"
        "torch.cuda.set_per_process_memory_fraction(share)\n"
        "from seg.system.console import run_stage\n"
        "from seg.training.train import main\n"
        "run_stage(main)\n"
    )
    recipe = varied(tiny_recipe, model=make_model("unet"))
    line = arguments(tmp_path / "run", recipe, packs)
    line[line.index("cpu")] = "cuda"
    done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    (error,) = [text for text in done.stderr.splitlines() if "error" in text]
    assert "lower batch (4) and raise accumulate (1)" in error
    assert "Traceback" not in done.stderr


def test_compiling_gives_the_result_up_to_rounding_and_compiles_once(tiny_recipe: Recipe, packs: Any) -> None:
    """The last of three batches is shorter."""
    compiled = 0

    def backend(graph: Any, _: Any) -> Any:
        nonlocal compiled
        compiled += 1
        return graph.forward

    recipe = varied(tiny_recipe, batch=5, compile=True)
    step, train, _ = started(recipe, packs.train)
    step.compiled = torch.compile(step.forward, backend=backend, dynamic=False)
    for batch in train.batches(np.arange(12), 5):
        step([batch], recipe.lr)
    assert compiled == 1
    plain = started(varied(recipe, compile=False), packs.train)[0]
    for batch in train.batches(np.arange(12), 5):
        plain([batch], recipe.lr)
    for one, other in zip(step.model.parameters(), plain.model.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def test_scaling_is_that_of_the_cpu() -> None:
    images = torch.randint(0, 256, (2, 3, 5, 7), dtype=torch.uint8)
    for scaling in ("unit", "symmetric", "imagenet"):
        torch.testing.assert_close(scaled(images.cuda(), scaling).cpu(), scaled(images, scaling), rtol=0, atol=1e-6)


# Two processes share the GPU through gloo, because NCCL refuses two processes on one.
_TWO = """
import copy, sys
import torch
import torch.distributed as dist
from seg.models import build_model
from seg.training.distributed import all_reduce_sum, rank, wrap_ddp
from seg.training.losses import make_loss
dist.init_process_group("gloo")
device = torch.device("cuda", 0)
torch.backends.cudnn.deterministic = True
torch.manual_seed(3)
whole = build_model("fcn", 11, {}).double().to(device).train()
shared = copy.deepcopy(whole)
images = torch.randn(5, 3, 64, 64, device=device, dtype=torch.float64)
labels = torch.randint(0, 11, (5, 64, 64), dtype=torch.uint8, device=device)
labels[1:4, :20] = 255
ones, worst = torch.ones(11, device=device), 0.0
for count in (5, 1):  # then the second process has no image
    for network in (whole, shared):
        network.zero_grad()
    make_loss("cross_entropy", ones)(whole(images[:count]), labels[:count]).backward()
    own = slice(rank(), count, 2)
    forward = wrap_ddp(shared, device) if count == 5 else forward
    loss = make_loss("cross_entropy", ones, all_reduce_sum)
    loss(forward(images[own]), labels[own]).backward()
    for one, two in zip(whole.parameters(), shared.parameters(), strict=True):
        worst = max(worst, ((one.grad - two.grad).norm() / one.grad.norm().clamp(min=1e-3)).item())
    for one, two in zip(whole.buffers(), shared.buffers(), strict=True):
        worst = max(worst, (one.float() - two.float()).abs().max().item())
if rank() == 0:
    print("worst", worst)
dist.destroy_process_group()
"""


def test_two_processes_give_the_gradient_of_one(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(_TWO)
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*line, str(tmp_path / "two.py")], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split("worst")[1]) < 1e-6


def test_warnings_are_errors_here() -> None:
    """Else the tests above could not fail for a kernel without a deterministic form."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    with warnings.catch_warnings(record=True) as caught, torch.no_grad():
        warnings.simplefilter("always")
        nn.functional.max_unpool2d(
            torch.ones(1, 1, 1, 1, device="cuda"), torch.zeros(1, 1, 1, 1, dtype=torch.int64, device="cuda"), 2
        )
    assert any("deterministic" in str(each.message) for each in caught)
