"""How a sign moves over a take: the paths of J and Z, drift of a held hand, the movement into a sign."""

from __future__ import annotations

import numpy as np

from edgekit.data.hand import F32, I64
from edgekit.data.synthetic.letters import MOTIONS

#: Corners of Z as the camera sees a right hand draw it, in hand sizes (x right, y down), and when they are
#: reached.
Z_CORNERS = np.array([[0.0, 0.0], [-0.6, 0.0], [0.1, 0.65], [-0.5, 0.72]], dtype=np.float32)
Z_TIMES = np.array([0.0, 0.3, 0.68, 1.0], dtype=np.float32)

#: J: the wrist dips by so many hand sizes while the forearm turns the palm from the camera to the signer.
J_DIP = 0.28
J_TURN = np.deg2rad(120.0)
J_ROLL = np.deg2rad(-25.0)

#: Chance that a take shows the movement into its sign, and how many frames it takes at most.
APPROACH_PROBABILITY = 0.25
APPROACH_FRAMES = (2, 6)


def take_progress(lengths: I64, frames: int) -> F32:
    """Time within each take, 0 at its first and 1 at its last frame, float32 (takes, frames); above 1 behind
    it."""
    return (np.arange(frames) / np.maximum(lengths - 1, 1)[:, None]).astype(np.float32)


def movement(labels: I64, time: F32, rng: np.random.Generator) -> tuple[F32, F32]:
    """Wrist path (takes, frames, 2) in hand sizes and turn (takes, frames, 3) in radians, on top of the held
    sign.

    time: see `take_progress`. Everybody drifts a little; J and Z move along their paths, each take with its
    own start, end and size.
    """
    takes = len(time)
    path = _drift(time, 2, 0.02, rng)
    turn = _drift(time, 3, 0.03, rng)
    begin = np.asarray(rng.uniform(-0.05, 0.25, takes), dtype=np.float32)
    end = np.asarray(rng.uniform(0.7, 1.0, takes), dtype=np.float32)
    extent = np.exp(rng.normal(0.0, 0.2, (takes, 1))).astype(np.float32)
    done = np.clip((time - begin[:, None]) / (end - begin)[:, None], 0.0, 1.0)
    motion = np.array(MOTIONS)[labels]
    z, j = motion == "z", motion == "j"
    for axis in range(2):
        path[z, :, axis] += extent[z] * np.interp(done[z], Z_TIMES, Z_CORNERS[:, axis])
    path[j, :, 1] += extent[j] * J_DIP * np.sin(np.pi * done[j])
    turn[j, :, 0] += J_ROLL * np.sin(np.pi * done[j])
    turn[j, :, 1] += np.clip(extent[j], 0.7, 1.3) * J_TURN * _smooth(np.clip(2 * done[j] - 0.7, 0.0, 1.0))
    return path, turn


def approach(takes: int, frames: int, rng: np.random.Generator) -> F32:
    """Weight of the relaxed hand, float32 (takes, frames): falls to 0 within a few frames in some takes, else
    0."""
    count = rng.integers(*APPROACH_FRAMES, takes) * (rng.random(takes) < APPROACH_PROBABILITY)
    left = 1.0 - (np.arange(frames) + 1) / np.maximum(count, 1)[:, None]
    return _smooth(np.clip(left, 0.0, 1.0).astype(np.float32))


def _drift(time: F32, axes: int, sigma: float, rng: np.random.Generator) -> F32:
    """A slow wave per take and axis, float32 (takes, frames, axes), of amplitude sigma, 0 at the first
    frame."""
    shape = (len(time), 1, axes)
    size, cycles, phase = (
        rng.normal(0.0, sigma, shape),
        rng.uniform(0.2, 1.5, shape),
        rng.uniform(0.0, 1.0, shape),
    )
    angle = 2 * np.pi * (cycles.astype(np.float32) * time[..., None] + phase.astype(np.float32))
    wave: F32 = size.astype(np.float32) * np.sin(angle)
    wave -= wave[:, :1].copy()
    return wave


def _smooth(t: F32) -> F32:
    """0..1 to 0..1 with flat ends."""
    eased: F32 = t * t * (3.0 - 2.0 * t)
    return eased
