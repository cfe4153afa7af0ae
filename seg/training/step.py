"""A network in training: what a step, an epoch and a validation are, for all networks, losses and data."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from seg.config.recipe import Recipe
from seg.data.loader import Batch, Loader, epoch_order, scaled
from seg.data.pack_format import Pack
from seg.data.statistics import inverse_weights
from seg.datasets import IGNORE
from seg.metrics.confusion import confusion_matrix
from seg.metrics.labels import predict_labels
from seg.metrics.scores import mean_iou, pixel_accuracy
from seg.models import build_model
from seg.models.weights import load_backbone
from seg.system.progress import Progress
from seg.training.distributed import all_gather, all_reduce_sum, rank, shard, world_size, wrap_ddp
from seg.training.losses import make_loss
from seg.training.numerics import autocast, resolve_precision
from seg.training.optimisation import Optimizer, learning_rate
from seg.training.resume import Course

_CHECK_EVERY = 50  # steps between two looks at the loss on a GPU, each of which waits for it


class _Step(NamedTuple):
    """A step whose loss has not been looked at yet."""

    epoch: int
    step: int
    lr: float
    samples: np.ndarray
    loss: Tensor


class Trainer:
    """The network, its optimiser and its batches.

    Attributes:
        weights: what the file that the backbone started from says of itself; None where it was drawn.
    """

    def __init__(
        self,
        recipe: Recipe,
        train: Pack,
        validation: Pack,
        device: torch.device,
        workers: int,
        weights: Path | None = None,
    ) -> None:
        self.recipe = recipe
        self.device = device
        self.precision = resolve_precision(recipe.precision, device)
        self.train_loader = Loader(train, device, workers)
        self.validation_loader = Loader(validation, device, workers)
        self.classes = len(train.classes)
        torch.manual_seed(recipe.seed)
        model = build_model(recipe.model.name, self.classes, recipe.model.options)
        self.weights: dict[str, Any] | None = load_backbone(model, weights) if weights else None
        if recipe.frozen:
            model.get_submodule("backbone").requires_grad_(False)
        self.model: nn.Module = model.to(device).to(memory_format=torch.channels_last)
        forward = wrap_ddp(self.model, device)
        self.forward = torch.compile(forward) if recipe.compile else forward
        self.optimizer = Optimizer(recipe.optimizer, self.model, recipe.weight_decay, recipe.momentum)
        pixels = np.array(train.about["id_pixels"], np.int64)[train.about["scored"]]
        class_weights = torch.from_numpy(inverse_weights(pixels)).float().to(device)
        self.loss = make_loss(recipe.loss, class_weights, all_reduce_sum)
        self.validation_loss = make_loss(recipe.loss, class_weights)
        self.steps = -(-len(train) // (recipe.batch * recipe.accumulate))
        self._unseen: list[_Step] = []

    def train_epoch(self, course: Course, progress: Progress, looked: Callable[[], None]) -> None:
        """The pass over the training pack that `course` is in, from the step where it stands.

        `course` counts the steps, their losses and the learning rate; it is true, and `looked` is called, whenever the
        loss has been looked at: after every step on a CPU, every so many on a GPU.
        """
        recipe, epoch = self.recipe, course.epoch
        if not course.step:
            torch.manual_seed(recipe.seed + 1_000_003 * (epoch + 1) + 999_983 * rank())  # for dropout
        order = epoch_order(len(self.train_loader.pack), recipe.seed, epoch)
        size = recipe.batch * recipe.accumulate
        left = order[course.step * size :]
        batches = self.train_loader.batches(
            shard(left, recipe.batch, rank(), world_size()),
            recipe.batch // world_size(),
            augmentation=recipe.augmentation,
            seed=recipe.seed,
            epoch=epoch,
        )
        self.model.train()
        if recipe.frozen:
            self.model.get_submodule("backbone").eval()
        for step, group in enumerate(_grouped(batches, recipe.accumulate), start=course.step):
            course.lr = learning_rate(
                recipe.schedule, recipe.lr, epoch=epoch, step=step, steps=self.steps, epochs=recipe.epochs
            )
            loss = self._step(group, course.lr)
            samples = order[step * size : (step + 1) * size]
            self._unseen.append(_Step(epoch, step, course.lr, samples, loss))
            if self.device.type == "cpu" or len(self._unseen) >= _CHECK_EVERY or step == self.steps - 1:
                course.loss += self._look(progress)
                course.step = step + 1
                looked()

    def tensors(self) -> dict[str, Tensor]:
        """All that the next steps depend on: the model's state, the optimiser's, and torch's random generators'."""
        generators = {f"cpu.{i}": state for i, state in enumerate(all_gather(torch.get_rng_state()))}
        if self.device.type == "cuda":
            states = all_gather(torch.cuda.get_rng_state(self.device))
            generators |= {f"cuda.{i}": state for i, state in enumerate(states)}
        if self.device.type == "mps":
            generators["mps"] = torch.mps.get_rng_state()
        return (
            {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
            | {f"optimizer.{name}": tensor for name, tensor in self.optimizer.tensors().items()}
            | {f"random.{name}": state for name, state in generators.items()}
        )

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what `tensors()` was."""
        self.model.load_state_dict(part(tensors, "model"))
        self.optimizer.restore(part(tensors, "optimizer"))
        generators = part(tensors, "random")
        torch.set_rng_state(generators[f"cpu.{rank()}"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(generators[f"cuda.{rank()}"], self.device)
        if self.device.type == "mps":
            torch.mps.set_rng_state(generators["mps"])

    def _step(self, group: list[Batch], lr: float) -> Tensor:
        """Forward, backward and update over batches that count as one; their loss, on the device.

        Batches weigh by their labelled pixels: for cross entropy the gradient is that of one large batch.
        """
        labelled = [all_reduce_sum((batch.labels != IGNORE).sum()) for batch in group]
        everything = torch.stack(labelled).sum().clamp(min=1)
        self.model.zero_grad()
        total = torch.zeros((), device=self.device)
        for batch, pixels in zip(group, labelled, strict=True):
            with autocast(self.device, self.precision):
                logits = self.forward(scaled(batch.images, self.recipe.scaling))
            loss = self.loss(logits, batch.labels)
            if len(group) > 1:
                loss = loss * (pixels / everything)
            loss.backward()
            total += loss.detach()
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step(lr)
        return total

    def _look(self, progress: Progress) -> float:
        """Sum over samples of the losses of the steps not looked at yet.

        Raises:
            ValueError: one is not finite; names the step, the learning rate and the images.
        """
        total = 0.0
        losses = torch.stack([step.loss for step in self._unseen]).tolist()
        for step, loss in zip(self._unseen, losses, strict=True):
            if not np.isfinite(loss):
                names = [self.train_loader.pack.about["names"][i] for i in step.samples]
                raise ValueError(
                    f"loss became {loss} in epoch {step.epoch + 1}, step {step.step + 1}, at learning rate "
                    f"{step.lr:g}, images {', '.join(names)}; lower lr, set clip_norm or precision: fp32"
                )
            total += loss * len(step.samples)
            progress.stepped(step.epoch, step.step, len(step.samples), loss)
        self._unseen.clear()
        return total

    @torch.inference_mode()
    def validate(self) -> dict[str, float]:
        """Loss (mean over batches by labelled pixels), pixel accuracy and mIoU on the validation pack."""
        self.model.eval()
        pack = self.validation_loader.pack
        matrix = np.zeros((self.classes, self.classes), np.int64)
        sums = torch.zeros(2, dtype=torch.float64)  # of losses, and of labelled pixels
        mine = np.arange(rank(), len(pack), world_size())
        for batch in self.validation_loader.batches(mine, self.recipe.batch):
            with autocast(self.device, self.precision):
                logits = self.model(scaled(batch.images, self.recipe.scaling))
            labelled = int((batch.labels != IGNORE).sum())
            loss = float(self.validation_loss(logits, batch.labels)) * labelled
            sums += torch.tensor([loss, labelled], dtype=torch.float64)
            predicted = predict_labels(logits, (pack.height, pack.width)).cpu().numpy()
            matrix += confusion_matrix(batch.labels.cpu().numpy(), predicted, self.classes)
        total, pixels = all_reduce_sum(sums).tolist()
        matrix = all_reduce_sum(torch.from_numpy(matrix)).numpy()
        return {
            "val_loss": total / max(pixels, 1),
            "val_pixel_accuracy": float(pixel_accuracy(matrix)),
            "val_miou": float(mean_iou(matrix)),
        }


def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors named `<prefix>.<name>`, by name."""
    return {
        name.removeprefix(f"{prefix}."): tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}.")
    }


def _grouped(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Batches in lists of `size`, the last perhaps shorter."""
    group: list[Batch] = []
    for batch in batches:
        group.append(batch)
        if len(group) == size:
            yield group
            group = []
    if group:
        yield group
