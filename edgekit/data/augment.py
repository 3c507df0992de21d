"""Variations of recorded takes for training: how else could the same sign have been recorded?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from edgekit.config import StageConfig
from edgekit.data.hand import F32, MIDDLE_BASE, WRIST, as_hands, count_hands, frames_seen, hands_seen

#: Largest bend of a time warp, as a part of time_warp_ratio: the middle of a take shifts against its ends.
BEND = 0.5
#: Width / height of the pictures that recordings are from where nobody says otherwise.
USUAL_ASPECT = 4.0 / 3.0


class AugmentConfig(StageConfig):
    """Each variation is applied to a take with `probability`; 0 switches a variation off.

    Angles are drawn uniformly from +-deg, factors log-uniformly from 1 / (1 + ratio) to 1 + ratio, the picture's shape
    log-uniformly from `aspect_min` to `aspect_max` (both 4:3 switch it off). `mirror` is a chance of its own. From each
    milestone on the probability is the milestone's, but never more than `probability`; see `at`.
    """

    probability: float = Field(default=0.5, ge=0.0, le=1.0, description="chance of each variation per take")
    rotation_deg: float = Field(default=20.0, ge=0.0, le=180.0, description="in the image plane")
    tilt_deg: float = Field(default=25.0, ge=0.0, le=90.0, description="out of the image plane, about x and about y")
    scale_ratio: float = Field(default=0.15, ge=0.0, le=4.0, description="distance to the camera")
    stretch_ratio: float = Field(
        default=0.35, ge=0.0, le=4.0, description="x against y: aspect of the image, build of the hand"
    )
    depth_ratio: float = Field(default=0.8, ge=0.0, le=4.0, description="z alone, which trackers only guess")
    mirror: float = Field(default=0.0, ge=0.0, le=1.0, description="chance that a take is mirrored: the other hand")
    aspect_min: float = Field(
        default=USUAL_ASPECT, ge=0.25, le=4.0, description="width / height of the narrowest picture; takes count as 4:3"
    )
    aspect_max: float = Field(
        default=USUAL_ASPECT, ge=0.25, le=4.0, description="width / height of the widest picture; takes count as 4:3"
    )
    translation: float = Field(default=0.05, ge=0.0, le=1.0, description="x and y, in image widths and heights")
    noise: float = Field(default=0.05, ge=0.0, le=1.0, description="per number and frame, sigma in hand sizes")
    time_warp_ratio: float = Field(default=0.3, ge=0.0, le=1.0, description="speed of the take")
    milestones: tuple[int, ...] = Field(default=(61,), description="first epoch, from 1, of each later phase of train")
    milestone_probabilities: tuple[float, ...] = Field(
        default=(0.3,), description="probability, at most, in each of these"
    )

    @model_validator(mode="after")
    def _milestones_match(self) -> AugmentConfig:
        if len(self.milestones) != len(self.milestone_probabilities):
            raise ValueError("milestones and milestone_probabilities must be equally many")
        if list(self.milestones) != sorted(set(self.milestones)) or any(epoch < 2 for epoch in self.milestones):
            raise ValueError("milestones must be rising epochs from 2 on")
        if not all(0.0 <= probability <= 1.0 for probability in self.milestone_probabilities):
            raise ValueError("milestone_probabilities must be from 0 to 1")
        if self.aspect_min > self.aspect_max:
            raise ValueError(f"aspect_min ({self.aspect_min:g}) must not exceed aspect_max ({self.aspect_max:g})")
        return self

    @property
    def varies_aspect(self) -> bool:
        """Whether pictures of other shapes than 4:3 are made."""
        return (self.aspect_min, self.aspect_max) != (USUAL_ASPECT, USUAL_ASPECT)

    def at(self, epoch: int) -> AugmentConfig:
        """What holds in an epoch of training, counted from 1, with its probability."""
        passed = sum(epoch >= milestone for milestone in self.milestones)
        if not passed:
            return self
        return self.model_copy(update={"probability": min(self.probability, self.milestone_probabilities[passed - 1])})


def augment(x: F32, config: AugmentConfig, rng: np.random.Generator) -> F32:
    """Varied copies of x (takes, time, features), raw landmarks; same shape, float32, `x` untouched.

    63 and 126 features are varied as hands: resampled in time, turned and scaled about the take's first
    wrist, seen in a picture of another shape, mirrored (two hands change places), moved, with noise. Depth stays
    relative to the wrist of its frame, as trackers give it. Frames without a hand stay exactly zero, hands and hand
    gaps may move in time. Other feature counts get noise only, its sigma in standard deviations of the feature over
    `x`. The same rng state gives the same result.
    """
    varied = np.array(x, dtype=np.float32)
    if not count_hands(x.shape[2]):
        _add_plain_noise(varied, config, rng)
        return varied
    _warp_time(varied, config, rng)
    seen = hands_seen(varied)
    points = as_hands(varied)
    _transform(points, seen, config, rng)
    _add_noise(points, seen, config, rng)
    return varied


def _chosen(takes: int, config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = rng.random(takes) < config.probability
    return chosen


def _spread(takes: int, limit: float, config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Per take uniform in +-limit where chosen, else 0."""
    return np.where(_chosen(takes, config, rng), rng.uniform(-1.0, 1.0, takes), 0.0) * limit


def _warp_time(x: F32, config: AugmentConfig, rng: np.random.Generator) -> None:
    """Resample chosen takes in place along a smooth rising curve.

    Source time at t in 0..1: clip(speed * (t + bend * sin(pi t) / pi), 0, 1), which rises as |bend| < 1.
    Between two frames with a hand it is a blend, else the nearer frame, so that no hand is blended with the
    zeros of a lost one.
    """
    takes, time, features = x.shape
    speed = np.exp(_spread(takes, np.log1p(config.time_warp_ratio), config, rng))
    bend = _spread(takes, BEND * config.time_warp_ratio, config, rng)
    index = np.flatnonzero((speed != 1.0) | (bend != 0.0))
    if not len(index) or time < 2:
        return
    source = warped_time(time, speed[index], bend[index])
    low = np.minimum(source.astype(np.int64), time - 2)
    share = (source - low).astype(np.float32)
    takes_of = index[:, None]
    before, after = x[takes_of, low], x[takes_of, low + 1]
    hands = count_hands(features)
    seen = hands_seen(x)[index]
    rows = np.arange(len(index))[:, None]
    both = seen[rows, low] & seen[rows, low + 1]
    share = np.where(both, share[..., None], (share[..., None] >= 0.5).astype(np.float32))
    weight = np.repeat(share, features // hands, axis=2) if hands > 1 else share
    after -= before
    after *= weight
    after += before
    x[index] = after


def warped_time(time: int, speed: NDArray[Any], bend: NDArray[Any]) -> NDArray[np.float64]:
    """Source frame (takes, time), rising, within 0..time - 1, for each frame; see `_warp_time`."""
    t = np.linspace(0.0, 1.0, time)
    curve = t + bend[:, None] * np.sin(np.pi * t) / np.pi
    source: NDArray[np.float64] = np.clip(speed[:, None] * curve, 0.0, 1.0) * (time - 1)
    return source


def _transform(points: F32, seen: NDArray[np.bool_], config: AugmentConfig, rng: np.random.Generator) -> None:
    """Turn, scale, stretch, mirror and move in place; points (takes, time, hands, landmarks, 3), seen (takes, time,
    hands), which changes where two hands change places."""
    takes = len(seen)
    matrix = _matrices(takes, config, rng)
    moved = np.stack([_spread(takes, config.translation, config, rng) for _ in range(2)] + [np.zeros(takes)], axis=1)
    mirrored = rng.random(takes) < config.mirror if config.mirror else np.zeros(takes, dtype=np.bool_)
    matrix = _pictures(mirrored, config, rng) @ matrix
    index = np.flatnonzero((matrix != np.eye(3)).any(axis=(1, 2)) | (moved != 0).any(axis=1))
    if not len(index):
        return
    pivot = _first_wrist(points, seen)[index]
    offset = pivot + moved[index] - np.einsum("nij,nj->ni", matrix[index], pivot)
    chosen = points[index]
    flat = chosen.reshape(len(index), -1, 3)
    turned = np.matmul(flat, matrix[index].transpose(0, 2, 1).astype(np.float32)).reshape(chosen.shape)
    turned += offset[:, None, None, None].astype(np.float32)
    turned[..., 2] -= turned[..., WRIST, 2][..., None]
    turned[~seen[index]] = 0.0
    points[index] = turned
    for hands in (points, seen):  # in a mirrored picture the left hand is a right one
        hands[mirrored] = hands[mirrored][:, :, ::-1]


def _pictures(mirrored: NDArray[np.bool_], config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """What another picture makes of a take of 4:3, float64 (takes, 3, 3): x and z, which are in picture widths, times
    (4 / 3) / aspect, and x mirrored where it is to be."""
    takes = len(mirrored)
    widths = np.ones(takes)
    if config.varies_aspect:
        low, high = np.log(config.aspect_min), np.log(config.aspect_max)
        drawn = USUAL_ASPECT / np.exp(rng.uniform(low, high, takes))
        widths = np.where(_chosen(takes, config, rng), drawn, 1.0)
    factors = np.stack([np.where(mirrored, -widths, widths), np.ones(takes), widths], axis=1)
    pictures: NDArray[np.float64] = factors[:, :, None] * np.eye(3)
    return pictures


def _matrices(takes: int, config: AugmentConfig, rng: np.random.Generator) -> NDArray[np.float64]:
    """Rotation times scale per take, float64 (takes, 3, 3)."""
    tilt_x, tilt_y, turn = (
        np.deg2rad(_spread(takes, limit, config, rng))
        for limit in (config.tilt_deg, config.tilt_deg, config.rotation_deg)
    )
    scale, stretch, depth = (
        np.exp(_spread(takes, np.log1p(ratio), config, rng))
        for ratio in (config.scale_ratio, config.stretch_ratio, config.depth_ratio)
    )
    factors = np.stack([scale * np.sqrt(stretch), scale / np.sqrt(stretch), scale * depth], axis=1)
    turned = _rotation(2, turn) @ _rotation(1, tilt_y) @ _rotation(0, tilt_x)
    matrices: NDArray[np.float64] = turned * factors[:, None, :]
    return matrices


def _rotation(axis: int, angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (takes, 3, 3) about x, y or z (axis 0, 1, 2), angle in radians."""
    matrix = np.zeros((len(angle), 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[:, axis, axis] = 1.0
    matrix[:, i, i] = matrix[:, j, j] = np.cos(angle)
    matrix[:, j, i] = np.sin(angle)
    matrix[:, i, j] = -matrix[:, j, i]
    return matrix


def _first_wrist(points: F32, seen: NDArray[np.bool_]) -> F32:
    """Wrist (takes, 3) of the first hand seen in each take; zeros for takes without one."""
    takes, time, hands = seen.shape
    first = seen.reshape(takes, time * hands).argmax(axis=1)
    wrist: F32 = points[:, :, :, WRIST].reshape(takes, time * hands, 3)[np.arange(takes), first]
    return wrist


def _add_noise(points: F32, seen: NDArray[np.bool_], config: AugmentConfig, rng: np.random.Generator) -> None:
    """Gaussian noise in place on chosen takes, sigma in hand sizes of the frame; the wrist's depth stays as
    it is."""
    index = np.flatnonzero(_chosen(len(points), config, rng)) if config.noise else np.empty(0, np.int64)
    if not len(index):
        return
    chosen = points[index]
    size = np.linalg.norm(chosen[..., MIDDLE_BASE, :] - chosen[..., WRIST, :], axis=-1)
    sigma = (size * seen[index] * config.noise).astype(np.float32)
    noise = rng.standard_normal(chosen.shape, dtype=np.float32)
    noise[..., WRIST, 2] = 0.0
    noise *= sigma[..., None, None]
    points[index] = chosen + noise


def _add_plain_noise(x: F32, config: AugmentConfig, rng: np.random.Generator) -> None:
    """Gaussian noise in place on chosen takes, sigma in standard deviations of the feature over frames not
    all zero."""
    seen = frames_seen(x)
    index = np.flatnonzero(_chosen(len(x), config, rng)) if config.noise and seen.any() else np.empty(0, np.int64)
    if not len(index):
        return
    sigma = x[seen].std(axis=0) * np.float32(config.noise)
    noise = rng.standard_normal((len(index), *x.shape[1:]), dtype=np.float32) * sigma
    x[index] += noise * seen[index][..., None]
