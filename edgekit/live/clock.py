"""Frames at the pace that models know, thirty a second, of frames that come at any other."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError, DataError

F32 = NDArray[np.float32]

#: What models were made from: recordings of so many frames a second.
MODEL_RATE = 30.0
#: Frames that are put between two on straight lines; where more are missing, the newer one is held instead.
MOST_BETWEEN = 3
#: Frames a second below which that is so, and movements are lost.
SLOWEST_RATE = MODEL_RATE / (MOST_BETWEEN + 1)
#: No frame is held for longer: by then a held letter counts or does not.
MOST_HELD = 12


class Clock:
    """Says which frames a model reads for each one that comes. rate: frames a second where they come without times.
    Raises ConfigError unless that is more than 0."""

    def __init__(self, rate: float = MODEL_RATE) -> None:
        if not (math.isfinite(rate) and rate > 0):
            raise ConfigError(f"rate {rate!r}: expected frames a second, more than 0")
        self._rate, self._frames, self._timed = rate, 0, False
        self._now_s, self._ticked_s = 0.0, -math.inf
        self._last: F32 | None = None

    @property
    def now_s(self) -> float:
        """The time of the last frame."""
        return self._now_s

    def ticks(self, frame: F32 | None, time_s: float | None) -> list[F32 | None]:
        """What the model reads up to this frame, None for no hand: nothing where it comes too early, several where some
        are missing. frame float32 (features,). Raises DataError for a time that is no number or goes back, and for a
        frame without time after one that had it."""
        self._now_s = self._time_of(time_s)
        self._frames += 1
        first = math.isinf(self._ticked_s)
        count = 1 if first else round((self._now_s - self._ticked_s) * MODEL_RATE)
        self._ticked_s = self._now_s if first or count > MOST_BETWEEN + 1 else self._ticked_s + count / MODEL_RATE
        if not count:
            return []
        before, self._last = self._last, frame
        if frame is None or before is None or count > MOST_BETWEEN + 1:
            return [frame] * min(count, MOST_HELD)
        return [*(before + (frame - before) * np.float32(k / count) for k in range(1, count)), frame]

    def _time_of(self, time_s: float | None) -> float:
        if time_s is None:
            if self._timed:
                raise DataError(f"frame {self._frames}: has no time, and earlier frames had one; give all or none")
            return self._frames / self._rate
        if not math.isfinite(time_s) or (self._frames and time_s < self._now_s):
            raise DataError(f"frame {self._frames}: its time is {time_s!r} s; expected at least {self._now_s:g}")
        if self._frames and not self._timed:
            raise DataError(f"frame {self._frames}: has a time, and earlier frames had none; give all or none")
        self._timed = True
        return time_s
