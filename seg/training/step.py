"""An optimizer step: forward, backward and update, the same for all networks, losses and datasets."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from seg.config.recipe import Recipe
from seg.data.loader import Batch, scaled
from seg.datasets import IGNORE
from seg.training.distributed import all_reduce_sum, rank, world_size, wrap_ddp
from seg.training.losses import make_loss
from seg.training.numerics import autocast, resolve_precision
from seg.training.optimisation import Optimizer


class TrainStep:
    """A model with its optimizer and loss.

    Args:
        recipe: loss, optimizer, precision, clipping.
        model: trained in place; on `device`, in channels-last memory.
        class_weights: (C,) float32 on `device`, for the weighted loss.
        device: to train on.

    Attributes:
        precision: `fp32`, `tf32` or `bf16`, as resolved for the device.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, class_weights: Tensor, device: torch.device) -> None:
        self.recipe, self.model, self.device = recipe, model, device
        self.precision = resolve_precision(recipe.precision, device)
        self.loss = make_loss(recipe.loss, class_weights, all_reduce_sum)
        self.forward = wrap_ddp(model, device)
        # A shorter last batch would be compiled, too.
        self.full = len(range(rank(), recipe.batch, world_size()))  # images of this process in a whole batch
        self.compiled = torch.compile(self.forward, dynamic=False) if recipe.compile else self.forward
        self.optimizer = Optimizer(recipe.optimizer, model, recipe.weight_decay, recipe.momentum or 0.0)

    def train_mode(self) -> None:
        """Set the model to training mode; a frozen backbone keeps its batch-norm statistics."""
        self.model.train()
        if self.recipe.frozen:
            self.model.get_submodule("backbone").eval()

    def __call__(self, batches: Sequence[Batch], lr: float) -> Tensor:
        """Update the model with the gradient accumulated over `batches`. Returns the loss, a scalar on the device.

        Batches are weighted by their numbers of labelled pixels: for cross entropy, the gradient is that of one large
        batch.
        """
        labelled = [all_reduce_sum((batch.labels != IGNORE).sum()) for batch in batches]
        everything = torch.stack(labelled).sum().clamp(min=1)
        total = torch.zeros((), device=self.device)
        for batch, pixels in zip(batches, labelled, strict=True):
            forward = self.compiled if len(batch.images) == self.full else self.forward
            with autocast(self.device, self.precision):
                logits = forward(scaled(batch.images, self.recipe.scaling))
            loss = self.loss(logits, batch.labels)
            if len(batches) > 1:
                loss = loss * (pixels / everything)
            loss.backward()
            total += loss.detach()
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)
        self.optimizer.step(lr)
        return total
