"""Does anybody sign? From a model's answers and what its file says of itself; numpy only.

A model of letters calls everything a letter. Three things tell that there is none: no hand is seen, the answer is a
class that means so, or the answer is too weak by the rule that the file holds (`edgekit.runtime.Rejection`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.data import frames_with_hand, knows_hands
from edgekit.errors import ShapeError
from edgekit.runtime import ModelMetadata, Rejection, Score

F32 = NDArray[np.float32]
Bools = NDArray[np.bool_]

#: What the answer is called where nobody signs.
NO_SIGN = "no sign"
#: Names of classes that mean it, with spaces for dashes and underscores; none that a word to sign is likely to have.
NO_SIGN_NAMES = ("no sign", "nosign", "nothing", "idle", "background", "no gesture")
#: A hand that is in none of so many frames on end has left the picture; trackers lose one for up to four.
LOST_FRAMES = 5


def means_no_sign(class_name: str) -> bool:
    """Whether a class is called by one of `NO_SIGN_NAMES`, in either case."""
    return class_name.strip().replace("_", " ").replace("-", " ").casefold() in NO_SIGN_NAMES


def sign_scores(logits: F32, score: Score) -> F32:
    """How much each row of logits float32 (n, classes) looks like a sign, float32 (n,): the higher, the more.

    probability: the largest of the softmax, 0 to 1 (Hendrycks and Gimpel 2017). energy: the logarithm of the sum of the
    exponentials, in nats (Liu et al. 2020, equation 4 with temperature 1, its sign changed).
    """
    most = logits.max(axis=1)
    with np.errstate(over="ignore"):  # the least float32 less a huge one is minus infinity: probability 0
        sums = np.exp(logits - most[:, None]).sum(axis=1)
    found: F32 = 1.0 / sums if score == "probability" else most + np.log(sums)
    return found.astype(np.float32)


def are_signs(
    logits: F32, metadata: ModelMetadata | None, class_names: Sequence[str] | None = None, reject: bool = True
) -> Bools:
    """Which rows of logits float32 (n, classes) are answers that a sign was seen, bool (n,).

    metadata: what the file says of itself; None of a file that is not edgekit's. class_names: of the outputs, where
    somebody says others. False where the best class means that nobody signs, and where the file has a rule and the
    answer is weaker than it asks for. reject: whether that rule counts. Whether a hand is seen is not asked here: see
    `hand_is_seen`. Raises ShapeError for logits of another shape.
    """
    names = class_names if class_names is not None else (() if metadata is None else metadata.class_names)
    if logits.ndim != 2 or (names and logits.shape[1] != len(names)):
        raise ShapeError(f"logits: expected (n, {len(names) or 'classes'}), got {logits.shape}")
    silent = [k for k, name in enumerate(names) if means_no_sign(name)]
    signs: Bools = np.isin(logits.argmax(axis=1), silent, invert=True)
    rule = None if metadata is None or not reject else metadata.no_sign
    return signs if rule is None else np.logical_and(signs, strong_answers(logits, rule))


def strong_answers(logits: F32, rule: Rejection) -> Bools:
    """Which rows of logits float32 (n, classes) the rule takes for signs, bool (n,)."""
    found: Bools = sign_scores(logits, rule.score) >= np.float32(rule.threshold)
    return found


def hand_is_seen(frames: F32) -> bool:
    """Whether a hand is in one of the last `LOST_FRAMES` of frames float32 (time, features), or of all where there are
    fewer. True where nobody knows which of the numbers are a hand's."""
    if not knows_hands(frames.shape[1]):
        return True
    return bool(frames_with_hand(frames[None, -LOST_FRAMES:]).any())


def takes_with_hand(x: F32) -> Bools:
    """Which takes (takes, time, features) show a hand in any frame, bool (takes,). True where nobody knows which of the
    numbers are a hand's."""
    if not knows_hands(x.shape[2]):
        return np.ones(len(x), dtype=np.bool_)
    seen: Bools = np.logical_or.reduce(frames_with_hand(x), axis=1)
    return seen
