"""Takes as cameras and trackers spoil them: the hand jumps to another place, and is lost for some frames."""

from __future__ import annotations

import numpy as np

from edgekit.data.hand import F32, I64, MIDDLE_BASE, WRIST, Bools, as_hands, hands_seen

#: How many takes have a jump, and a gap; a jump is so many hand sizes at most, a gap so many frames.
JUMPING, GAPPED = 0.6, 0.5
LARGEST_JUMP, LONGEST_GAP = 3.0, 8


def disturb(x: F32, rng: np.random.Generator) -> F32:
    """Spoiled copies of x (takes, time, 63 or 126), raw landmarks; same shape, float32, `x` untouched.

    Before a random frame the hands are elsewhere in the picture, where they are not lost; frames of a gap are zero, but
    never all of a take. What is signed stays the same.
    """
    spoiled = np.array(x, dtype=np.float32)
    points, seen, time = as_hands(spoiled), hands_seen(x), np.arange(x.shape[1])
    takes, frames = x.shape[:2]
    reach = np.linalg.norm(points[..., MIDDLE_BASE, :2] - points[..., WRIST, :2], axis=-1)
    size = (reach * seen).sum(axis=(1, 2)) / np.maximum(seen.sum(axis=(1, 2)), 1)
    far = size * rng.uniform(0.0, LARGEST_JUMP, takes) * (rng.random(takes) < JUMPING)
    angle = rng.uniform(0.0, 2 * np.pi, takes)
    when: I64 = rng.integers(0, np.full(takes, max(frames // 2, 1)))
    jump = np.stack([far * np.cos(angle), far * np.sin(angle)], axis=1).astype(np.float32)
    moved = ((time < when[:, None])[..., None] & seen)[..., None, None]
    points[..., :2] += np.where(moved, jump[:, None, None, None], np.float32(0.0))
    first: I64 = rng.integers(0, np.full(takes, frames))
    end: I64 = first + rng.integers(1, LONGEST_GAP + 1, takes) * (rng.random(takes) < GAPPED)
    lost: Bools = (time >= first[:, None]) & (time < end[:, None])
    lost[~(seen.any(axis=2) & ~lost).any(axis=1)] = False
    spoiled[lost] = 0.0
    return spoiled
