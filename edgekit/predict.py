"""Labels for takes and for streams of frames, from a finished model file. Works without torch and onnx."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgekit.data import (
    USUAL_FRAMES,
    canonical_takes,
    fit_length,
    knows_hands,
    load_recordings,
    read_take,
    used_frames,
)
from edgekit.data.lines import parse_landmarks
from edgekit.errors import ConfigError, DataError, ModelFileError, ShapeError
from edgekit.evaluate import (
    Prediction,
    StreamAnswer,
    are_probabilities,
    hand_is_seen,
    means_no_sign,
    predict_batches,
    softmax,
    strong_answers,
    takes_with_hand,
)
from edgekit.evaluate.class_names import check_count, contradiction
from edgekit.evaluate.no_sign import LOST_FRAMES
from edgekit.evaluate.predictions import checked_logits
from edgekit.evaluate.reading import read_as
from edgekit.reading import StrPath
from edgekit.runtime import Runtime, StepPredictor, inspect_model, open_native, open_predictor, open_stream
from edgekit.shipped import Box

F32 = NDArray[np.float32]

MIN_FRAMES = 10


#: The label, None where nobody signs, and the probability.
_Answer = tuple[str | None, float]


def without_hand(answer: _Answer) -> _Answer:
    """What is answered where no hand was seen: nothing, unless the model has a class for it and says so itself."""
    label = answer[0]
    return answer if label is not None and means_no_sign(label) else (None, 0.0)


class _Labels:
    """An open file that answers with a name and a probability. reject: whether its rule for no sign counts."""

    def __init__(
        self, model: StrPath, class_names: Sequence[str] | None, runtime: Runtime, reject: bool = True
    ) -> None:
        self.path = Path(model)
        self.predictor = open_native(self.path) if runtime == "native" else open_predictor(self.path)
        self.metadata = self.predictor.info.metadata
        shape, outputs = self.predictor.input_shape, self.predictor.classes
        reading = read_as(self.path, self.metadata, shape, outputs, class_names)
        if reading.class_names is None:
            raise ModelFileError(
                f"{model}: holds no class names; name them, first output to last, with --class-names NAME,NAME,..."
            )
        if reading.frames is None or reading.features is None:
            raise ModelFileError(
                f"{model}: its input is {shape}, so how long a take it reads is not known; export it with fixed frames"
                " and features"
            )
        self._rule = self.metadata.no_sign if self.metadata is not None and reject else None
        self.names, self.frames, self.features = reading.class_names, reading.frames, reading.features

    def answers(self, x: F32, batch: int | None = None) -> list[_Answer]:
        """x float32 (takes, time, features)."""
        named = self.named(predict_batches(self.predictor, x, batch))
        return [
            answer if hand else without_hand(answer) for answer, hand in zip(named, takes_with_hand(x), strict=True)
        ]

    def named(self, outputs: F32) -> list[_Answer]:
        """outputs float32 (takes, classes), of takes with a hand; those of a file from elsewhere may be probabilities
        already."""
        check_count(self.names, outputs.shape[1], self.path)
        ready = self.metadata is None and are_probabilities(outputs)
        probabilities = outputs if ready else softmax(outputs)
        best = probabilities.argmax(axis=1)
        strong = np.ones(len(best), np.bool_) if self._rule is None else strong_answers(outputs, self._rule)
        names = [self.names[label] if sign else None for label, sign in zip(best, strong, strict=True)]
        return [
            (name, round(float(row[label]), 6)) for name, row, label in zip(names, probabilities, best, strict=True)
        ]


def predict_takes(
    model: StrPath,
    recordings: StrPath,
    class_names: Sequence[str] | None = None,
    box: Box | None = None,
    runtime: Runtime = "onnxruntime",
    reject: bool = True,
) -> tuple[Prediction, ...]:
    """Labels for every take of a file or folder of recordings, or of one take `.npy` (frames, features).

    class_names: of the model's outputs, where the file does not name them. box: where the model is the one that edgekit
    comes with and nobody named it: recordings of which no class is called by one of its names are refused, too, with a
    DataError. runtime: "native" where model is a library of `edgekit compile`, or a
    folder with one. reject: whether answers weaker than the file's rule asks for have no label. A take without any hand
    never has one. Raises ModelFileError for a model whose
    outputs nobody names or are no numbers, ShapeError for takes that it does not read, ConfigError for names that are
    not as many as its outputs.
    """
    labels = _Labels(model, class_names, runtime, reject)
    x, used, known = _read_takes(Path(recordings), labels.frames)
    if box is not None:
        box.refuse_others(x.shape[2], known, str(recordings))
    if x.shape[2] != labels.features:
        raise ShapeError(f"{recordings}: {x.shape[2]} numbers per frame; {model} reads {labels.features}")
    try:
        answers = labels.answers(x, labels.predictor.fixed_batch or 1)
    except ShapeError as error:
        raise ShapeError(f"{recordings}: {error}") from None
    return tuple(
        Prediction(str(recordings), k, label, probability, max(int(used[k]) - labels.frames, 0), bool(used[k] == 0))
        for k, (label, probability) in enumerate(answers)
    )


def open_labels(model: StrPath, class_names: Sequence[str] | None = None, runtime: Runtime = "onnxruntime") -> _Labels:
    """An open file with what it reads and what its outputs are called; raises as `predict_takes` does."""
    return _Labels(model, class_names, runtime)


def naming_note(model: StrPath, class_names: Sequence[str] | None, runtime: Runtime = "onnxruntime") -> str | None:
    """Note that names which were said differ from those that the file has for its outputs; else None."""
    metadata = (open_native(model).info if runtime == "native" else inspect_model(model)).metadata
    return contradiction(class_names, None if metadata is None else metadata.class_names, model)


def _read_takes(path: Path, frames: int) -> tuple[F32, NDArray[np.int64], tuple[str, ...]]:
    """x (takes, frames, features), how many frames each take has up to its last hand, and the classes' names."""
    known: tuple[str, ...] = ()
    if path.suffix == ".npy":
        take = read_take(path)
        sequences, lengths = take[None], np.array([len(take)])
        x = fit_length(sequences, lengths, frames)  # nothing says what its picture was
    else:
        recordings = load_recordings(path)
        sequences, lengths, known = recordings.sequences, recordings.lengths, recordings.class_names
        x = canonical_takes(recordings, frames)
    return x, used_frames(sequences, lengths), known


def predict_frames(
    model: StrPath,
    lines: Iterable[str],
    min_frames: int | None = None,
    class_names: Sequence[str] | None = None,
    runtime: Runtime = "onnxruntime",
    step: bool = False,
    restart: int | None = None,
    window: int | None = None,
    reject: bool = True,
) -> Iterator[StreamAnswer]:
    """A stream: one frame of numbers as a JSON list a line in, one label a frame out, over the last frames.

    window: of how many of the last frames an answer is, 1 to the model's sequence length; default `usual_frames`, or
    all that it reads where that are more than 30, since takes as long were there then, or where the file is not
    edgekit's. The model reads them as it reads a take of so many frames, padded
    with the last one that has a hand. min_frames: nothing is answered before so many; default `MIN_FRAMES`, or the
    window where that is shorter. Empty lines are no frames. step: by one step a frame instead; of a library, or of a
    step model, which can't do otherwise. restart: frames after which a state is begun anew while another one answers,
    as `edgekit.runtime.open_stream` has it, 0 for never; default `usual_frames`. reject: as for `predict_takes`; while
    none of the last five frames has a hand, an answer has no label.

    Raises DataError naming the line, or when there is no frame at all; ConfigError for a window that the model has not,
    for min_frames beyond it, a restart without steps or a window with them; ModelFileError for step with a model that
    has none; see `predict_takes` for the model's own.
    """
    labels = _Labels(model, class_names, runtime, reject)
    follow, longest = _follower(labels, step, restart, window)
    if min_frames is None:
        min_frames = min(MIN_FRAMES, longest)
    if min_frames > longest:
        raise ConfigError(
            f"min_frames {min_frames}: an answer is of {longest} frames, and the model reads {labels.frames}"
        )
    seen, last = 0, np.zeros((0, labels.features), np.float32)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        frame = _parse_frame(line, number, labels.features)
        seen += 1
        last = np.concatenate([last[1 - LOST_FRAMES :], frame[None]])
        try:
            answer = follow(frame, seen >= min_frames)
        except ShapeError as error:
            raise DataError(f"line {number}: {error}") from None
        if answer is not None:
            yield StreamAnswer(seen - 1, *(answer if hand_is_seen(last) else without_hand(answer)))
    if not seen:
        raise DataError(f"the stream holds no frame; expected a JSON list of {labels.features} numbers per line")


def usual_frames(frames: int) -> int:
    """Of how many of the last frames an answer in a stream is unless somebody says otherwise: two thirds of those that
    the model reads. After so many a stream's state is begun anew, so that by steps an answer is of the last third at
    least. On joined takes that is the best of what was tried (bench/streams.py)."""
    return max(2, 2 * frames // 3)


#: One more frame; the label and its probability, where an answer is wanted.
_Follow = Callable[[F32, bool], _Answer | None]


def _follower(labels: _Labels, step: bool, restart: int | None, window: int | None) -> tuple[_Follow, int]:
    """What answers, and before how many frames it has to have answered."""
    if step or isinstance(labels.predictor, StepPredictor):
        if window is not None:
            raise ConfigError(
                f"window {window}: of a stream that is read take by take; by steps, restart says how long"
            )
        return _by_step(labels, usual_frames(labels.frames) if restart is None else restart), labels.frames
    if restart is not None:
        raise ConfigError(f"restart {restart}: of a stream that goes by steps; a window starts from zero each time")
    last = _window(labels, window)
    return _by_window(labels, last), last


def _window(labels: _Labels, window: int | None) -> int:
    if window is None:
        whole = labels.metadata is None or labels.frames > USUAL_FRAMES
        return labels.frames if whole else min(usual_frames(labels.frames), labels.frames)
    if not 1 <= window <= labels.frames:
        raise ConfigError(f"window {window}: the model reads {labels.frames} frames; expected 1 to {labels.frames}")
    return window


def _by_step(labels: _Labels, restart: int) -> _Follow:
    stream = open_stream(labels.predictor, restart)

    def follow(frame: F32, wanted: bool) -> _Answer | None:
        if not wanted:
            stream.skip(frame)
            return None
        return labels.named(checked_logits(stream.step(frame)[None], str(labels.path)))[0]

    return follow


def _by_window(labels: _Labels, last: int) -> _Follow:
    window: list[F32] = []

    def follow(frame: F32, wanted: bool) -> _Answer | None:
        window.append(frame)
        del window[:-last]
        take = np.stack(window)[None]
        return labels.answers(fit_length(take, np.array([len(window)]), labels.frames))[0] if wanted else None

    return follow


def _parse_frame(line: str, number: int, features: int) -> F32:
    """A frame without a hand is all zeros, as in recordings."""
    frame = parse_landmarks(line, number, features)
    if frame is None and not knows_hands(features):
        raise DataError(f"line {number}: no hand, and which of {features} numbers are a hand's is not known")
    return np.zeros(features, np.float32) if frame is None else frame
