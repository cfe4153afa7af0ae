"""One whole epoch, from image files to saved weights, compared with two common training scripts on the same images.

Images are PNG files of 2048x1024 in the layout of a user's own dataset, trained at 256x512 in bf16 with horizontal
flips. seg decodes and resizes them once into a pack; its first epoch contains that. The other scripts decode in each
epoch, with two workers: a loop in the style of torchvision's references/segmentation, and segmentation_models_pytorch
with Lightning and albumentations. Each trains the same network as seg, with the same optimizer and batch.
"""

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import lightning
import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode, v2

from benchmarks.processes import WORKFLOW, in_process
from benchmarks.scenes import street
from benchmarks.step import LEARNING_RATE, WORKERS, recipe, training_epoch
from benchmarks.timing import Row, compare, report
from seg.config.architectures import make_model
from seg.config.description import Description, describe
from seg.config.recipe import Augmentation
from seg.data.loader import SCALING
from seg.data.pack import pack_split
from seg.datasets import IGNORE
from seg.datasets.register import own_contents
from seg.models import build_model
from seg.system.files import write_json

IMAGES, BATCH, CLASSES = 32, 4, [str(k) for k in range(34)]
HEIGHT, WIDTH, SCALE = 256, 512, 4
MEAN, STD = SCALING["imagenet"]


def measure() -> list[Row]:
    """Compare with torchvision's script, and with a script of smp and Lightning; each trains its library's network."""
    reference = {"name": "torchvision_zoo", "options": {"architecture": "lraspp_mobilenet_v3_large"}}
    unet = {"name": "smp", "options": {"architecture": "unet", "encoder": "resnet18"}}
    return _compared("LR-ASPP MobileNetV3", reference, "torchvision's reference loop", reference_epoch) + _compared(
        "U-Net ResNet-18", unet, "smp, Lightning, albumentations", lightning_epoch
    )


def _compared(network: str, model: dict[str, Any], name: str, prepare: Callable[..., Callable[[], Any]]) -> list[Row]:
    with TemporaryDirectory() as directory, ExitStack() as processes:
        folder = Path(directory)
        write_dataset(folder)
        first, later = (
            processes.enter_context(in_process(seg_epoch, folder, model, pack, environment=WORKFLOW))
            for pack in (True, False)
        )
        peer = processes.enter_context(in_process(prepare, folder, model))
        common: dict[str, Any] = {"unit": "images/s", "amount": IMAGES, "rounds": 3}
        what = f"{network} {HEIGHT}x{WIDTH}, files to weights"
        return [
            *compare(f"{what}: first epoch", first, {name: (peer, None)}, **common),
            *compare(f"{what}: later epochs", later, {name: (peer, None)}, **common),
        ]


def write_dataset(folder: Path) -> None:
    """Write the images and labels of the classes `CLASSES`, with a split list and a manifest."""
    for part in ("images", "labels", "splits"):
        (folder / "data" / part).mkdir(parents=True)
    for k in range(IMAGES):
        for part, pixels in zip(("images", "labels"), street(k % 4, HEIGHT * SCALE, WIDTH * SCALE), strict=True):
            cv2.imwrite(str(folder / "data" / part / f"{k}.png"), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    for split in ("train", "val", "test"):
        (folder / "data" / "splits" / f"{split}.txt").write_text("\n".join(map(str, range(IMAGES))))
    files = own_contents([_description()], folder / "data")
    write_json(folder / "manifest.json", {"name": "streets", "version": "1", "files": files})


def _description() -> Description:
    return describe("folder").merged(classes=CLASSES)


def seg_epoch(folder: Path, model: dict[str, Any], packs: bool) -> Callable[[], None]:
    """An epoch with seg; with `packs`, each call writes the pack before."""
    chosen = recipe("unet", batch=BATCH, precision="bf16", scaling="imagenet", augmentation=Augmentation(flip=0.5))
    chosen = chosen.model_copy(update={"model": make_model(model["name"], **model["options"])})
    target = folder / f"pack{packs}" / "train"
    target.parent.mkdir()

    def pack() -> None:
        pack_split(
            folder / "manifest.json", _description(), "train", HEIGHT, WIDTH, target, WORKERS, root=folder / "data"
        )

    pack()
    epoch = training_epoch(chosen, target.with_suffix(".json"), folder / f"{packs}.safetensors")

    def run() -> None:
        if packs:
            pack()
        epoch()

    return run


class Files(Dataset[tuple[Any, Any]]):
    """Images and labels, decoded by `read` and transformed by `transform`."""

    def __init__(
        self, folder: Path, read: Callable[[Path], Any], transform: Callable[[Any, Any], tuple[Any, Any]]
    ) -> None:
        images = sorted((folder / "data" / "images").iterdir())
        self.pairs = [(image, folder / "data" / "labels" / image.name) for image in images]
        self.read, self.transform = read, transform

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.transform(*map(self.read, self.pairs[index]))


class TorchvisionTransform:
    """Resizing, flip and scaling with torchvision.transforms.v2."""

    def __init__(self) -> None:
        types = {tv_tensors.Image: torch.float32, tv_tensors.Mask: torch.int64, "others": None}
        self.transform = v2.Compose(
            [
                v2.Resize((HEIGHT, WIDTH), InterpolationMode.BILINEAR, antialias=True),
                v2.RandomHorizontalFlip(0.5),
                v2.ToDtype(types, scale=True),
                v2.Normalize(list(MEAN), list(STD)),
            ]
        )

    def __call__(self, image: Image.Image, label: Image.Image) -> tuple[Tensor, Tensor]:
        return self.transform(
            tv_tensors.Image(image.convert("RGB")), tv_tensors.Mask(torch.from_numpy(np.array(label)))
        )


def reference_epoch(folder: Path, model: dict[str, Any]) -> Callable[[], None]:
    """An epoch in the style of torchvision's references/segmentation."""
    files = Files(folder, Image.open, TorchvisionTransform())
    loader = DataLoader(files, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    network = build_model(model["name"], len(CLASSES), model["options"]).train()
    optimizer = torch.optim.Adam(network.parameters(), LEARNING_RATE)

    def run() -> None:
        for images, labels in loader:
            with torch.autocast("cpu", torch.bfloat16):
                loss = F.cross_entropy(network(images), labels, ignore_index=IGNORE)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
        torch.save(network.state_dict(), folder / "reference.pth")

    return run


def _read_with_opencv(path: Path) -> np.ndarray:
    pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return pixels[..., ::-1] if pixels.ndim == 3 else pixels


class AlbumentationsTransform:
    """Resizing, flip and scaling with albumentations."""

    def __init__(self) -> None:
        import albumentations as A
        from albumentations.pytorch import ToTensorV2

        steps = [A.Resize(HEIGHT, WIDTH), A.HorizontalFlip(p=0.5), A.Normalize(MEAN, STD), ToTensorV2()]
        self.transform = A.Compose(steps)

    def __call__(self, image: np.ndarray, label: np.ndarray) -> tuple[Tensor, Tensor]:
        cv2.setNumThreads(0)  # the workers are the parallelism
        done = self.transform(image=np.ascontiguousarray(image), mask=label)
        return done["image"], done["mask"].long()


class Module(lightning.LightningModule):
    """A network of segmentation_models_pytorch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        return F.cross_entropy(self.network(images), labels, ignore_index=IGNORE)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), LEARNING_RATE)


def lightning_epoch(folder: Path, model: dict[str, Any]) -> Callable[[], None]:
    """An epoch of a `lightning.Trainer`."""
    warnings.simplefilter("ignore")
    files = Files(folder, _read_with_opencv, AlbumentationsTransform())
    loader = DataLoader(files, BATCH, shuffle=True, num_workers=WORKERS, persistent_workers=True)
    options = model["options"]
    network = smp.create_model(options["architecture"], options["encoder"], encoder_weights=None, classes=len(CLASSES))
    module = Module(network)

    def run() -> None:
        trainer = lightning.Trainer(
            accelerator="cpu", precision="bf16-mixed", max_epochs=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, barebones=True,
        )  # fmt: skip
        trainer.fit(module, loader)
        torch.save(network.state_dict(), folder / "lightning.pth")

    return run


if __name__ == "__main__":
    report(measure)
