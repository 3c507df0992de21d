"""Synthetic recordings: many people sign the 26 letters of the ASL manual alphabet on two days each.

Accuracies on these takes are not accuracies on real hands; whoever shows one has to call it synthetic.
`bench/synthetic_to_real.py` and `bench/synthetic_to_strangers.py` measure what they teach about real ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from edgekit.config import StageConfig
from edgekit.data.hand import F32, HAND_FEATURES, I64
from edgekit.data.recordings import Recordings
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import Camera, draw_camera, mirror, perspective, project, rotations
from edgekit.data.synthetic.idle import draw_idle
from edgekit.data.synthetic.motion import (
    Course,
    draw_course,
    draw_j,
    draw_rise,
    draw_z,
    drift,
    ease_weights,
    key_frames,
)
from edgekit.data.synthetic.person import Person, Pose, draw_person
from edgekit.data.synthetic.reader import draw_causes, misread, unexplained
from edgekit.data.synthetic.skeleton import hand_landmarks
from edgekit.data.synthetic.tracker import (
    Tracker,
    draw_tracker,
    hidden_landmarks,
    lose_frames,
    lose_hands,
    tracking_errors,
)

#: Part of a person's takes that is recorded on the second day, which the session split tests on.
SECOND_DAY_RATIO = 0.28
DAYS = ("2000-01-01", "2000-01-02")
#: What part of the differences that pose and view do not explain stays over a day's takes of a letter, and what part is
#: each take's own. The rest is not used: rendered hands vary more in light and skin than one person before one camera.
HABIT_SHARE, TAKE_SHARE = np.float32(0.5), np.float32(0.25)
#: People are made by so many threads; numpy lets go of the interpreter in long operations.
THREADS = 2


class SynthConfig(StageConfig):
    """How many hands to make; person k is the same whatever `people` is."""

    people: int = Field(default=20, ge=1, le=100_000, description="people who sign")
    takes_per_letter: int = Field(
        default=8, ge=2, le=10_000, description="takes of each letter by each person, both days"
    )
    min_frames: int = Field(default=20, ge=2, le=1000, description="shortest take")
    max_frames: int = Field(
        default=60, ge=2, le=1000, description="longest take; half of all take a quarter of the way"
    )
    no_sign: bool = Field(default=False, description="whether there is a 27th class, no_sign: hands that sign nothing")
    seed: int = Field(default=0, ge=0, description="the same seed gives the same takes")

    @model_validator(mode="after")
    def _frames_in_order(self) -> SynthConfig:
        if self.min_frames > self.max_frames:
            raise ValueError(f"min_frames ({self.min_frames}) must not exceed max_frames ({self.max_frames})")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """A to Z, and no_sign where wanted."""
        return (*letters.CLASS_NAMES, *((letters.NO_SIGN,) if self.no_sign else ()))


def synthesise_hands(config: SynthConfig | None = None) -> Recordings:
    """Recordings of `people` * classes * `takes_per_letter` takes, 63 features, coordinates as in real recordings.

    Signers are synthetic-00, synthetic-01, ...; each has two days, sessions 2000-01-01-synthetic-00 and
    2000-01-02-synthetic-00, the second with about 28 % of the takes. Order: person, day, class.
    """
    config = config or SynthConfig()
    seeds = np.random.SeedSequence(config.seed).spawn(config.people)
    days = _takes_per_day(config.takes_per_letter)
    classes = len(config.class_names)
    each = classes * config.takes_per_letter
    sequences = np.zeros((config.people * each, config.max_frames, HAND_FEATURES), dtype=np.float32)
    lengths, labels = (np.zeros(len(sequences), dtype=np.int64) for _ in range(2))

    def make(k: int) -> None:
        own = slice(k * each, (k + 1) * each)
        labels[own] = np.concatenate([np.repeat(np.arange(classes), takes) for takes in days])
        _record_person(config, days, sequences[own], lengths[own], labels[own], np.random.default_rng(seeds[k]))

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(make, range(config.people)):
            pass
    digits = max(2, len(str(config.people - 1)))
    people = [f"synthetic-{k:0{digits}d}" for k in range(config.people)]
    sessions = [f"{day}-{person}" for person in people for day in DAYS]
    return Recordings(
        sequences=sequences,
        lengths=lengths,
        labels=labels,
        class_names=config.class_names,
        signer=np.repeat(np.array(people), each),
        session=np.repeat(np.array(sessions), np.tile([classes * takes for takes in days], config.people)),
        source=f"synthetic hands (seed {config.seed})",
        synthetic=True,
    )


def record_people(
    signs: Sequence[I64], seeds: Sequence[np.random.SeedSequence], config: SynthConfig, frames: int
) -> tuple[F32, I64]:
    """Takes of one person after another on one day each, from one seed each: sequences float32 (takes, frames, 63), as
    in real recordings, and lengths int64 (takes,).

    signs: one array a person of what each of their takes signs, int64, places in the alphabet; 26 is no sign.
    config: how long takes last, and nothing else. frames: that are recorded of a take; the rest of a longer one is
    lost, and costs nothing.
    """
    ends = np.cumsum([len(own) for own in signs])
    sequences, lengths = np.zeros((ends[-1], frames, HAND_FEATURES), np.float32), np.zeros(ends[-1], np.int64)
    for own, seed, end in zip(signs, seeds, ends, strict=True):
        rng, part = np.random.default_rng(seed), slice(end - len(own), end)
        person, tracker = draw_person(rng), draw_tracker(rng)
        whole = _draw_lengths(config, len(own), rng)
        image = _record_day(person, tracker, own, whole, frames, rng)
        sequences[part], lengths[part] = image.reshape(len(own), frames, HAND_FEATURES), np.minimum(whole, frames)
    return sequences, lengths


def _takes_per_day(takes: int) -> tuple[int, int]:
    second = max(1, round(SECOND_DAY_RATIO * takes))
    return takes - second, second


def _record_person(
    config: SynthConfig, days: tuple[int, int], out: F32, lengths: I64, labels: I64, rng: np.random.Generator
) -> None:
    """Fill out (takes, frames, 63) and lengths (takes,) with one person's two days."""
    person, tracker = draw_person(rng), draw_tracker(rng)
    lengths[:] = _draw_lengths(config, len(labels), rng)
    first = days[0] * len(config.class_names)
    for part in (slice(0, first), slice(first, None)):
        image = _record_day(person, tracker, labels[part], lengths[part], config.max_frames, rng)
        out[part] = image.reshape(len(image), config.max_frames, HAND_FEATURES)


def _draw_lengths(config: SynthConfig, takes: int, rng: np.random.Generator) -> I64:
    """Short takes are commoner than long ones."""
    span = config.max_frames - config.min_frames + 1
    lengths: I64 = config.min_frames + (span * rng.random(takes) ** 2).astype(np.int64)
    return lengths


def _record_day(
    person: Person, tracker: Tracker, labels: I64, lengths: I64, frames: int, rng: np.random.Generator
) -> F32:
    """One day before one camera: float32 (takes, frames, 21, 3), zeros behind `lengths`. Of longer takes only the first
    `frames` are made."""
    takes, recorded = len(labels), np.minimum(lengths, frames)
    camera = draw_camera(rng)
    start, end = _held_poses(person, labels, rng)
    course = draw_course(lengths, frames, person.pace, rng)
    path, turn = _movement(labels, course, person, rng)
    ease = ease_weights(lengths, frames, rng)
    path += draw_rise(ease, rng)
    turn += np.array(camera.turn, dtype=np.float32)
    pose = _over_time(start, end, lengths, ease, rng)
    turn += pose.turn
    shape = hand_landmarks(pose.spread, pose.flexion, pose.thumb, person.bones)
    rotation = rotations(turn)
    seen = perspective(np.matmul(shape, np.swapaxes(rotation, -1, -2)), camera)
    hidden = hidden_landmarks(seen[:, min(frames - 1, 8)])
    size = (camera.size * np.exp(rng.normal(0.0, 0.05, takes))).astype(np.float32)
    depth = (tracker.depth * np.exp(rng.normal(0.0, 0.1, takes))).astype(np.float32)
    path += rng.normal(0.0, 0.15, (takes, 1, 2)).astype(np.float32)
    key = key_frames(_motions(labels) != "hold", recorded, course, ease)
    seen += _misread(pose, rotation, seen, labels, key, camera, rng)
    image = project(seen, path, size, depth, camera)
    unit = size[:, None] * np.array([1.0, camera.aspect, 1.0], dtype=np.float32)
    image += tracking_errors(frames, hidden, unit, tracker, rng)
    if camera.mirrored != person.left_handed:
        mirror(image)
    lose_hands(image, recorded, labels == len(letters.CLASS_NAMES), size * np.float32(camera.aspect), rng)
    lose_frames(image, recorded, rng)
    return image


def _misread(
    pose: Pose, rotation: F32, seen: F32, labels: I64, key: I64, camera: Camera, rng: np.random.Generator
) -> F32:
    """What the tracker misreads, float32 as seen (takes, frames, 21, 3): computed at the `key` frames (takes, 3), on a
    straight line in between, the same before and behind."""
    takes, frames = seen.shape[:2]
    at = (np.repeat(np.arange(takes), 3), key.ravel())
    error = misread(pose.flexion[at], pose.spread[at], pose.thumb[at], rotation[at], seen[at], camera.distance)
    own = HABIT_SHARE * draw_causes(int(labels.max()) + 1, rng)[labels] + TAKE_SHARE * draw_causes(takes, rng)
    own = unexplained(own, seen[np.arange(takes), key[:, 1]])
    error = error.reshape(takes, 3, -1) + own.reshape(takes, 1, -1)
    between: F32 = np.matmul(_shares(key, frames), error)
    return between.reshape(seen.shape)


def _shares(key: I64, frames: int) -> F32:
    """What part of each of the `key` frames (takes, 3) counts in a frame, float32 (takes, frames, 3)."""
    first, middle, last = (key[:, k, None] for k in range(3))
    time = np.arange(frames)
    late = np.clip((time - first) / np.maximum(middle - first, 1), 0.0, 1.0)
    later = np.clip((time - middle) / np.maximum(last - middle, 1), 0.0, 1.0)
    return np.stack([1.0 - late, late - later, later], axis=2).astype(np.float32)


def _held_poses(person: Person, labels: I64, rng: np.random.Generator) -> tuple[Pose, Pose]:
    """How each take begins and ends its sign; hands that sign nothing are anything in between."""
    day = person.on_a_day(rng)
    sign = np.where(labels < len(letters.CLASS_NAMES), labels, 0)
    start = day.at(sign).varied("take", rng)
    end = start.varied("within", rng)
    nothing = np.flatnonzero(labels == len(letters.CLASS_NAMES))
    if len(nothing):
        idle = draw_idle(day, len(nothing), rng)
        start, end = (pose.replaced(nothing, new) for pose, new in zip((start, end), idle, strict=True))
    return start, end


def _movement(labels: I64, course: Course, person: Person, rng: np.random.Generator) -> tuple[F32, F32]:
    """Wrist path (takes, frames, 2) in hand sizes and turn (takes, frames, 3) in radians, on top of the held sign."""
    takes, frames = course.done.shape
    nothing = 1.0 + 14.0 * (labels == len(letters.CLASS_NAMES)).astype(np.float32)[:, None, None]
    far = np.exp(rng.normal(0.0, 0.9, (takes, 1, 1))).astype(np.float32)
    path = drift(takes, frames, 2, 0.02, rng) * far * nothing
    turn = drift(takes, frames, 3, 0.015, rng) * nothing
    turn += rng.standard_normal((takes, frames, 3), dtype=np.float32) * np.float32(person.tremor)
    motions = _motions(labels)
    for motion, draw in (("z", draw_z), ("j", draw_j)):
        moving = motions == motion
        along, turning = draw(course.of(moving))
        path[moving] += along
        turn[moving] += turning
    return path, turn


def _motions(labels: I64) -> NDArray[np.str_]:
    """Each take's motion."""
    motions: NDArray[np.str_] = np.array([*letters.MOTIONS, "hold"])[labels]
    return motions


def _over_time(start: Pose, end: Pose, lengths: I64, ease: F32, rng: np.random.Generator) -> Pose:
    """Angles over a take, each with a frame axis behind its first: from one pose slowly to the other, in some takes
    from or to the hand at ease."""
    takes, frames = ease.shape
    rest = Pose.of_variants(np.full(takes, len(letters.VARIANTS) - 1)).varied("take", rng)
    time = np.minimum(np.arange(frames) / np.maximum(lengths - 1, 1)[:, None], 1.0).astype(np.float32)
    blended = np.flatnonzero(ease.any(axis=1))

    def along(first: F32, last: F32, relaxed: F32) -> F32:
        extra = (1,) * (first.ndim - 1)
        value = first[:, None] + time.reshape(takes, frames, *extra) * (last - first)[:, None]
        weight = ease[blended].reshape(len(blended), frames, *extra)
        value[blended] += weight * (relaxed[blended, None] - value[blended])
        return value

    turn = along(start.turn, end.turn, start.turn + 0.5 * (rest.turn - start.turn))
    return Pose(
        along(start.flexion, end.flexion, rest.flexion),
        along(start.spread, end.spread, rest.spread),
        along(start.thumb, end.thumb, rest.thumb),
        turn,
        start.turn_sigma,
        start.held,
    )
