"""What a predictor answers to takes, checked: logits or probabilities, in batches."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ModelFileError, ShapeError

F32 = NDArray[np.float32]

#: Rows of non-negative outputs that add up to 1 within this are probabilities.
SUM_TOLERANCE = 1e-3
#: What minus infinity becomes, as of the logarithm of a softmax that underflowed: it stays the least there is.
LEAST = float(np.finfo(np.float32).min)


def predict_batches(predict: Callable[[F32], F32], x: F32, batch: int | None = None) -> F32:
    """Logits float32 (takes, classes) of x (takes, time, features), `batch` takes at a time.

    batch: by default what the predictor asks for (`edgekit.runtime.Predictor.scoring_batch`), or 256. The last
    batch of a predictor with a `fixed_batch` is filled up with copies of its last take. Raises ShapeError for a
    batch below 1.
    """
    size = getattr(predict, "scoring_batch", 256) if batch is None else batch
    if size < 1:
        raise ShapeError(f"batch: {size}; expected at least 1")
    missing = -len(x) % (getattr(predict, "fixed_batch", None) or 1)
    filled = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
    logits = np.concatenate([predict(filled[k : k + size]) for k in range(0, len(filled), size)])[: len(x)]
    return checked_logits(logits, _name(predict))


def checked_logits(logits: F32, name: str) -> F32:
    """Logits (takes, classes) in which every take has a largest number; minus infinity as the least float32.

    NaN compares as no number does, so an answer taken from it would be one that the model did not give. name: of the
    model, for the message. Raises ModelFileError naming the first take that is NaN or infinite.
    """
    if logits.ndim != 2 or not logits.size:
        return logits
    wrong = np.flatnonzero(~np.isfinite(logits.max(axis=1)))
    if len(wrong):
        values = ", ".join(f"{value:g}" for value in logits[wrong[0]][:4])
        raise ModelFileError(
            f"{name}: answers {values}{', ...' if logits.shape[1] > 4 else ''} to take {wrong[0]}"
            f" ({len(wrong)} of {len(logits)} takes): that can't be judged; check its weights, and that it"
            " reads landmarks as recorded"
        )
    return np.maximum(logits, np.float32(LEAST))


def _name(predict: object) -> str:
    return str(getattr(getattr(predict, "info", None), "path", "the model"))


def are_probabilities(outputs: F32) -> bool:
    """Whether all rows of outputs (takes, classes) are probabilities, as of a model that ends in a softmax."""
    return bool((outputs >= 0).all() and (np.abs(outputs.sum(axis=1) - 1.0) < SUM_TOLERANCE).all())


def softmax(logits: F32) -> F32:
    """Logits (takes, classes) to probabilities, rows adding up to 1."""
    with np.errstate(over="ignore"):  # the least float32 less a huge one is minus infinity: probability 0
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: F32 = raised / raised.sum(axis=1, keepdims=True)
    return probabilities
