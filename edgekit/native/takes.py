"""Seeded takes that look like what a network was trained on: the input of golden vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgekit.native.network import F32, HAND, Frames

#: Of a frame that follows another: how much of it is the same.
INERTIA = 0.9


def golden_takes(frames: Frames, count: int, seed: int = 0) -> F32:
    """float32 (count, frames, features). The first take begins without a hand, the second has a gap, where there are
    hands; all others are whole."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((count, frames.count, frames.features))
    for t in range(1, frames.count):
        noise[:, t] = INERTIA * noise[:, t - 1] + np.sqrt(1 - INERTIA**2) * noise[:, t]
    x = noise if frames.mean is None or frames.std is None else frames.mean + frames.std * noise
    for hand in range(frames.hands):
        part = slice(HAND * hand, HAND * (hand + 1))
        x[:, :, part] = _landmarks(x[:, :, part], frames.path)
    if frames.hands:
        x[0, : frames.count // 5] = 0.0
        if count > 1:
            x[1, frames.count // 2 : frames.count // 2 + 2] = 0.0
    taken: F32 = x.astype(np.float32)
    return taken


def _landmarks(relative: NDArray[np.float64], path: bool) -> NDArray[np.float64]:
    """Landmarks as recorded, of which `relative` (takes, frames, 63) is what normalising makes."""
    points = relative.reshape(*relative.shape[:2], HAND // 3, 3).copy()
    points[:, :, 1:] /= np.maximum(np.linalg.norm(points[:, :, 9:10], axis=-1, keepdims=True), 0.1)
    size, start = 0.2, np.array([0.5, 0.5, 0.0])
    wrist = start + size * (points[:, :, :1] if path else 0.0)
    points[:, :, 1:] = wrist + size * points[:, :, 1:]
    points[:, :, :1] = wrist
    return points.reshape(relative.shape)
