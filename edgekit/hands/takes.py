"""A take of landmarks from pictures: which frames are kept, where each hand stands, and what the picture was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import HAND_FEATURES, I64
from edgekit.data.pictures import LEFT, RIGHT, UNKNOWN
from edgekit.hands.picture import Picture
from edgekit.hands.tracker import Hand, HandTracker

F32 = NDArray[np.float32]
#: Frames a second that models read: recordings' own.
MODEL_RATE = 30.0
#: A frame may come so much early, in parts of the time between two, and still be the one that was due.
EARLY = 0.25


@dataclass(frozen=True, eq=False)
class HandTake:
    """One take. landmarks: float32 (frames, 63 or 126), zeros where a hand was not found. hand: L or R, what most
    frames say, empty for two hands and where none was found. aspect: width / height of the pictures. pictures: how many
    came, of which some were left out where they come faster than wanted. rate: frames a second of those that were kept,
    None of a single one."""

    landmarks: F32
    hand: str
    aspect: float
    pictures: int
    rate: float | None

    @property
    def lost(self) -> int:
        """Frames without any hand."""
        return int((~self.landmarks.any(axis=1)).sum())


class Thinning:
    """Which of the pictures to keep, so that at most `rate` a second remain; slower ones all stay."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._due = 0.0

    def keeps(self, time_s: float) -> bool:
        """Whether the picture that came at this time is one of them. Times rise."""
        if time_s < self._due - EARLY * self._step:
            return False
        self._due = max(self._due, time_s - self._step) + self._step
        return True


def frame_of(found: Iterable[Hand], num_hands: int) -> F32:
    """Numbers of one frame, float32 (63 * num_hands,): of two hands L comes first; two that are called the same have
    the places by how sure they are of the name."""
    frame = np.zeros((num_hands, HAND_FEATURES), np.float32)
    free = list(range(num_hands))
    for hand in sorted(found, key=lambda hand: -hand.score)[:num_hands]:
        wanted = 0 if num_hands == 1 or hand.label == LEFT else 1
        place = wanted if wanted in free else free[0]
        free.remove(place)
        frame[place] = hand.landmarks.ravel()
    return frame.ravel()


def track_take(
    pictures: Iterable[Picture],
    tracker: HandTracker,
    rate: float | None = MODEL_RATE,
    seen: Callable[[int], None] = lambda frames: None,
    stoppable: bool = False,
) -> HandTake:
    """Landmarks of at least one picture.

    rate: the most frames a second that are kept, None for all. seen: told how many pictures came so far. stoppable:
    whether Ctrl-C ends the take, which is kept then, and no more.
    """
    tracker.reset()
    taking = Taking(tracker, rate)
    try:
        for picture in pictures:
            taking.add(picture)
            seen(taking.pictures)
    except KeyboardInterrupt:
        if not stoppable or not taking.frames:
            raise
    return taking.take()


class Taking:
    """A take that grows. tracker: asked for the hands of each picture that is kept; see `track_take`."""

    def __init__(self, tracker: HandTracker, rate: float | None = MODEL_RATE) -> None:
        self.frames: list[F32] = []
        self.pictures = 0
        self._tracker, self._thinning = tracker, None if rate is None else Thinning(rate)
        self._labels: Counter[str] = Counter()
        self._times: list[float] = []
        self._aspect = 1.0

    def add(self, picture: Picture) -> list[Hand] | None:
        """The hands of one more picture; None where it was left out, because it came too early."""
        self.pictures += 1
        if self._thinning is not None and not self._thinning.keeps(picture.time_s):
            return None
        hands = self._tracker.track(picture.pixels)
        self._labels.update(hand.label for hand in hands)
        self._times.append(picture.time_s)
        self._aspect = picture.aspect
        self.frames.append(frame_of(hands, self._tracker.num_hands))
        return hands

    def take(self) -> HandTake:
        """What has been taken so far, of one picture at least."""
        return HandTake(np.array(self.frames), self._hand(), self._aspect, self.pictures, self._rate())

    def _hand(self) -> str:
        if self._tracker.num_hands != 1 or not self._labels:
            return UNKNOWN
        return LEFT if self._labels[LEFT] >= self._labels[RIGHT] else RIGHT

    def _rate(self) -> float | None:
        times = self._times
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None


def padded(takes: list[HandTake]) -> tuple[F32, I64]:
    """Takes of one number of hands as (sequences, lengths) of recordings."""
    lengths = np.array([len(take.landmarks) for take in takes], np.int64)
    sequences = np.zeros((len(takes), int(lengths.max()), takes[0].landmarks.shape[1]), np.float32)
    for row, take in zip(sequences, takes, strict=True):
        row[: len(take.landmarks)] = take.landmarks
    return sequences, lengths
