"""A stream whose state is never old: two states, begun anew in turns, of which the older one answers.

A state that runs on for ever holds on to what was long ago: models learn from takes that begin from zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import ConfigError, ModelFileError
from edgekit.runtime.native import NativePredictor
from edgekit.runtime.native_stream import NativeStream
from edgekit.runtime.session import Predictor
from edgekit.runtime.steps import OnnxStream, StepPredictor

F32 = NDArray[np.float32]


class RestartedStream:
    """A stream of `reset`, `step` and `skip`, as `NativePredictor.stream` and `StepPredictor.stream` give one. Made by
    `open_stream`.

    An answer is that of a take which began with an earlier frame: with the first one as long as there are no more than
    `every`, then with one that is more than half of `every` frames ago, and at most `every`.
    """

    def __init__(self, rows: NativeStream | OnnxStream, every: int) -> None:
        """rows: a stream of two states. every: frames after which a state is begun anew, at least 2."""
        self._rows, self._apart = rows, every // 2
        self._seen = 0

    def reset(self) -> None:
        """Begin anew: what comes next is a first frame."""
        self._rows.reset()
        self._seen = 0

    def step(self, frame: ArrayLike) -> F32:
        """Logits float32 (classes,) after one more frame, float32 (features,). Raises as the streams inside do; the
        stream is as it was then."""
        logits = self._rows.step(frame, self._turn())
        self._seen += 1
        return logits

    def skip(self, frame: ArrayLike) -> None:
        """The same without an answer."""
        self._turn()
        self._rows.skip(frame)
        self._seen += 1

    def _turn(self) -> int:
        """The row that answers; the other one is begun anew where it is time."""
        turn, since = divmod(self._seen, self._apart)
        if turn and not since:
            self._rows.reset(turn % 2)
        return (turn + 1) % 2 if turn else 0


def open_stream(
    predictor: Predictor | NativePredictor, restart: int = 0
) -> RestartedStream | NativeStream | OnnxStream:
    """A stream through an open model, of `reset`, `step` and `skip`. restart: frames after which a state is begun anew,
    while another one answers; 0 for a single state that runs on.

    Raises ModelFileError for a model that has no steps: an ONNX file that reads takes, or a library of a model that
    reads them backwards, too; ConfigError for a restart of 1 or less than 0.
    """
    if restart < 0 or restart == 1:
        raise ConfigError(f"restart {restart}: expected 0, for a state that runs on, or at least 2 frames")
    if not isinstance(predictor, StepPredictor | NativePredictor):
        path = predictor.info.path
        raise ModelFileError(
            f"{path}: reads takes, and has no steps; `edgekit step {path}` makes a file of it that has"
        )
    return RestartedStream(predictor.stream(rows=2), restart) if restart else predictor.stream()
