"""How a hand tracker's landmarks differ from the joints themselves, learned from a rendered hand.

`bench/tracker_readings` poses a skinned hand by the angles of this package, renders it in many lights and views and
lets MediaPipe's hand landmark model look at it. reading.npz is a small network fitted to the differences, and the
covariance of what it leaves unexplained (light, skin, background, flesh). No recording of a person is in it.
The mesh is under the MIT licence, the model under Apache 2.0; neither is part of this package.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import numpy as np

from edgekit.data.hand import F32, LANDMARKS, WRIST

#: Landmark whose direction from the wrist says how a hand is rolled in the image.
MIDDLE_BASE = 9
#: The camera's distance is given to the network as this by the distance, in hand sizes.
NEAR = 4.0
#: Rows multiplied at a time: so few that a BLAS library stays in its thread, as people are made in threads already.
ROWS = 24


@cache
def _weights() -> dict[str, F32]:
    with files("edgekit.data.synthetic").joinpath("reading.npz").open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name].astype(np.float32) for name in arrays.files}


def upright(seen: F32) -> F32:
    """Rotations (..., 2, 2) that roll hands (..., 21, 3) upright in the image: the middle finger's base above the
    wrist."""
    x, y = seen[..., MIDDLE_BASE, 0], -seen[..., MIDDLE_BASE, 1]
    norm = np.maximum(np.hypot(x, y), np.float32(1e-6))
    matrix = np.empty((*x.shape, 2, 2), dtype=np.float32)
    matrix[..., 0, 0] = matrix[..., 1, 1] = y / norm
    matrix[..., 0, 1] = x / norm
    matrix[..., 1, 0] = -matrix[..., 0, 1]
    return matrix


def features(flexion: F32, spread: F32, thumb: F32, rotation: F32, roll: F32, distance: F32 | float) -> F32:
    """What the network is told, float32 (n, 32): angles as in `skeleton.hand_landmarks`, the rotation (n, 3, 3) from
    the hand's axes to the image's, rolled upright by `roll` (n, 2, 2), and how near the camera is."""
    n = len(spread)
    turned = rotation.copy()
    turned[:, :2] = roll @ rotation[:, :2]
    near = np.broadcast_to(np.asarray(NEAR / distance, dtype=np.float32), (n,))
    parts = (spread, flexion.reshape(n, 12), thumb.reshape(n, 6), turned.reshape(n, 9), near[:, None])
    return np.concatenate(parts, axis=1, dtype=np.float32)


def misread(flexion: F32, spread: F32, thumb: F32, rotation: F32, seen: F32, distance: float) -> F32:
    """How far the tracker's landmarks lie from the joints, float32 (n, 21, 3) in hand sizes, image axes.

    Angles, rotation and distance as for `features`; seen (n, 21, 3): the joints about the wrist as the camera sees
    them.
    """
    w, roll = _weights(), upright(seen)
    x = features(flexion, spread, thumb, rotation, roll, distance)
    for k in (1, 2):
        x = _times(x, w[f"w{k}"])
        x += w[f"b{k}"]
        np.maximum(x, 0.0, out=x)
    return _rolled_back(_times(x, w["w3"]) + w["b3"], roll)


def draw_causes(n: int, rng: np.random.Generator) -> F32:
    """Light, skin and all else that pose and view do not explain, as standard normal numbers float32 (n, causes)."""
    return rng.standard_normal((n, len(_weights()["noise"])), dtype=np.float32)


def unexplained(causes: F32, seen: F32) -> F32:
    """What the causes (n, causes) do to what is read, float32 (n, 21, 3), of hands seen (n, 21, 3)."""
    return _rolled_back(_times(causes, _weights()["noise"]), upright(seen))


def _times(x: F32, weights: F32) -> F32:
    product = np.empty((len(x), weights.shape[1]), dtype=np.float32)
    for k in range(0, len(x), ROWS):
        np.matmul(x[k : k + ROWS], weights, out=product[k : k + ROWS])
    return product


def _rolled_back(error: F32, roll: F32) -> F32:
    """Landmarks in the image as it is; the wrist's depth, which all depth is relative to, stays."""
    error = error.reshape(-1, LANDMARKS, 3)
    error[..., :2] = error[..., :2] @ roll
    error[:, WRIST, 2] = 0.0
    return error
