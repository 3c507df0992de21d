"""Synthetic recordings: many people sign the 26 letters of the ASL manual alphabet on two days each.

First version: one variant per letter, right hands, no occlusion. Accuracies on these takes say that the tool
works, not how well real hands are read; whoever shows one has to call it synthetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from pydantic import Field, model_validator

from edgekit.config import StageConfig
from edgekit.data.hand import F32, HAND_FEATURES, I64
from edgekit.data.recordings import Recordings
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import (
    Tracker,
    add_jitter,
    draw_camera,
    draw_tracker,
    lose_frames,
    project,
    rotations,
)
from edgekit.data.synthetic.motion import approach, movement, take_progress
from edgekit.data.synthetic.skeleton import Bones, draw_bones, hand_landmarks

#: Part of a person's takes that is recorded on the second day, which the session split tests on.
SECOND_DAY_RATIO = 0.28
DAYS = ("2000-01-01", "2000-01-02")

#: Sigmas in degrees: fingers' flexion and spread, thumb, facing; between people per letter, days, takes,
#: within a take.
SIGMAS_DEG = {
    "person": {"flexion": 6.0, "spread": 2.0, "thumb": 8.0, "turn": 8.0},
    "day": {"flexion": 3.0, "spread": 1.0, "thumb": 4.0, "turn": 4.0},
    "take": {"flexion": 3.0, "spread": 1.0, "thumb": 3.0, "turn": 3.0},
    "within": {"flexion": 3.0, "spread": 0.8, "thumb": 3.0, "turn": 0.0},
}


class SynthConfig(StageConfig):
    """How many hands to make; person k is the same whatever `people` is."""

    people: int = Field(default=20, ge=1, le=100_000, description="people who sign")
    takes_per_letter: int = Field(
        default=8, ge=2, le=10_000, description="takes of each letter by each person, both days"
    )
    min_frames: int = Field(default=20, ge=2, le=1000, description="shortest take")
    max_frames: int = Field(default=40, ge=2, le=1000, description="longest take")
    seed: int = Field(default=0, ge=0, description="the same seed gives the same takes")

    @model_validator(mode="after")
    def _frames_in_order(self) -> SynthConfig:
        if self.min_frames > self.max_frames:
            raise ValueError(f"min_frames ({self.min_frames}) must not exceed max_frames ({self.max_frames})")
        return self


def synthesise_hands(config: SynthConfig | None = None) -> Recordings:
    """Recordings of `people` * 26 * `takes_per_letter` takes, 63 features, coordinates as in real recordings.

    Signers are synthetic-00, synthetic-01, ...; each has two days, sessions 2000-01-01-synthetic-00 and
    2000-01-02-synthetic-00, the second with about 28 % of the takes. Order: person, day, letter.
    """
    config = config or SynthConfig()
    seeds = np.random.SeedSequence(config.seed).spawn(config.people)
    days = _takes_per_day(config.takes_per_letter)
    parts = [_synthesise_person(config, days, np.random.default_rng(seed)) for seed in seeds]
    sequences, lengths, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    digits = max(2, len(str(config.people - 1)))
    people = [f"synthetic-{k:0{digits}d}" for k in range(config.people)]
    classes = len(letters.CLASS_NAMES)
    sessions = [f"{day}-{person}" for person in people for day in DAYS]
    return Recordings(
        sequences=sequences,
        lengths=lengths,
        labels=labels,
        class_names=letters.CLASS_NAMES,
        signer=np.repeat(np.array(people), classes * config.takes_per_letter),
        session=np.repeat(np.array(sessions), np.tile([classes * takes for takes in days], config.people)),
        source=f"synthetic hands (seed {config.seed})",
        synthetic=True,
    )


@dataclass(frozen=True, eq=False)
class _Pose:
    """Joint angles and facing in radians: flexion (n, 4, 3), spread (n, 4), thumb (n, 3, 2), turn (n, 3)."""

    flexion: F32
    spread: F32
    thumb: F32
    turn: F32

    def at(self, index: I64) -> _Pose:
        """The poses at `index`."""
        return _Pose(self.flexion[index], self.spread[index], self.thumb[index], self.turn[index])

    def varied(self, level: str, rng: np.random.Generator) -> _Pose:
        """With angles drawn about these; a finger's joints vary together, the end joint follows the middle
        one."""
        sigma = {name: np.deg2rad(value) for name, value in SIGMAS_DEG[level].items()}
        n = len(self.spread)
        common = rng.normal(0.0, sigma["flexion"], (n, 4, 1)) * np.array([1.0, 1.2, 0.7])
        own = rng.normal(0.0, sigma["flexion"] / 2, (n, 4, 3))
        drawn = (
            self.flexion + common + own,
            self.spread + rng.normal(0.0, sigma["spread"], (n, 4)),
            self.thumb + rng.normal(0.0, sigma["thumb"], (n, 3, 2)),
            self.turn + rng.normal(0.0, sigma["turn"], (n, 3)),
        )
        return _Pose(*(part.astype(np.float32) for part in drawn))

    def landmarks(self, bones: Bones) -> F32:
        """(n, 21, 3) in the hand's axes."""
        return hand_landmarks(self.spread, np.maximum(self.flexion, np.float32(-0.15)), self.thumb, bones)


_ALPHABET = _Pose(letters.FLEXION, letters.SPREAD, letters.THUMBS, letters.TURNS)


def _takes_per_day(takes: int) -> tuple[int, int]:
    second = max(1, round(SECOND_DAY_RATIO * takes))
    return takes - second, second


def _synthesise_person(config: SynthConfig, days: tuple[int, int], rng: np.random.Generator) -> tuple[F32, I64, I64]:
    """sequences, lengths and labels of one person's two days."""
    bones, tracker = draw_bones(rng), draw_tracker(rng)
    habit = _ALPHABET.varied("person", rng)
    parts = []
    for takes in days:
        labels = np.repeat(np.arange(len(letters.CLASS_NAMES)), takes)
        pose = habit.varied("day", rng).at(labels).varied("take", rng)
        lengths = rng.integers(config.min_frames, config.max_frames + 1, len(labels))
        parts.append((_record(pose, labels, lengths, config.max_frames, bones, tracker, rng), lengths, labels))
    sequences, lengths_, labels_ = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return sequences, lengths_, labels_


def _record(
    pose: _Pose,
    labels: I64,
    lengths: I64,
    frames: int,
    bones: Bones,
    tracker: Tracker,
    rng: np.random.Generator,
) -> F32:
    """One day before one camera: float32 (takes, frames, 63), zeros behind `lengths`."""
    takes = len(labels)
    camera = draw_camera(rng)
    time = take_progress(lengths, frames)
    path, turn = movement(labels, time, rng)
    turn += (pose.turn + np.array(camera.turn, dtype=np.float32))[:, None]
    shape = _shape_over_time(pose, time, bones, rng)
    points = np.matmul(shape, np.swapaxes(rotations(turn), -1, -2))
    size = (camera.size * np.exp(rng.normal(0.0, 0.05, takes))).astype(np.float32)
    path += rng.normal(0.0, 0.15, (takes, 1, 2)).astype(np.float32)
    image = project(points, path, size, camera, tracker)
    add_jitter(image, size, camera, tracker, rng)
    lose_frames(image, lengths, rng)
    return image.reshape(takes, frames, HAND_FEATURES)


def _shape_over_time(pose: _Pose, time: F32, bones: Bones, rng: np.random.Generator) -> F32:
    """Landmarks (takes, frames, 21, 3) in the hand's axes: from the relaxed hand (some takes), through the
    pose, slowly to one a little beside it. Blends of landmarks stand for blends of angles; for small changes
    they agree."""
    takes, frames = time.shape
    start = pose.landmarks(bones)
    end = pose.varied("within", rng).landmarks(bones)
    shape = start[:, None] + np.clip(time, 0.0, 1.0)[..., None, None] * (end - start)[:, None]
    weight = approach(takes, frames, rng)
    entering = np.flatnonzero(weight[:, 0])
    early = int((weight > 0).any(axis=0).sum())
    relaxed = _relaxed(bones)[None, None] - shape[entering, :early]
    shape[entering, :early] += weight[entering, :early, None, None] * relaxed
    return shape


def _relaxed(bones: Bones) -> F32:
    """Landmarks (21, 3) of the hand at ease."""
    flexion = np.deg2rad(np.array([[letters.RELAXED_BEND] * 4], dtype=np.float32))
    thumb = np.deg2rad(np.array([letters.RELAXED_THUMB], dtype=np.float32))
    landmarks: F32 = hand_landmarks(np.zeros((1, 4), dtype=np.float32), flexion, thumb, bones)[0]
    return landmarks
