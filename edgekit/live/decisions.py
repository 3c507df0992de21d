"""Does an answer say that somebody signs? One question, so that another way to answer it can be put in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError

F32 = NDArray[np.float32]

#: A model's outputs for one frame, float32 (classes,), as the file gives them (logits of edgekit's own files) and as
#: probabilities; whether they tell of a sign.
Decision = Callable[[F32, F32], bool]
#: Classes that are no letter, whatever their probability.
NO_SIGN = "no sign"


def means_no_sign(class_name: str) -> bool:
    """Whether a class is called "no sign", in either case, with a dash or an underscore for the space."""
    return class_name.strip().replace("_", " ").replace("-", " ").casefold() == NO_SIGN


@dataclass(frozen=True)
class LeastProbability:
    """A sign is an answer whose largest probability is at least so much. Raises ConfigError unless it is 0 to 1."""

    least: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.least <= 1:
            raise ConfigError(f"least probability {self.least!r}: expected 0 to 1")

    def __call__(self, outputs: F32, probabilities: F32) -> bool:
        """See `Decision`."""
        return bool(probabilities.max() >= self.least)
