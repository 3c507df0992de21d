"""The one training loop, Lightning's, used by training, distillation and recovery alike.

A run is reproducible and can be resumed at the last finished epoch: the random state of an epoch comes from the seed
and the epoch's number alone, and everything else that an epoch depends on is in the resume file.
"""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from edgekit.errors import ConfigError, InterruptedRunError, StateError
from edgekit.train.batches import Batches, epoch_batches, plain_parts, read_ahead, worth_prefetching
from edgekit.train.callbacks import BestWeights, EarlyStopping, EpochReport, ProjectedWeights, ResumeFile
from edgekit.train.progress import Epoch
from edgekit.train.projection import Projection
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import EpochSource, Takes

#: (logits float32 (batch, classes), batch: x, labels int64 (batch,) and what else the epoch holds) to a scalar in nats.
Objective = Callable[[Tensor, tuple[Tensor, ...]], Tensor]

VALIDATION_BATCH = 256


@dataclass(frozen=True)
class FitResult:
    """How a run went. `best_epoch` counts from 1; its weights are in the module afterwards."""

    history: tuple[Epoch, ...]
    best_epoch: int
    val_accuracy: float
    val_loss: float
    elapsed_s: float
    stopped_early: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "epochs": len(self.history),
            "best_epoch": self.best_epoch,
            "val_accuracy": self.val_accuracy,
            "val_loss": self.val_loss,
            "elapsed_s": self.elapsed_s,
            "stopped_early": self.stopped_early,
        }


class _Run(pl.LightningModule):
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
        section: str,
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
        self.section = section
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self.plateau_state: dict[str, Any] | None = None
        self.sums: dict[str, Tensor] = {}
        self.norms: list[float] = []
        self.restored = False

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decayed = [m.weight for m in self.module.modules() if isinstance(m, nn.Linear)]
        marked = {id(p) for p in decayed}
        others = [p for p in self.module.parameters() if id(p) not in marked]
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
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch)
        self.sums = {name: torch.zeros(()) for name in ("loss", "right", "seen", "val_loss", "val_right", "val_seen")}
        self.norms = []
        if self.plateau is None:
            factor = self.config.lr_scheduler.factor_at(
                self.current_epoch + 1, self.config.epochs, self.config.learning_rate
            )
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = self.config.learning_rate * factor

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:
        logits = self.module(batch[0])
        loss = self.objective(logits, batch)
        self._stop_unless_finite("loss", loss.item(), index)
        self._count("", logits.detach(), batch[1], loss.detach())
        return loss

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
            raise ConfigError(
                f"the training's {name} became {value} in {place}, so it was stopped; reduce {where}.learning_rate (now"
                f" {config.learning_rate:g}) or {where}.clip_norm (now {config.clip_norm:g}), the norm to which"
                " gradients are clipped, and run the command again"
            )

    def validation_step(self, batch: tuple[Tensor, ...], index: int) -> None:
        logits = self.module(batch[0])
        self._count("val_", logits, batch[1], nn.functional.cross_entropy(logits, batch[1]))

    def _count(self, prefix: str, logits: Tensor, labels: Tensor, loss: Tensor) -> None:
        self.sums[f"{prefix}loss"] += loss * len(labels)
        self.sums[f"{prefix}right"] += (logits.argmax(dim=1) == labels).sum()
        self.sums[f"{prefix}seen"] += len(labels)

    def on_validation_epoch_end(self) -> None:
        figures = self.figures()
        self.log_dict({"val_loss": figures["val_loss"], "val_accuracy": figures["val_accuracy"]})
        self._stop_unless_finite("val_loss", figures["val_loss"])
        if self.plateau is not None and self.current_epoch >= self.settled_from:
            self.plateau.step(figures["val_loss"])

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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.plateau_state = checkpoint["plateau"]  # Lightning reads the file before it asks for the optimiser


def fit(
    module: nn.Module,
    source: EpochSource,
    validation: Takes,
    objective: Objective,
    config: TrainingConfig,
    *,
    seed: int = 0,
    weight_decay: float = 0.0,
    projection: Projection | None = None,
    setup: RunSetup | None = None,
) -> FitResult:
    """Train `module` in place and leave it in evaluation mode with the weights of the best epoch.

    Best is the highest validation accuracy, then the lowest validation loss. weight_decay applies to the kernels of
    linear layers only. projection: what stays true of the weights after every step, and so of the weights that are
    left.

    Raises InterruptedRunError on Ctrl-C, ConfigError when a batch's loss or gradients are no longer finite, before the
    optimiser's step, or the projection settles after the last epoch, StateError when the resume file does not fit.
    """
    setup = setup or RunSetup()
    settled_from = 0 if projection is None else projection.settled_from
    if settled_from >= config.epochs:
        raise ConfigError(f"training.epochs: {config.epochs} are not enough, the weights settle after {settled_from}")
    module.train()  # Lightning leaves modules in the mode they are in
    run = _Run(module, source, validation, objective, config, weight_decay, seed, settled_from, setup.section)
    best, report = BestWeights(settled_from), EpochReport(config.epochs, setup.listener)
    callbacks: list[Callback] = [] if projection is None else [ProjectedWeights(projection)]
    callbacks += [best, report]
    if config.early_stopping is not None:
        callbacks.append(EarlyStopping(config.early_stopping, settled_from))
    if setup.resume_file is not None:
        callbacks.append(ResumeFile(setup.resume_file))
    with _quiet_lightning(), read_ahead(source, config.epochs, worth_prefetching(config.prefetch)) as run.source:
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=config.epochs,
            min_epochs=config.min_epochs,
            callbacks=callbacks,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        _fit(trainer, run, setup.resume_file)
    best.restore(module)
    module.eval()
    chosen = report.history[best.epoch - 1]
    return FitResult(
        history=tuple(report.history),
        best_epoch=best.epoch,
        val_accuracy=chosen.val_accuracy,
        val_loss=chosen.val_loss,
        elapsed_s=report.history[-1].elapsed_s,
        stopped_early=len(report.history) < config.epochs,
    )


def _fit(trainer: pl.Trainer, run: _Run, resume_file: Path | None) -> None:
    found = resume_file if resume_file is not None and resume_file.exists() else None
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(run, ckpt_path=found, weights_only=True)
    except SystemExit:  # how Lightning answers Ctrl-C
        raise InterruptedRunError("interrupted; finished epochs are kept, the same command goes on there") from None
    except Exception as error:  # pickle, zip, torch and Lightning each have their own for a file that does not fit
        if found is None or run.restored:
            raise
        raise StateError(f"{found}: can't go on from there ({error}); use --force to start anew") from error
    finally:
        if handler is not None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, handler)
    if resume_file is not None:
        resume_file.unlink(missing_ok=True)


@contextlib.contextmanager
def _quiet_lightning() -> Iterator[None]:
    """No advertisement, no hardware lines, and none of the warnings that a user can't act on."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # The loaders hold ready tensors; worker processes would only copy them.
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # One epoch may be a few batches; nothing is logged per step.
            warnings.filterwarnings("ignore", message=".*smaller than the logging interval.*")
            # Lightning's own use of a torch name that torch has deprecated.
            warnings.filterwarnings("ignore", category=FutureWarning, module=r"lightning\..*")
            # Resuming at an epoch's end is what the resume file is for.
            warnings.filterwarnings("ignore", message=".*resuming from a checkpoint that ended.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
