"""One run of the training loop as Lightning sees it: steps, batches, optimiser, and each epoch's sums."""

from __future__ import annotations

import math
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn

from edgekit.errors import ConfigError, StateError
from edgekit.train.batches import Batches, epoch_batches, plain_parts
from edgekit.train.hardware import Hardware
from edgekit.train.losses import Objective
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import EpochSource, Takes, share_of

VALIDATION_BATCH = 256


class Run(pl.LightningModule):
    """Adapts a module, an epoch source and an objective to Lightning."""

    def __init__(
        self,
        module: nn.Module,
        source: EpochSource,
        validation: Takes,
        objective: Objective,
        config: TrainingConfig,
        weight_decay: float,
        seed: int,
        settled_from: int,
        setup: RunSetup,
    ) -> None:
        super().__init__()
        self.module = module
        self.source = source
        self.validation = (torch.from_numpy(validation.x), torch.from_numpy(validation.labels))
        self.objective = objective
        self.config = config
        self.weight_decay = weight_decay
        self.seed = seed
        self.settled_from = settled_from
        self.section = setup.section
        self.hardware = setup.hardware
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self.plateau_state: dict[str, Any] | None = None
        self.sums: dict[str, Tensor] = {}
        self.taken_for: Tensor | None = None
        self.norms: list[float] = []
        self.restored = False

    def configure_optimizers(self) -> torch.optim.Optimizer:
        kernels = (m._parameters.get("weight") for m in self.module.modules() if isinstance(m, nn.Linear))
        decayed = list({id(p): p for p in kernels if p is not None}.values())  # none twice, none that is computed
        marked = {id(p) for p in decayed}
        others = [p for p in self.module.parameters() if id(p) not in marked]
        if isinstance(self.objective, nn.Module):
            others += self.objective.parameters()
        groups = [{"params": decayed, "weight_decay": self.weight_decay}, {"params": others, "weight_decay": 0.0}]
        groups = [group for group in groups if group["params"]]
        optimizer = torch.optim.Adam(groups, lr=self.config.learning_rate, betas=(0.9, 0.999), eps=1e-7)
        rule = self.config.lr_scheduler
        if rule.type == "reduce_on_plateau":
            self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
                optimizer, factor=rule.factor, patience=rule.patience, min_lr=rule.min_lr
            )
            if self.plateau_state is not None:
                self.plateau.load_state_dict(self.plateau_state)
        return optimizer

    def train_dataloader(self) -> Batches:
        self.restored = True  # Lightning asks for data after it has read the resume file
        tensors, config = self.source(self.current_epoch), self.config
        return epoch_batches(tensors, config.batches, config.batch_size, self.seed, self.current_epoch)

    def val_dataloader(self) -> Batches:
        return Batches(self.validation, plain_parts(np.arange(len(self.validation[0])), VALIDATION_BATCH))

    def on_train_epoch_start(self) -> None:
        # The CPU's generator reads 32 bits of it; processes are apart in those.
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch + self.global_rank * 2_654_435_761)
        names = ("loss", "right", "seen", "val_loss", "val_right", "val_seen")
        self.sums = {name: torch.zeros((), device=self.device) for name in names}
        self.norms, self.taken_for = [], None
        if self.plateau is None:
            self._learn_at(1.0)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        rule = self.config.lr_scheduler
        if self.plateau is None and self.current_epoch < rule.warmup_epochs:
            passed = self.current_epoch + (batch_idx + 1) / self.trainer.num_training_batches
            self._learn_at(rule.warmth_at(passed, self.config.epochs))

    def _learn_at(self, warmth: float) -> None:
        """Set the learning rate: that of the epoch, times `warmth`."""
        config = self.config
        factor = config.lr_scheduler.factor_at(self.current_epoch + 1, config.epochs, config.learning_rate)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = config.learning_rate * factor * warmth

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:
        batch, weight = share_of(batch, self.global_rank, self.trainer.world_size)
        with self.hardware.autocast():
            logits = self.module(batch[0])
        logits = logits.float()  # the loss is fp32 always
        loss = self.objective(logits, batch)
        self._stop_unless_finite("loss", loss.item(), index)
        self._count("", logits.detach(), batch[1], loss.detach(), weight)
        return loss * weight

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: Any = None, gradient_clip_algorithm: Any = None
    ) -> None:
        """Between the gradients and the optimiser's step."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.config.clip_norm).item()
        self._stop_unless_finite("gradient norm", norm, len(self.norms))
        self.norms.append(norm)

    def _stop_unless_finite(self, name: str, value: float, batch: int | None = None) -> None:
        if not math.isfinite(value):
            place = f"epoch {self.current_epoch + 1}" + ("" if batch is None else f", batch {batch + 1}")
            where, config = self.section, self.config
            clip = f" or {where}.clip_norm (now {config.clip_norm:g}), the norm to which gradients are clipped,"
            raise ConfigError(
                f"the training's {name} became {value} in {place}, so it was stopped; reduce {where}.learning_rate (now"
                f" {config.learning_rate:g}){clip if where.endswith('training') else ''} and run the command again"
            )

    def validation_step(self, batch: tuple[Tensor, ...], index: int) -> None:
        batch, weight = share_of(batch, self.global_rank, self.trainer.world_size)
        logits = self.module(batch[0])  # in fp32, as the file for the device is
        self._count("val_", logits, batch[1], nn.functional.cross_entropy(logits, batch[1]), weight)
        self._confuse(logits, batch[1], weight)

    def _confuse(self, logits: Tensor, labels: Tensor, weight: float) -> None:
        classes = logits.shape[1]
        place = labels * classes + logits.argmax(dim=1)
        counts = torch.bincount(place, minlength=classes**2).reshape(classes, classes) * (weight > 0.0)
        self.taken_for = counts if self.taken_for is None else self.taken_for + counts

    def _count(self, prefix: str, logits: Tensor, labels: Tensor, loss: Tensor, weight: float) -> None:
        if weight == 0.0:  # a take that only keeps this process in step
            return
        self.sums[f"{prefix}loss"] += loss * len(labels)
        self.sums[f"{prefix}right"] += (logits.argmax(dim=1) == labels).sum()
        self.sums[f"{prefix}seen"] += len(labels)

    def on_validation_epoch_end(self) -> None:
        # Once an epoch, when all its steps are done: every process goes on with the same figures.
        self.sums = {name: self.trainer.strategy.reduce(sum_, reduce_op="sum") for name, sum_ in self.sums.items()}
        if self.taken_for is not None:
            self.taken_for = self.trainer.strategy.reduce(self.taken_for, reduce_op="sum")
        figures = self.figures()
        self.log_dict({"val_loss": figures["val_loss"], "val_accuracy": figures["val_accuracy"]})
        self._stop_unless_finite("val_loss", figures["val_loss"])
        if self.plateau is not None and self.current_epoch >= self.settled_from:
            self.plateau.step(figures["val_loss"])

    def confusion(self) -> Tensor:
        """Of the epoch's validation takes, int64 (classes, classes): row the true class, column the predicted one."""
        return torch.zeros(0, 0, dtype=torch.int64) if self.taken_for is None else self.taken_for.cpu()

    def figures(self) -> dict[str, float]:
        """Mean losses in nats, accuracies and gradient norms before clipping, of the epoch so far."""
        sums = {name: float(value) for name, value in self.sums.items()}
        return {
            "loss": sums["loss"] / max(sums["seen"], 1.0),
            "accuracy": sums["right"] / max(sums["seen"], 1.0),
            "val_loss": sums["val_loss"] / max(sums["val_seen"], 1.0),
            "val_accuracy": sums["val_right"] / max(sums["val_seen"], 1.0),
            "gradient_norm_mean": sum(self.norms) / max(len(self.norms), 1),
            "gradient_norm_max": max(self.norms, default=0.0),
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["plateau"] = None if self.plateau is None else self.plateau.state_dict()
        checkpoint["hardware"] = self.hardware.to_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if checkpoint["hardware"] != self.hardware.to_dict():
            began = Hardware(**checkpoint["hardware"]).describe()
            raise StateError(f"it began on {began}, and would round otherwise on {self.hardware.describe()}")
        self.plateau_state = checkpoint["plateau"]  # Lightning reads the file before it asks for the optimiser
