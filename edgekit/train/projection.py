"""What has to stay true of the weights while a run trains them."""

from __future__ import annotations

from typing import Any, Protocol

from torch import nn


class Projection(Protocol):
    """Puts weights back where they have to be, such as at zero, after an optimiser that knows nothing of it moved them.

    `edgekit.train.fit` calls `begin_epoch` before the first batch of every epoch and `apply` after every step of the
    optimiser, both with the module in training. Nothing is attached to the module.
    """

    @property
    def settled_from(self) -> int:
        """The first epoch, from 0, whose weights count: earlier ones are never the best, and neither early stopping nor
        a falling learning rate judges them."""

    def begin_epoch(self, module: nn.Module, epoch: int) -> None:
        """Get ready for an epoch, counted from 0, and put the weights where it wants them."""

    def apply(self, module: nn.Module) -> None:
        """Put the weights back, in place."""

    def state_dict(self) -> dict[str, Any]:
        """What the next epochs depend on: tensors, numbers, lists and dicts; a resume file holds nothing else."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state that `state_dict` gave."""
