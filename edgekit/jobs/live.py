"""What `live` does: frames of a camera, a video or a stream of lines through a reader, and how long each part takes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import DataError, InputError
from edgekit.jobs.model_files import find_reader, find_steps
from edgekit.live import Event, Frame, Reader, parse_line
from edgekit.reading import StrPath
from edgekit.results.live import Cost, LiveResult
from edgekit.runtime import Runtime
from edgekit.shipped import Box

if TYPE_CHECKING:
    from edgekit.hands import HandTracker, Pictures

#: What is measured with; tests put their own in its place.
clock: Callable[[], float] = time.perf_counter

ONE_HAND = 63


@dataclass(frozen=True)
class Moment:
    """After one more frame: what happened, the letter that is held and its probability, whether a hand is there, and
    everything written so far."""

    events: tuple[Event, ...]
    now: tuple[str, float] | None
    hand: bool
    text: str


class LiveRun:
    """Reads frames as they are asked for: iterate once, then `result`. Made by `open_lines` and `open_source`."""

    def __init__(
        self,
        reader: Reader,
        source: str,
        frames: Iterator[tuple[Frame, float | None]],
        announced: int | None = None,
    ) -> None:
        """frames: each with the seconds that the tracker took for it, None without one. announced: how many there are,
        where the source says it."""
        self.reader, self._source, self._frames, self._announced = reader, source, frames, announced
        self._tracked: list[float] = []
        self._classified: list[float] = []
        self._count = self._with_hand = self._letters = 0
        self._times = (0.0, 0.0)
        self._began_s = self._last_s = 0.0

    def __iter__(self) -> Iterator[Moment]:
        """A moment a frame, and one when the frames are over."""
        for frame, tracked_s in self._frames:
            yield self._moment(self._read(frame, tracked_s))
        yield self.end()

    def end(self) -> Moment:
        """Whatever is open ends here."""
        return self._moment(self.reader.end())

    def result(self, interrupted: bool = False) -> LiveResult:
        """What it came to so far."""
        return LiveResult(
            self._source,
            self._count,
            self._with_hand,
            self._letters,
            self.reader.text,
            self._times[1] - self._times[0],
            self._last_s - self._began_s,
            Cost.of(self._tracked),
            Cost.of(self._classified),
            self.reader.steps,
            interrupted,
            self._announced,
        )

    def _read(self, frame: Frame, tracked_s: float | None) -> list[Event]:
        before_s = clock()
        events = self.reader.read(frame.landmarks, frame.time_s, frame.hand, frame.aspect)
        self._last_s = clock()
        if not self._count:
            self._began_s = before_s - (tracked_s or 0.0)
        self._count += 1
        self._with_hand += self.reader.seen
        self._classified += [self._last_s - before_s] if self.reader.seen else []
        self._tracked += [] if tracked_s is None else [tracked_s]
        self._times = (self._times[0] if self._count > 1 else self.reader.time_s, self.reader.time_s)
        return events

    def _moment(self, events: list[Event]) -> Moment:
        self._letters += sum(event.kind == "letter" for event in events)
        return Moment(tuple(events), self.reader.now, self.reader.hand, self.reader.text)


def open_lines(reader: Reader, lines: Iterable[str]) -> LiveRun:
    """Frames as lines of JSON (`edgekit.live.parse_line`); empty lines are no frames. Raises DataError with the line's
    number while it is read, and when there is no frame at all."""
    return LiveRun(reader, "stdin", _of_lines(reader, lines))


@contextlib.contextmanager
def open_source(reader: Reader, source: StrPath | int) -> Iterator[LiveRun]:
    """A camera's number, or a video, through the hand tracker: one hand is followed. Raises what `open_pictures` and
    `HandTracker` raise, InputError for a model that does not read one hand."""
    from edgekit.hands import HandTracker, open_pictures

    if reader.features != ONE_HAND:
        raise InputError(f"the model reads {reader.features} numbers a frame; the hand tracker gives {ONE_HAND}")
    tracker = HandTracker(num_hands=1)
    with open_pictures(source) as pictures:
        yield LiveRun(reader, pictures.name, _tracked(tracker, pictures), pictures.count)


def refuse_handless(result: LiveResult) -> None:
    """Raises DataError where no frame shows a hand, so that nothing was read, unless somebody ended it."""
    if result.with_hand or result.interrupted:
        return
    todo = "see what the tracker before it writes" if result.tracker is None else "try more light, a hand nearer"
    raise DataError(f"{result.source}: no hand is found in any of {result.frames:,} frames; {todo}")


def find_live_model(workdir: StrPath, given: StrPath | None, runtime: Runtime) -> tuple[Path, Box | None]:
    """As `find_reader`; where no model is named, the work directory's step model if it has one that is up to date."""
    model, box = find_reader(workdir, given, runtime)
    if given is not None or box is not None or runtime == "native":
        return model, box
    return find_steps(model) or model, None


def _of_lines(reader: Reader, lines: Iterable[str]) -> Iterator[tuple[Frame, None]]:
    before: Frame | None = None
    for number, line in enumerate(lines, 1):
        if line.strip():
            frame = parse_line(line, number, reader.features)
            _check_time(before, frame, number)
            before = frame
            yield frame, None
    if before is None:
        raise DataError(
            f"the stream holds no frame; expected a JSON list of {reader.features} numbers per line, null for no hand"
        )


def _check_time(before: Frame | None, frame: Frame, number: int) -> None:
    """Raises DataError unless both frames have a time, the later one the same or more, or neither has."""
    if before is None:
        return
    if (before.time_s is None) != (frame.time_s is None):
        raise DataError(f"line {number}: either every line has a time_s, or none; the lines before are otherwise")
    if before.time_s is not None and frame.time_s is not None and frame.time_s < before.time_s:
        raise DataError(f"line {number}: time_s {frame.time_s:g} is before {before.time_s:g}, the line before")


def _tracked(tracker: HandTracker, pictures: Pictures) -> Iterator[tuple[Frame, float]]:
    for picture in pictures:
        before_s = clock()
        hands = tracker.track(picture.pixels)
        took_s = clock() - before_s
        if hands:
            yield Frame(hands[0].landmarks.ravel(), picture.time_s, hands[0].label, picture.aspect), took_s
        else:
            yield Frame(None, picture.time_s), took_s
