"""What a running stage tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Epoch:
    """The figures of one finished epoch; accuracies are ratios from 0 to 1, losses in nats.

    left_s: estimated seconds to the last epoch (early stopping may end it sooner). gradient_norm_mean,
    gradient_norm_max: global norm over the epoch's steps, before clipping.
    """

    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    elapsed_s: float
    left_s: float
    gradient_norm_mean: float = 0.0
    gradient_norm_max: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


#: A function that hears of one fit's epochs and knows of no stage; `edgekit.workdir.Watcher` hears of a whole command.
Listener = Callable[[Epoch], None]
