"""The reader: frames in, letters and words out."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edgekit.data import HAND_FEATURES, USUAL_FRAMES
from edgekit.data.canonical import canonical_landmarks
from edgekit.data.hand import frames_with_hand
from edgekit.data.pictures import LARGEST_ASPECT, LEAST_ASPECT
from edgekit.errors import ConfigError, ShapeError, require_kind
from edgekit.evaluate import are_probabilities, means_no_sign, softmax
from edgekit.evaluate.no_sign import LOST_FRAMES
from edgekit.live.answers import open_answers
from edgekit.live.clock import MODEL_RATE, Clock
from edgekit.live.decisions import Decision, FileRule
from edgekit.live.events import Event, EventKind
from edgekit.live.motion import Motion
from edgekit.live.speller import RULED_ENTER, STEPS_ENTER, Change, Seen, Speller, Thresholds
from edgekit.predict import open_labels, usual_frames
from edgekit.reading import StrPath
from edgekit.runtime import Runtime

F32 = NDArray[np.float32]

NUMBER = (int, float, np.integer, np.floating)
#: Seconds without a letter after which a word has ended.
PAUSE_S = 0.75
#: Frames whose handedness is put to the vote: trackers change their mind.
VOTES = 15


class Reader:
    """Reads a stream frame by frame and tells what happens: letters, words, hands that come and go.

    model: a file of takes or of `edgekit step`, or with runtime "native" a library or its folder. class_names: of its
    outputs, where the file names none. rate: frames a second of frames that come without times. pause_s: seconds
    without a letter after which a word has ended, more than 0. least: probability of a letter that is written, 0 to 1;
    by default 0.7 of a model that goes by steps, 0.6 of another file with a rule for no sign that counts, else 0.78.
    thresholds: all that decides, instead. is_sign: whether an answer tells of a sign at all; by default what the file
    says of that (`FileRule`), unless reject is False. Classes called "no sign" never do.

    Not for use from several threads at once. Raises ModelFileError for a model that can't be read, ConfigError for a
    setting out of range, InputError for one that is none.
    """

    def __init__(
        self,
        model: StrPath,
        *,
        class_names: Sequence[str] | None = None,
        runtime: Runtime = "onnxruntime",
        rate: float = MODEL_RATE,
        pause_s: float = PAUSE_S,
        least: float | None = None,
        thresholds: Thresholds | None = None,
        is_sign: Decision | None = None,
        reject: bool = True,
    ) -> None:
        _check_kinds({"rate": rate, "pause_s": pause_s, "least": 0 if least is None else least}, thresholds, runtime)
        if not 0 < pause_s < 1e6:
            raise ConfigError(f"pause {pause_s!r}: expected seconds, more than 0 and less than a million")
        self._model = open_labels(Path(model), class_names, runtime)
        self.names, self.features = self._model.names, self._model.features
        self._clock, self._pause_s = Clock(rate), pause_s
        self._is_sign = is_sign or FileRule(self._model.metadata, reject)
        self._letters = np.array([not means_no_sign(name) for name in self.names])
        window = usual_frames(self._model.frames) if self._model.frames <= USUAL_FRAMES else self._model.frames
        self._answers = open_answers(self._model.predictor, self._model.frames, window)
        spelled = all(len(name) == 1 for name, letter in zip(self.names, self._letters, strict=True) if letter)
        self._spelled = spelled and self.features == HAND_FEATURES
        rule = is_sign is None and reject and self._model.metadata is not None and self._model.metadata.no_sign
        usual = STEPS_ENTER if self._answers.steps else RULED_ENTER if rule else Thresholds.enter
        rules = thresholds or Thresholds.of(usual if least is None else least)
        self._speller = Speller(self.names, rules, self._spelled)
        self._motion = Motion()
        self._space = "" if spelled else " "
        self._frame, self._missing, self._signed_s = -1, LOST_FRAMES, 0.0
        self._words: list[str] = []
        self._word: list[str] = []
        self._sides: deque[bool] = deque(maxlen=VOTES)
        self._right = self._seen = False

    @property
    def thresholds(self) -> Thresholds:
        """What decides when a letter is written."""
        return self._speller.rules

    @property
    def text(self) -> str:
        """Everything written so far, words with a space between them."""
        return " ".join([*self._words, *([self._space.join(self._word)] if self._word else [])])

    @property
    def now(self) -> tuple[str, float] | None:
        """The letter that is held now and its probability; None where there is none."""
        current = self._speller.current
        return None if current is None else (self.names[current], float(self._speller.average[current]))

    @property
    def hand(self) -> bool:
        """Whether a hand is there."""
        return self._missing < LOST_FRAMES

    @property
    def seen(self) -> bool:
        """Whether the last frame shows a hand; one that is lost for less than `LOST_FRAMES` is still there."""
        return self._seen

    @property
    def time_s(self) -> float:
        """The time of the last frame."""
        return self._clock.now_s

    @property
    def steps(self) -> bool:
        """Whether a frame costs a step of the model rather than a take."""
        return self._answers.steps

    def read(
        self,
        frame: ArrayLike | None,
        time_s: float | None = None,
        hand: str | None = None,
        aspect: float | None = None,
    ) -> list[Event]:
        """What one more frame brings, often nothing.

        frame: as many numbers as the model reads, 63 for one hand, or (21, 3); None, nothing or zeros where no hand is
        seen. time_s: when, in seconds from any moment on; without it frames are 1 / rate apart. hand, aspect: of this
        frame, as recordings have them (L or R; width / height); without them it is read as it is. Raises ShapeError
        for what is no frame, DataError for a time that goes back.
        """
        require_kind(time_s, (*NUMBER, type(None)), "Reader.read: time_s", "seconds, or None")
        require_kind(aspect, (*NUMBER, type(None)), "Reader.read: aspect", "width / height, or None")
        landmarks = self._landmarks(frame, hand, aspect)
        ticks = self._clock.ticks(landmarks, time_s)
        self._frame, self._seen = self._frame + 1, landmarks is not None
        return [event for tick in ticks for event in self._tick(tick)]

    def end(self) -> list[Event]:
        """The stream is over: the letter and the word that are open end."""
        return [*self._end_letter(), *self._end_word()]

    def _landmarks(self, frame: ArrayLike | None, hand: str | None, aspect: float | None) -> F32 | None:
        values = _as_frame(frame, self.features)
        if hand not in (None, "L", "R"):
            raise ShapeError(f"a frame's hand is {hand!r}; expected L, R or None")
        if aspect is not None and not LEAST_ASPECT <= aspect <= LARGEST_ASPECT:
            raise ShapeError(
                f"a frame's aspect is {aspect!r}; expected width / height, {LEAST_ASPECT:g} to {LARGEST_ASPECT:g}, or"
                " None"
            )
        if values is None:
            return None
        if hand is not None:
            self._vote(hand == "R")
        side = None if hand is None else np.array(["R" if self._right else "L"])
        shape = None if aspect is None else np.array([aspect], np.float32)
        canonical: F32 = canonical_landmarks(values[None, None], side, shape)[0, 0]
        return canonical

    def _vote(self, right: bool) -> None:
        """The hand is what most of the last frames say; of another one nothing is known yet."""
        self._sides.append(right)
        votes = sum(self._sides) * 2 - len(self._sides)
        if votes and (votes > 0) != self._right:
            self._right = votes > 0
            self._forget()

    def _forget(self) -> None:
        self._answers.reset()
        self._motion.reset()

    def _tick(self, frame: F32 | None) -> list[Event]:
        """After 1/30 s."""
        events = self._without_hand() if frame is None else self._with_hand(frame)
        if self._speller.current is not None or any(event.kind == "letter ended" for event in events):
            self._signed_s = self._clock.now_s
        silent_s = self._clock.now_s - self._signed_s
        return [*events, *(self._end_word() if silent_s >= self._pause_s else [])]

    def _without_hand(self) -> list[Event]:
        self._missing += 1
        if self._missing != LOST_FRAMES:
            return []
        self._forget()
        self._sides.clear()
        return [*self._end_letter(), self._event("hand lost")]

    def _with_hand(self, frame: F32) -> list[Event]:
        found = [] if self.hand else [self._event("hand found")]
        self._missing = 0
        self._motion.push(frame)
        outputs = self._answers.push(frame, self._motion.resting if self._spelled else 0)
        seen = Seen(self._motion.resting, self._motion.travel, self._motion.step)
        changes = self._speller.answer(self._probabilities(outputs), seen)
        return [*found, *map(self._written, changes)]

    def _end_letter(self) -> list[Event]:
        return [self._written(change) for change in self._speller.finish()]

    def _written(self, change: Change) -> Event:
        """A change, written down."""
        label = self.names[change.index]
        if change.kind == "letter":
            self._word.append(label)
        return self._event(change.kind, label, change.probability)

    def _end_word(self) -> list[Event]:
        if not self._word:
            return []
        word = self._space.join(self._word)
        self._words, self._word = [*self._words, word], []
        return [self._event("word ended", word)]

    def _event(self, kind: EventKind, label: str | None = None, probability: float | None = None) -> Event:
        return Event(kind, self._frame, self._clock.now_s, label, probability, self.text)

    def _probabilities(self, outputs: F32) -> F32:
        """Of the letters, float32 (classes,); all zero where nobody signs."""
        ready = self._model.metadata is None and are_probabilities(outputs[None])
        probabilities = outputs if ready else softmax(outputs[None])[0]
        sign = self._letters[int(probabilities.argmax())] and self._is_sign(outputs, probabilities)
        return np.where(self._letters & sign, probabilities, 0).astype(np.float32)


def _check_kinds(numbers: Mapping[str, object], thresholds: object, runtime: str) -> None:
    for name, value in numbers.items():
        require_kind(value, NUMBER, f"Reader: {name}", "a number")
    require_kind(thresholds, (Thresholds, type(None)), "Reader: thresholds", "Thresholds, or None")
    if runtime not in get_args(Runtime):
        raise ConfigError(f"Reader: runtime is {runtime!r}; expected one of {', '.join(get_args(Runtime))}")


def _as_frame(frame: ArrayLike | None, features: int) -> F32 | None:
    """float32 (features,), or None where no hand is in it. Raises ShapeError."""
    if frame is None:
        return None
    try:
        with np.errstate(over="ignore"):
            values = np.asarray(frame, dtype=np.float32).ravel()
    except (TypeError, ValueError):
        raise ShapeError(
            f"a frame is {type(frame).__name__}; expected {features} numbers, or None for no hand"
        ) from None
    if not values.size:
        return None
    if len(values) != features:
        raise ShapeError(f"a frame has {len(values)} numbers; the model reads {features}, or None for no hand")
    if not np.isfinite(values).all():
        raise ShapeError("a frame holds NaN or infinity; give None where no hand is seen")
    return values if frames_with_hand(values[None, None]).any() else None
