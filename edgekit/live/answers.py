"""A model's answer to every frame: of the frames since the hand rests, or of the last ones while it moves.

A held letter is read soonest from the frames in which it is held, without those that lead there; a letter that moves is
read from its movement.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgekit.data import fit_length
from edgekit.evaluate import predict_batches
from edgekit.evaluate.predictions import checked_logits
from edgekit.runtime import NativePredictor, Predictor, StepPredictor

F32 = NDArray[np.float32]


class Answers(Protocol):
    """Outputs after every frame with a hand."""

    steps: bool
    """Whether a frame costs one step of the model."""

    def push(self, frame: F32, resting: int) -> F32:
        """Outputs float32 (classes,) after one more frame, float32 (features,). resting: for how many frames the hand
        has been at rest, this one included; 0 while it moves."""

    def reset(self) -> None:
        """What comes next is a first frame."""


class WindowAnswers:
    """One run of the model a frame: it reads the last frames as a take. most: of how many at most. frames: of a take as
    the model reads it."""

    steps = False

    def __init__(self, predictor: Predictor | NativePredictor, frames: int, most: int) -> None:
        self._predictor, self._frames, self._most = predictor, frames, most
        self._window: list[F32] = []

    def push(self, frame: F32, resting: int) -> F32:
        """See `Answers`."""
        self._window = [*self._window[1 - self._most :], frame] if self._most > 1 else [frame]
        last = self._window[-(resting + 1) :] if resting else self._window
        take = fit_length(np.stack(last)[None], np.array([len(last)]), self._frames)
        outputs: F32 = predict_batches(self._predictor, take, getattr(self._predictor, "fixed_batch", None) or 1)[0]
        return outputs

    def reset(self) -> None:
        """See `Answers`."""
        self._window = []


class StepAnswers:
    """One step a frame, of three states: one that begins anew as long as the hand moves, and two that take turns and
    begin anew every `restart` frames, of which the older one answers while the hand moves, and again when it has rested
    for so long: a state that runs on at rest grows too sure."""

    steps = True

    def __init__(self, predictor: StepPredictor | NativePredictor, restart: int) -> None:
        self._stream, self._apart, self._path = predictor.stream(rows=3), max(restart // 2, 1), str(predictor.info.path)
        self._seen = 0

    def push(self, frame: F32, resting: int) -> F32:
        """See `Answers`."""
        turn, since = divmod(self._seen, self._apart)
        if turn and not since:
            self._stream.reset(1 + turn % 2)
        if not resting:
            self._stream.reset(0)
        row = 0 if 0 < resting <= 2 * self._apart else 1 + ((turn + 1) % 2 if turn else 0)
        self._seen += 1
        outputs: F32 = checked_logits(self._stream.step(frame, row)[None], self._path)[0]
        return outputs

    def reset(self) -> None:
        """See `Answers`."""
        self._stream.reset()
        self._seen = 0


def open_answers(predictor: Predictor | NativePredictor, frames: int, window: int) -> Answers:
    """By steps where the file has them, else by a window. frames: of a take. window: frames that an answer is of while
    the hand moves."""
    if isinstance(predictor, StepPredictor) or (isinstance(predictor, NativePredictor) and predictor.streams):
        return StepAnswers(predictor, window)
    return WindowAnswers(predictor, frames, window)
