"""The one training loop, Lightning's, used by training, distillation and recovery alike.

A run is reproducible and can be resumed at the last finished epoch: the random state of an epoch comes from the seed
and the epoch's number alone, and everything else that an epoch depends on is in the resume file.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from edgekit.artifacts import clear_leftovers
from edgekit.errors import InterruptedRunError, StateError
from edgekit.model import RecurrentClassifier, plain_attention
from edgekit.train.batches import read_ahead, worth_prefetching
from edgekit.train.callbacks import EarlyStopping, EpochReport, KeptWeights, ProjectedWeights, ResumeFile
from edgekit.train.checkpoints import SealedFiles
from edgekit.train.hardware import Hardware
from edgekit.train.loggers import CsvLog, TensorBoardLog
from edgekit.train.logs import CSV_NAME
from edgekit.train.losses import Objective
from edgekit.train.processes import Work, in_processes, states_of, strategy_of, take_states
from edgekit.train.progress import Listener
from edgekit.train.projection import Projection
from edgekit.train.result import FitResult
from edgekit.train.run import Run
from edgekit.train.settings import TrainingConfig
from edgekit.train.setup import RunSetup
from edgekit.train.takes import EpochSource, Takes

INTERRUPTED = "interrupted; finished epochs are kept, the same command continues from there"


def run_epochs(
    module: nn.Module,
    source: EpochSource,
    validation: Takes,
    objective: Objective,
    config: TrainingConfig,
    seed: int,
    weight_decay: float,
    projection: Projection | None,
    setup: RunSetup,
) -> FitResult:
    """See `edgekit.train.fit`."""
    hardware, settled_from = setup.hardware, 0 if projection is None else projection.settled_from
    module.train()  # Lightning leaves modules in the mode they are in
    run = Run(module, source, validation, objective, config, weight_decay, seed, settled_from, setup)
    kept, report = KeptWeights(settled_from, config.keep), EpochReport(config.epochs, setup.listener)
    callbacks: list[Callback] = [] if projection is None else [ProjectedWeights(projection)]
    callbacks += [kept, report]
    if config.early_stopping is not None:
        callbacks.append(EarlyStopping(config.early_stopping, settled_from))
    callbacks += _keepers(setup, report, torch.tensor(validation.x[:1]))

    def train(**where: Any) -> None:
        trainer = _trainer(config, hardware, callbacks, **where)
        prefetch = worth_prefetching(config.prefetch, hardware.accelerators)
        with read_ahead(source, config.epochs, prefetch) as run.source:
            _fit(trainer, run, setup.resume_file)

    def train_as(rank: int, say: Listener) -> bytes:
        report.listener = setup.listener and say
        train(strategy=strategy_of(hardware, rank), use_distributed_sampler=False)
        return states_of(callbacks)

    with _quiet_lightning(), plain_attention(), hardware.applied():
        if hardware.accelerators == 1:
            train()
        else:
            take_states(callbacks, _several(setup, train_as))
    if setup.resume_file is not None and not setup.keep_resume_file:
        setup.resume_file.unlink(missing_ok=True)
    kept.restore(module.cpu())
    module.eval()
    if isinstance(module, RecurrentClassifier):
        module.sequence_length = validation.x.shape[1]
    return _result(kept, report, config)


def _keepers(setup: RunSetup, report: EpochReport, sample: Tensor) -> list[Callback]:
    """The callbacks that write files, the resume file last: it then knows that the epoch is logged."""
    found: list[Callback] = []
    if setup.logs is not None:
        found.append(CsvLog(setup.logs.folder / CSV_NAME, report))
        if setup.logs.config.tensorboard:
            found.append(TensorBoardLog(setup.logs, report, sample))
    if setup.resume_file is not None:
        found.append(ResumeFile(setup.resume_file))
    return found


def _trainer(config: TrainingConfig, hardware: Hardware, callbacks: list[Callback], **where: Any) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cuda" if hardware.cuda else "cpu",
        devices=list(hardware.gpus) or hardware.accelerators,
        max_epochs=config.epochs,
        min_epochs=config.min_epochs,
        callbacks=callbacks,
        reload_dataloaders_every_n_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        plugins=[SealedFiles(), *([] if where else [LightningEnvironment()])],  # no cluster that it may detect
        **where,
    )


def _result(kept: KeptWeights, report: EpochReport, config: TrainingConfig) -> FitResult:
    chosen = report.history[kept.epoch - 1]
    return FitResult(
        history=tuple(report.history),
        best_epoch=kept.epoch,
        val_accuracy=chosen.val_accuracy,
        val_loss=chosen.val_loss,
        elapsed_s=report.history[-1].elapsed_s,
        stopped_early=len(report.history) < config.epochs,
        val_confusion=tuple(map(tuple, kept.confusion.tolist())) if kept.confusion is not None else (),
    )


def _fit(trainer: pl.Trainer, run: Run, resume_file: Path | None) -> None:
    found = resume_file if resume_file is not None and resume_file.exists() else None
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(run, ckpt_path=found, weights_only=True)
    except SystemExit:  # how Lightning answers Ctrl-C
        raise InterruptedRunError(INTERRUPTED) from None
    except Exception as error:  # pickle, zip, torch and Lightning each have their own for a file that does not fit
        if found is None or run.restored:
            raise
        raise StateError(f"{found}: can't continue from there ({error}); use --force to start over") from error
    finally:
        ignored = handler in (None, signal.SIG_IGN)  # before, too: nothing to put back
        if not ignored and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            signal.signal(signal.SIGINT, handler)


def _several(setup: RunSetup, train_as: Work) -> bytes:
    """Rank 0's answer. Processes that are ended leave no half-written resume file."""
    try:
        return in_processes(setup.hardware, train_as, setup.listener)
    except KeyboardInterrupt:
        raise InterruptedRunError(INTERRUPTED) from None
    finally:
        if setup.resume_file is not None:
            clear_leftovers(setup.resume_file.parent, again=True)


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
