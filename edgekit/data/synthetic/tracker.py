"""What a hand tracker makes of a hand: guessed depth, jitter, fingers it does not see, lost and stale frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgekit.data.hand import F32, I64, LANDMARKS, WRIST, Bools

#: A landmark is hidden by one that lies so much nearer to the camera, and so close in the image, in hand sizes.
HIDING_DEPTH = 0.12
HIDING_RADIUS = 0.13
#: How much larger the errors of hidden landmarks are, and those in depth.
HIDDEN_FACTOR = 2.2
DEPTH_FACTOR = 1.8

#: Chance that a take has a gap of lost or frozen frames, and its longest length in frames.
GAP_PROBABILITY = 0.08
FREEZE_PROBABILITY = 0.05
LONGEST_GAP_FRAMES = 4
#: Of hands that sign nothing, how many are seen for a part of the take only, and are read as something else for frames
#: on end because they are half out of the picture or no hand at all; how far their landmarks are off, in hand sizes.
PARTLY_PROBABILITY, WILD_PROBABILITY = 0.2, 0.15
WILD_ERRORS = (0.05, 0.4)
#: Chance that the first frame of a take shows the hand where the one before left it.
STALE_PROBABILITY = 0.12


@dataclass(frozen=True)
class Tracker:
    """How one person's hand is tracked; sigmas in hand sizes.

    depth: factor of the depth that `reader` says is read; versions of trackers scale it differently. jitter: from frame
    to frame; memory: what part of it stays to the next frame. What stays over a take, or a day, is `reader`'s.
    """

    depth: float
    jitter: float
    memory: float


def draw_tracker(rng: np.random.Generator) -> Tracker:
    """A tracker's reading of one hand: depth at some scale, jitter about a third of a percent of the hand."""
    return Tracker(
        depth=float(rng.uniform(0.3, 1.15)),
        jitter=float(np.exp(rng.normal(np.log(0.0033), 0.6))),
        memory=float(rng.uniform(0.1, 0.75)),
    )


def hidden_landmarks(points: F32) -> Bools:
    """Which landmarks lie behind others, bool (takes, 21); points (takes, 21, 3) in hand sizes, z away from the
    camera."""
    x, y, z = (np.ascontiguousarray(points[..., k]) for k in range(3))
    apart = np.square(x[:, :, None] - x[:, None]) + np.square(y[:, :, None] - y[:, None])
    covered: Bools = ((apart < HIDING_RADIUS**2) & (z[:, None] < z[:, :, None] - HIDING_DEPTH)).any(axis=2)
    return covered


def tracking_errors(frames: int, hidden: Bools, size: F32, tracker: Tracker, rng: np.random.Generator) -> F32:
    """Errors float32 (takes, frames, 21, 3): jitter that is correlated in time; hidden (takes, 21): landmarks behind
    others; size (takes, 3): a hand's, in the image's units of each axis.

    Errors are larger where the landmark is hidden and in depth. The wrist's depth, which all depth is relative to, has
    none.
    """
    takes = len(hidden)
    errors = np.empty((takes, frames, LANDMARKS, 3), dtype=np.float32)
    drawn = errors[: (takes + 1) // 2]
    rng.standard_normal(out=drawn, dtype=np.float32)
    fresh = np.float32(np.sqrt(1.0 - tracker.memory**2))
    for frame in range(1, frames):
        drawn[:, frame] *= fresh
        drawn[:, frame] += np.float32(tracker.memory) * drawn[:, frame - 1]
    errors[len(drawn) :] = drawn[: takes - len(drawn), ::-1]  # such jitter looks the same backwards
    weight = np.where(hidden, np.float32(HIDDEN_FACTOR), np.float32(1.0))[..., None]
    weight = weight * (size * np.array([1.0, 1.0, DEPTH_FACTOR], dtype=np.float32))[:, None]
    weight[:, WRIST, 2] = 0.0
    errors *= (np.float32(tracker.jitter) * weight)[:, None]
    return errors


def lose_frames(image: F32, lengths: I64, rng: np.random.Generator) -> None:
    """Spoil some takes in place: a stale first frame, frozen frames, a gap of zeros; zeros behind `lengths` in all."""
    takes, frames = image.shape[:2]
    stale = np.flatnonzero(rng.random(takes) < STALE_PROBABILITY)
    image[stale, 0] = image[stale, lengths[stale] - 1]
    frozen, start = _gaps(lengths, frames, FREEZE_PROBABILITY, rng)
    take, frame = np.nonzero(frozen)
    image[take, frame] = image[take, start[take]]
    lost, _ = _gaps(lengths, frames, GAP_PROBABILITY, rng)
    image[(lost & (np.arange(frames) > 0)) | (np.arange(frames) >= lengths[:, None])] = 0.0


def lose_hands(image: F32, lengths: I64, chosen: Bools, size: F32, rng: np.random.Generator) -> None:
    """Spoil some of the `chosen` takes (takes,) in place, as trackers do where there is no whole hand: seen for a part
    of the frames, zeros before and behind; or read wildly, each frame otherwise. size (takes,): the hand's in the
    picture."""
    own = np.flatnonzero(chosen)
    if not len(own):
        return
    frame, frames = np.arange(image.shape[1]), lengths[own, None]
    seen = np.maximum(frames * rng.uniform(0.05, 0.7, frames.shape), 1)
    first = rng.uniform(0.0, 1.0, frames.shape) * (frames - seen)
    gone = (frame < np.floor(first)) | (frame >= np.floor(first) + np.ceil(seen))
    partly = rng.random(len(own)) < PARTLY_PROBABILITY
    wild = own[rng.random(len(own)) < WILD_PROBABILITY]
    sigma = size[wild] * rng.uniform(*WILD_ERRORS, len(wild)).astype(np.float32)
    image[wild] += sigma[:, None, None, None] * rng.standard_normal(image[wild].shape, dtype=np.float32)
    image[wild, :, WRIST, 2] = 0.0
    take, when = np.nonzero(gone & partly[:, None])
    image[own[take], when] = 0.0


def _gaps(lengths: I64, frames: int, probability: float, rng: np.random.Generator) -> tuple[Bools, I64]:
    """Frames in a gap, bool (takes, frames), and where each take's gap starts."""
    takes = len(lengths)
    gap = rng.integers(1, LONGEST_GAP_FRAMES + 1, takes) * (rng.random(takes) < probability)
    start = (rng.random(takes) * lengths).astype(np.int64)
    frame = np.arange(frames)
    return (frame >= start[:, None]) & (frame < (start + gap)[:, None]), start
