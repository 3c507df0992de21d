"""Step models: one frame a run, with states that go in and come out. Whole takes by steps, and streams."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.errors import ModelFileError
from edgekit.runtime.guard import GuardedSession
from edgekit.runtime.inspection import ModelInfo
from edgekit.runtime.metadata import ModelMetadata
from edgekit.runtime.session import SCORING_BATCH, Predictor, Shape, checked, validate_input

F32 = NDArray[np.float32]
FRAME, LOGITS = "frame", "logits"
#: Numbers of all states of the takes that are scored at once: 64 MB.
MOST_STATES = 2**24


class StepPredictor(Predictor):
    """An open step model, called as a `Predictor` is: a take is a stream from zero, its answer that of its last frame.
    Made by `open_predictor`.

    input_shape: of takes, as the file reads them that the step model was made from.
    """

    def __init__(self, session: GuardedSession, info: ModelInfo) -> None:
        if info.metadata is None:
            raise ModelFileError(f"{info.path}: no step model; it holds no metadata")
        self._session, self.info = session, info
        self.input_name, self.output_name = FRAME, LOGITS
        metadata = self._metadata = info.metadata
        _check_ports(session, metadata, info.path)
        self.input_shape: Shape = ("batch", metadata.sequence_length, metadata.features)
        self.classes = len(metadata.class_names)

    @property
    def scoring_batch(self) -> int:
        """As of other files, and no more takes than whose states fit in `MOST_STATES` numbers."""
        each = sum(state.zeros(1).size for state in self._metadata.states)
        return 1 if self.info.batch_dependent else max(1, min(SCORING_BATCH, MOST_STATES // each))

    @property
    def streams(self) -> bool:
        """Whether it can go on from frame to frame, as `stream` does."""
        return True

    def __call__(self, x: ArrayLike) -> F32:
        """x float32 (batch, frames, features) to logits float32 (batch, classes) after the last frame. Raises as
        `Predictor` does."""
        values = validate_input(x, self.input_shape, "takes")
        *_, logits = self.answers(values)
        return logits

    def answers(self, x: F32) -> Iterator[F32]:
        """Logits float32 (batch, classes) after each frame of x (batch, any number of frames, features)."""
        values = validate_input(x, ("batch", "frames", self._metadata.features), "takes")
        states = {state.name: state.zeros(len(values)) for state in self._metadata.states}
        wanted = [LOGITS, *(state.next_name for state in self._metadata.states)]
        for t in range(values.shape[1]):
            logits, *new = self._session.run(wanted, {FRAME: values[:, t], **states})
            states = dict(zip(states, new, strict=True))
            yield checked(logits, len(values), self.info.path)

    def stream(self, rows: int = 1) -> OnnxStream:
        """A new stream. rows: states that it keeps, which can be reset one by one and take the same frames."""
        return OnnxStream(self._session, self._metadata, self.info.path, rows)


class OnnxStream:
    """A stream that begins with its first step. Made by `StepPredictor.stream`. The states stay in the process that
    runs the model. One thread at a time."""

    def __init__(self, session: GuardedSession, metadata: ModelMetadata, path: Path, rows: int) -> None:
        self.features, self.classes, self.rows = metadata.features, len(metadata.class_names), rows
        self._session, self._path, self._key = session, path, ""
        self._anew: list[int] = []
        self._states = {
            state.name: (state.next_name, state.zeros(rows).shape, state.shape.index("batch"))
            for state in metadata.states
        }
        self.reset()

    def reset(self, row: int | None = None) -> None:
        """Begin anew: what comes next is a first frame. row: of that one only."""
        self._anew += range(self.rows) if row is None else [row]
        if row is None and not self._session.lives(self._key):
            ports = {FRAME: (self.rows, self.features), LOGITS: (self.rows, self.classes)}
            self._key = self._session.begin(ports, self._states)

    def step(self, frame: ArrayLike, row: int = 0) -> F32:
        """Logits float32 (classes,) after one more frame, float32 (features,). Raises ShapeError for what is no such
        frame, ModelFileError where the model fails; the stream is as it was then."""
        values = validate_input(frame, (self.features,), "landmarks")
        logits = self._session.step(self._key, values, self._anew)
        self._anew = []
        answer: F32 = checked(logits, self.rows, self._path)[row]
        return answer

    def skip(self, frame: ArrayLike) -> None:
        """The same without an answer."""
        self.step(frame)


def _check_ports(session: GuardedSession, metadata: ModelMetadata, path: Path) -> None:
    """Raises ModelFileError for inputs and outputs that are not those which the metadata tells of."""
    states = {state.name: state.shape for state in metadata.states}
    wanted: dict[str, tuple[int | str, ...]] = {FRAME: ("batch", metadata.features), **states}
    given: dict[str, tuple[int | str, ...]] = {LOGITS: ("batch", len(metadata.class_names))}
    given |= {state.next_name: state.shape for state in metadata.states}
    for ports, told in ((session.inputs, wanted), (session.outputs, given)):
        found = {port.name: tuple(port.shape) for port in ports if port.type == "tensor(float)"}
        if found != told or len(ports) != len(told):
            raise ModelFileError(
                f"{path}: its metadata says that it reads one frame a run with {len(states)} states, and its inputs and"
                " outputs are others; make it again with `edgekit step`"
            )
