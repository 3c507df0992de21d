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
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from edgekit.errors import ConfigError, InterruptedRunError, StateError
from edgekit.train.callbacks import BestWeights, EarlyStopping, EpochReport, ProjectedWeights, ResumeFile
from edgekit.train.hardware import Hardware
from edgekit.train.processes import Work, in_processes, states_of, strategy_of, take_states
from edgekit.train.progress import Epoch, Listener
from edgekit.train.projection import Projection
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import Batches, Takes, epoch_generator, share_of

#: (logits float32 (batch, classes), batch: x, labels int64 (batch,) and what else the epoch holds) to a scalar in nats,
#: a mean over the batch: several devices weigh what their shares of a batch give by the number of takes.
Objective = Callable[[Tensor, tuple[Tensor, ...]], Tensor]
#: Epoch number, from 0, to the epoch's tensors: x, labels, and what else the objective wants.
EpochSource = Callable[[int], tuple[Tensor, ...]]

VALIDATION_BATCH = 256
INTERRUPTED = "interrupted; finished epochs are kept, the same command goes on there"


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
        hardware: Hardware,
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
        self.hardware = hardware
        self.plateau: torch.optim.lr_scheduler.ReduceLROnPlateau | None = None
        self.plateau_state: dict[str, Any] | None = None
        self.sums: dict[str, Tensor] = {}
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
        tensors = self.source(self.current_epoch)
        order = epoch_generator(self.seed + 1, self.current_epoch).permutation(len(tensors[0]))
        return Batches(tensors, self.config.batch_size, order)

    def val_dataloader(self) -> Batches:
        return Batches(self.validation, VALIDATION_BATCH, torch.arange(len(self.validation[0])).numpy())

    def on_train_epoch_start(self) -> None:
        # The CPU's generator reads 32 bits of it; processes are apart in those.
        torch.manual_seed(self.seed * 1_000_003 + self.current_epoch + self.global_rank * 2_654_435_761)
        names = ("loss", "right", "seen", "val_loss", "val_right", "val_seen")
        self.sums = {name: torch.zeros((), device=self.device) for name in names}
        if self.plateau is None:
            factor = self.config.lr_scheduler.factor_at(
                self.current_epoch + 1, self.config.epochs, self.config.learning_rate
            )
            for group in self.trainer.optimizers[0].param_groups:
                group["lr"] = self.config.learning_rate * factor

    def training_step(self, batch: tuple[Tensor, ...], index: int) -> Tensor:
        batch, weight = share_of(batch, self.global_rank, self.trainer.world_size)
        with self.hardware.autocast():
            logits = self.module(batch[0])
        logits = logits.float()  # the loss is fp32 always
        loss = self.objective(logits, batch)
        self._count("", logits.detach(), batch[1], loss.detach(), weight)
        return loss * weight

    def validation_step(self, batch: tuple[Tensor, ...], index: int) -> None:
        batch, weight = share_of(batch, self.global_rank, self.trainer.world_size)
        logits = self.module(batch[0])  # in fp32, as the file for the device is
        self._count("val_", logits, batch[1], nn.functional.cross_entropy(logits, batch[1]), weight)

    def _count(self, prefix: str, logits: Tensor, labels: Tensor, loss: Tensor, weight: float) -> None:
        if weight == 0.0:  # a take that only keeps this process in step
            return
        self.sums[f"{prefix}loss"] += loss * len(labels)
        self.sums[f"{prefix}right"] += (logits.argmax(dim=1) == labels).sum()
        self.sums[f"{prefix}seen"] += len(labels)

    def on_validation_epoch_end(self) -> None:
        # Once an epoch, when all its steps are done: every process goes on with the same figures.
        self.sums = {name: self.trainer.strategy.reduce(sum_, reduce_op="sum") for name, sum_ in self.sums.items()}
        figures = self.figures()
        self.log_dict({"val_loss": figures["val_loss"], "val_accuracy": figures["val_accuracy"]})
        broken = [name for name in ("loss", "val_loss") if not math.isfinite(figures[name])]
        if broken:
            raise ConfigError(
                f"the training's {broken[0]} became {figures[broken[0]]} in epoch {self.current_epoch + 1}; reduce"
                " training.learning_rate and run the command again"
            )
        if self.plateau is not None and self.current_epoch >= self.settled_from:
            self.plateau.step(figures["val_loss"])

    def figures(self) -> dict[str, float]:
        """Mean losses in nats and accuracies of the epoch so far."""
        sums = {name: float(value) for name, value in self.sums.items()}
        return {
            "loss": sums["loss"] / max(sums["seen"], 1.0),
            "accuracy": sums["right"] / max(sums["seen"], 1.0),
            "val_loss": sums["val_loss"] / max(sums["val_seen"], 1.0),
            "val_accuracy": sums["val_right"] / max(sums["val_seen"], 1.0),
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

    Raises InterruptedRunError on Ctrl-C, ConfigError when the loss is no longer finite or the projection settles after
    the last epoch, StateError when the resume file does not fit.
    """
    setup = setup or RunSetup()
    hardware = setup.hardware
    hardware.check(config.batch_size)
    settled_from = 0 if projection is None else projection.settled_from
    if settled_from >= config.epochs:
        raise ConfigError(f"training.epochs: {config.epochs} are not enough, the weights settle after {settled_from}")
    module.train()  # Lightning leaves modules in the mode they are in
    run = _Run(module, source, validation, objective, config, weight_decay, seed, settled_from, hardware)
    best, report = BestWeights(settled_from), EpochReport(config.epochs, setup.listener)
    callbacks: list[Callback] = [] if projection is None else [ProjectedWeights(projection)]
    callbacks += [best, report]
    if config.early_stopping is not None:
        callbacks.append(EarlyStopping(config.early_stopping, settled_from))
    if setup.resume_file is not None:
        callbacks.append(ResumeFile(setup.resume_file))

    def train(**where: Any) -> None:
        trainer = pl.Trainer(
            accelerator="cuda" if hardware.cuda else "cpu",
            devices=list(hardware.gpus) or hardware.devices,
            max_epochs=config.epochs,
            min_epochs=config.min_epochs,
            gradient_clip_val=config.clip_norm,
            callbacks=callbacks,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            **where,
        )
        _fit(trainer, run, setup.resume_file)

    def train_as(rank: int, say: Listener) -> bytes:
        report.listener = setup.listener and say
        train(strategy=strategy_of(hardware, rank), use_distributed_sampler=False)
        return states_of(callbacks)

    with _quiet_lightning(), hardware.applied():
        if hardware.devices == 1:
            train()
        else:
            take_states(callbacks, _several(setup, train_as))
    if setup.resume_file is not None:
        setup.resume_file.unlink(missing_ok=True)
    best.restore(module.cpu())
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
        raise InterruptedRunError(INTERRUPTED) from None
    except Exception as error:  # pickle, zip, torch and Lightning each have their own for a file that does not fit
        if found is None or run.restored:
            raise
        raise StateError(f"{found}: can't go on from there ({error}); use --force to start anew") from error
    finally:
        if handler is not None and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, handler)


def _several(setup: RunSetup, train_as: Work) -> bytes:
    """Rank 0's answer. Processes that are ended leave no half-written resume file."""
    try:
        return in_processes(setup.hardware, train_as, setup.listener)
    except KeyboardInterrupt:
        raise InterruptedRunError(INTERRUPTED) from None
    finally:
        if setup.resume_file is not None:
            ResumeFile(setup.resume_file).temporary.unlink(missing_ok=True)


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
            # Whether to use a GPU is decided before.
            warnings.filterwarnings("ignore", message="GPU available but not used.*")
            # The figures that are logged have been added up over all processes.
            warnings.filterwarnings("ignore", message=".*sync_dist=True.*")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
