"""What comes of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgekit.train.progress import Epoch


@dataclass(frozen=True)
class FitResult:
    """How a run went. `best_epoch`, or the last where that is kept, counts from 1; its weights are in the module then.

    val_confusion: of the validation takes at that epoch, row the true class, column the predicted one.
    """

    history: tuple[Epoch, ...]
    best_epoch: int
    val_accuracy: float
    val_loss: float
    elapsed_s: float
    stopped_early: bool
    val_confusion: tuple[tuple[int, ...], ...]

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
