"""Lightning callbacks: projected weights, the kept weights, early stopping, the report of every epoch, the resume file.

All state that has to survive an interruption goes through `state_dict` and is plain tensors, numbers and lists, so
that the resume file loads with `weights_only=True`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn

from edgekit.train.progress import Epoch, Listener
from edgekit.train.projection import Projection
from edgekit.train.settings import EarlyStoppingConfig


def module_of(run: pl.LightningModule) -> nn.Module:
    """The module that a run trains."""
    module: nn.Module = run.module  # type: ignore[assignment]
    return module


class ProjectedWeights(Callback):
    """Applies a projection after every step of the optimiser, and keeps its state in the resume file."""

    def __init__(self, projection: Projection) -> None:
        self.projection = projection

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.projection.begin_epoch(module_of(pl_module), trainer.current_epoch)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *of_the_batch: Any) -> None:
        self.projection.apply(module_of(pl_module))

    def state_dict(self) -> dict[str, Any]:
        return self.projection.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.projection.load_state_dict(state_dict)


class KeptWeights(Callback):
    """Keeps the weights of the epoch with the highest val_accuracy, ties broken by the lowest val_loss; or the last.

    settled_from: the first epoch, from 0, that may be chosen.
    """

    def __init__(self, settled_from: int = 0, which: Literal["best", "last"] = "best") -> None:
        self.settled_from = settled_from
        self.which = which
        self.epoch = 0
        self.score: tuple[float, float] = (-1.0, 0.0)
        self.weights: dict[str, Tensor] = {}
        self.confusion: Tensor | None = None

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        figures: dict[str, float] = pl_module.figures()  # type: ignore[operator]
        score = (figures["val_accuracy"], -figures["val_loss"])
        if trainer.current_epoch >= self.settled_from and (self.which == "last" or score > self.score):
            self.epoch, self.score = trainer.current_epoch + 1, score
            state = module_of(pl_module).state_dict()
            self.weights = {name: tensor.detach().to("cpu", copy=True) for name, tensor in state.items()}
            self.confusion = pl_module.confusion()  # type: ignore[operator]

    def restore(self, module: nn.Module) -> None:
        """Put the kept weights into the module."""
        module.load_state_dict(self.weights)

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "score": list(self.score), "weights": self.weights, "confusion": self.confusion}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch = state_dict["epoch"]
        self.score = (state_dict["score"][0], state_dict["score"][1])
        self.weights, self.confusion = state_dict["weights"], state_dict["confusion"]


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, which judges epochs from `settled_from`, counted from 0, on."""

    def __init__(self, config: EarlyStoppingConfig, settled_from: int = 0) -> None:
        super().__init__(
            monitor=config.monitor,
            mode="max" if config.monitor == "val_accuracy" else "min",
            patience=config.patience,
            min_delta=config.min_delta,
            check_on_train_epoch_end=False,
        )
        self.settled_from = settled_from

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.settled_from:
            super().on_validation_end(trainer, pl_module)


class EpochReport(Callback):
    """Collects every epoch's figures and hands them to a listener. The clock is passed in; it returns seconds."""

    def __init__(
        self, epochs: int, listener: Listener | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.epochs = epochs
        self.listener = listener
        self.clock = clock
        self.history: list[Epoch] = []
        self.started_s = 0.0
        self.before_s = 0.0
        self.learning_rate = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started_s = self.clock()
        self.before_s = self.history[-1].elapsed_s if self.history else 0.0

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.learning_rate = float(trainer.optimizers[0].param_groups[0]["lr"])  # a plateau lowers it afterwards

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        figures: dict[str, float] = pl_module.figures()  # type: ignore[operator]
        number = trainer.current_epoch + 1
        elapsed_s = self.before_s + self.clock() - self.started_s
        epoch = Epoch(
            epoch=number,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            elapsed_s=elapsed_s,
            left_s=elapsed_s / number * (self.epochs - number),
            **figures,
        )
        self.history.append(epoch)
        if self.listener is not None:
            self.listener(epoch)

    def state_dict(self) -> dict[str, Any]:
        return {"history": [epoch.to_dict() for epoch in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.history = [Epoch(**epoch) for epoch in state_dict["history"]]


class ResumeFile(Callback):
    """After each epoch, a Lightning checkpoint, whole or not at all: see `SealedFiles`. Comes last in the list."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stopped = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.should_stop = trainer.should_stop or self.stopped

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.stopped = trainer.should_stop
        trainer.save_checkpoint(self.path)

    def state_dict(self) -> dict[str, Any]:
        return {"stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.stopped = state_dict["stopped"]
