"""Does an answer say that somebody signs? One question, so that another way to answer it can be put in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.evaluate import are_signs
from edgekit.runtime import ModelMetadata

F32 = NDArray[np.float32]

#: A model's outputs for one frame, float32 (classes,), as the file gives them (logits of edgekit's own files) and as
#: probabilities; whether they tell of a sign.
Decision = Callable[[F32, F32], bool]


@dataclass(frozen=True)
class FileRule:
    """What the file itself says: its rule for hands that sign nothing, where it has one (`edgekit.evaluate.are_signs`).
    metadata: of the file; None of one that is not edgekit's, whose every answer is a sign. reject: whether that rule
    counts."""

    metadata: ModelMetadata | None
    reject: bool = True

    def __call__(self, outputs: F32, probabilities: F32) -> bool:
        """See `Decision`."""
        return self.metadata is None or bool(are_signs(outputs[None], self.metadata, reject=self.reject)[0])
