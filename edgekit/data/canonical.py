"""The form in which every model reads takes: as if a 4:3 picture showed a hand that MediaPipe calls left.

Trackers give x in picture widths and y in heights, so the same hand has other numbers in a picture of another shape;
and a right hand is a left one in the mirror. Where recordings say what a picture was (`hand`, `aspect`), both
differences are taken out before anything else; where they don't, takes stay as they are. Model files read this form,
and know nothing of pictures.
"""

from __future__ import annotations

import numpy as np

from edgekit.data.hand import F32, as_hands, count_hands, hands_seen
from edgekit.data.length import fit_length
from edgekit.data.pictures import ASPECT, HAND, PICTURE, RIGHT
from edgekit.data.recordings import Names, Recordings
from edgekit.errors import DataError

#: Width by height of the picture that takes are given as: that of most webcams.
CANONICAL_ASPECT = np.float32(4 / 3)
#: x of the picture's middle, in its widths: the line about which pictures are widened and mirrored.
CENTRE = np.float32(0.5)


def canonical_takes(recordings: Recordings, sequence_length: int | None = None) -> F32:
    """What a model reads of recordings: `fit_length` of their takes, in the form of `canonical_landmarks`; float32
    (takes, sequence_length, features). Raises DataError naming the take whose numbers that makes too large."""
    fitted = fit_length(recordings.sequences, recordings.lengths, sequence_length)
    _correct(fitted, recordings.hand, recordings.aspect, recordings.source)
    return fitted


def canonical_landmarks(x: F32, hand: Names | None, aspect: F32 | None) -> F32:
    """Landmarks as a 4:3 picture of a left hand gives them, float32 (takes, time, features).

    x (takes, time, features), raw landmarks; hand str (takes,), aspect float32 (takes,): of `Recordings`. With
    a = aspect / (4/3), or 1 where unknown, and s = -1 for R, else 1:

        x' = 0.5 + s a (x - 0.5),    y' = y,    z' = a z

    Of two hands (126 features) `hand` has no meaning, and other counts are no landmarks: see `unused_pictures`. Hands
    that are all zero stay so. `x` itself where nothing changes, else a copy. Done again, with aspects of 4/3 and hands
    L, it changes nothing. Raises DataError for a take whose numbers are finite no more.
    """
    widening, side = _factors(x, hand, aspect)
    if (widening * side == 1).all():
        return x
    corrected = np.array(x, dtype=np.float32)
    _correct(corrected, hand, aspect, "landmarks")
    return corrected


def unused_pictures(features: int) -> dict[str, str]:
    """Which of `hand` and `aspect` models don't read at so many features, and why, in words."""
    hands = count_hands(features)
    if hands == 1:
        return {}
    if hands == 2:
        return {HAND: "a frame holds two hands"}
    return dict.fromkeys(PICTURE, f"{features} numbers per frame are neither one hand nor two")


def _correct(x: F32, hand: Names | None, aspect: F32 | None, source: str) -> None:
    """`canonical_landmarks` in place. source: what messages call the takes."""
    widening, side = _factors(x, hand, aspect)
    changed = np.flatnonzero(widening * side != 1)
    if not len(changed):
        return
    chosen = x[changed]
    points, gone = as_hands(chosen), ~hands_seen(chosen)
    widening, side = (factor[changed, None, None, None] for factor in (widening, side))
    with np.errstate(over="ignore"):
        points[..., 0] = CENTRE + side * widening * (points[..., 0] - CENTRE)
        points[..., 2] *= widening
    points[gone] = 0.0
    wrong = np.flatnonzero(~np.isfinite(chosen).all(axis=(1, 2)))
    if len(wrong):
        shape = float(CANONICAL_ASPECT * widening[wrong[0], 0, 0, 0])
        raise DataError(
            f"{source}: take {changed[wrong[0]]}: a picture of {ASPECT} {shape:g} makes its numbers too large for"
            " float32; record again or drop"
        )
    x[changed] = chosen


def _factors(x: F32, hand: Names | None, aspect: F32 | None) -> tuple[F32, F32]:
    """How much wider a 4:3 picture shows each take, and -1 for a hand to mirror; float32 (takes,), 1 where nothing is
    to be done."""
    widening, side = (np.ones(len(x), dtype=np.float32) for _ in range(2))
    unused = unused_pictures(x.shape[2])
    if aspect is not None and ASPECT not in unused:
        widening = np.where(np.isnan(aspect), widening, aspect / CANONICAL_ASPECT)
    if hand is not None and HAND not in unused:
        side[hand == RIGHT] = -1.0
    return widening, side
