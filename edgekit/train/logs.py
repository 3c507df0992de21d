"""What people follow a run by: a CSV that grows by a row an epoch, and TensorBoard's files.

Neither has a say in what is learned. `tensorboard --logdir FOLDER` shows the files of all runs below a folder.
"""

from __future__ import annotations

import contextlib
import csv
import io
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from pydantic import Field
from torch import Tensor, nn
from torch.jit._trace import TracerWarning

from edgekit.artifacts import append_text, write_text
from edgekit.config import StageConfig
from edgekit.train.callbacks import EpochReport, module_of
from edgekit.train.progress import Epoch

CSV_NAME = "training_log.csv"
#: Of `Epoch`, as TensorBoard shows them.
SCALARS = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate", "gradient_norm_mean", "gradient_norm_max")


class LogConfig(StageConfig):
    """What TensorBoard gets. The CSV log is always written."""

    tensorboard: bool = Field(default=True, description="whether files for TensorBoard are written")
    histogram_every: int = Field(default=1, ge=0, description="epochs between histograms of every weight; 0: none")
    graph: bool = Field(default=True, description="whether the model's graph is among them")


@dataclass(frozen=True)
class RunLogs:
    """folder: of this run alone. class_names: of the labels, in order; empty: numbers stand for them."""

    folder: Path
    config: LogConfig = field(default_factory=LogConfig)
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))


def csv_text(history: Sequence[Epoch], header: bool = True) -> str:
    """One row an epoch, as in `edgekit.train.Epoch`, six significant digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Epoch.__dataclass_fields__), lineterminator="\n")
    if header:
        writer.writeheader()
    for epoch in history:
        writer.writerow({key: f"{value:.6g}" for key, value in epoch.to_dict().items()})
    return text.getvalue()


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


def class_accuracies(confusion: Tensor, class_names: Sequence[str] = ()) -> dict[str, float]:
    """Accuracy (recall) of each class that has takes, by name; a class without a name is called by its number.

    confusion: (classes, classes), row the true class, column the predicted one, counts of takes.
    """
    takes, right = confusion.sum(dim=1).tolist(), confusion.diagonal().tolist()
    names = [*class_names, *map(str, range(len(class_names), len(takes)))]
    return {name: right[k] / takes[k] for k, name in enumerate(names[: len(takes)]) if takes[k]}
