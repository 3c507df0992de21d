"""Callbacks that write a run's logs: the CSV, and TensorBoard's files."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from edgekit.artifacts import append_text, write_text
from edgekit.train.callbacks import EpochReport, module_of
from edgekit.train.logs import RunLogs, class_accuracies, csv_text

#: Of `Epoch`, as TensorBoard shows them.
SCALARS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "gradient_norm_mean", "gradient_norm_max")


class CsvLog(Callback):
    """Appends a row as soon as an epoch is over. Comes behind the report and before the resume file.

    At its start the file holds the epochs that the run goes on after, whatever stood there: an epoch that was logged
    and then lost with its process is trained, and logged, again.
    """

    def __init__(self, path: Path, report: EpochReport) -> None:
        self.path = path
        self.report = report

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            write_text(self.path, csv_text(self.report.history))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            append_text(self.path, csv_text(self.report.history[-1:], header=False))


class TensorBoardLog(Callback):
    """Scalars, accuracy by class, histograms of the weights, and the graph. Comes behind the report."""

    def __init__(self, logs: RunLogs, report: EpochReport, sample: Tensor) -> None:
        """sample: x float32 (1, time, features), for the graph."""
        self.logs = logs
        self.report = report
        self.sample = sample
        self.writer: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        from torch.utils.tensorboard import SummaryWriter

        finished = len(self.report.history)
        if not finished:
            for old in self.logs.folder.glob("events.out.tfevents.*"):
                old.unlink()
        with self._writing():
            self.writer = SummaryWriter(str(self.logs.folder), purge_step=finished + 1)
            if self.logs.config.graph and not finished:
                _write_graph(self.writer, module_of(pl_module), self.sample.to(pl_module.device))
            self.writer.flush()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.writer is None:
            return
        with self._writing():
            self._write_epoch(pl_module)

    def _write_epoch(self, pl_module: pl.LightningModule) -> None:
        epoch, every = self.report.history[-1], self.logs.config.histogram_every
        for name in SCALARS:
            self.writer.add_scalar(name, getattr(epoch, name), epoch.epoch)
        for name, accuracy in class_accuracies(pl_module.confusion(), self.logs.class_names).items():  # type: ignore[operator]
            self.writer.add_scalar(f"val_accuracy_by_class/{name}", accuracy, epoch.epoch)
        if every and epoch.epoch % every == 0:
            for name, parameter in module_of(pl_module).named_parameters():
                self.writer.add_histogram(name, parameter.detach().float(), epoch.epoch)
        self.writer.flush()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self.writer is not None:
            with self._writing():
                self.writer.close()
            self.writer = None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """TensorBoard writes in a thread, which dies of a full disk; the next call tells it here, and that is enough.
        Raises OSError that names the folder."""
        hook = threading.excepthook
        threading.excepthook = lambda died: None if isinstance(died.exc_value, OSError) else hook(died)
        try:
            yield
        except OSError as error:
            self.writer = None
            for thread in threading.enumerate():
                if type(thread).__name__ == "_AsyncWriterThread":
                    thread.join(1.0)
            raise OSError(error.errno, error.strerror or str(error), str(self.logs.folder)) from None
        finally:
            threading.excepthook = hook


def _write_graph(writer: Any, module: nn.Module, sample: Tensor) -> None:
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # TensorBoard's writer of graphs, in torch itself, has nothing newer to use.
            warnings.filterwarnings("ignore", message=".*torch.jit.trace.*", category=DeprecationWarning)
            # A module of the user's own may branch on its input; the graph then shows one branch.
            warnings.filterwarnings("ignore", category=TracerWarning)
            writer.add_graph(module, sample)
    finally:
        for part, was_training in modes:
            part.training = was_training
