"""Hands that sign nothing: at ease, half closed, in any pose and from any side, and on the way between two letters.

A pose that comes near a letter as some person may sign it is no such hand, so it is drawn again.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from edgekit.data.hand import F32, I64, LANDMARKS, Bools
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import rotations
from edgekit.data.synthetic.person import Pose
from edgekit.data.synthetic.skeleton import (
    FLEXION_LIMITS,
    SPREAD_LIMITS,
    THUMB_LIMITS,
    hand_landmarks,
    usual_bones,
)

#: What a hand may do that signs nothing, and how often: at ease; flat and open; half closed; any pose; between two
#: letters all the time; on the way from near one to near another.
KINDS = ("ease", "open", "curled", "any", "between", "passing")
SHARES = (0.2, 0.2, 0.15, 0.2, 0.1, 0.15)
#: A hand whose landmarks are, root mean square, so near those of a letter may be read as it; in hand sizes.
NEAR = 0.22
#: How often a hand that is near a letter is drawn again; one that still is takes the last.
TRIES = 12
#: Of how many takes the arm lies otherwise than a signer holds it, and by how much, in radians (roll, aside, tip).
TURNED, TURN = 0.6, np.deg2rad(np.array([40.0, 60.0, 35.0], dtype=np.float32))


def draw_idle(day: Pose, takes: int, rng: np.random.Generator) -> tuple[Pose, Pose]:
    """How `takes` takes that sign nothing begin and end; in between, the hand is on the way. day: the person's letters
    (26,), as `Person.on_a_day` gives them."""
    kind = rng.choice(len(KINDS), takes, p=SHARES)
    start, end = _drawn(day, kind, rng)
    for _ in range(TRIES):
        again = np.flatnonzero(near_letters(start) | near_letters(end) | near_letters(_half(start, end)))
        if not len(again):
            break
        new = _drawn(day, kind[again], rng)
        start, end = (old.replaced(again, fresh) for old, fresh in zip((start, end), new, strict=True))
    return start, end


def near_letters(pose: Pose) -> Bools:
    """Which of the poses (n,) look like a letter, bool (n,): from before the camera, on an average hand."""
    hand, chart = (points.reshape(len(points), -1) for points in (_seen(pose), _chart()))
    apart = np.square(hand).sum(axis=1)[:, None] + np.square(chart).sum(axis=1) - 2.0 * hand @ chart.T
    near: Bools = (apart < NEAR**2 * LANDMARKS).any(axis=1)
    return near


@cache
def _chart() -> F32:
    return _seen(Pose.of_variants(np.arange(len(letters.VARIANTS) - 1)))


def _seen(pose: Pose) -> F32:
    """Landmarks float32 (n, 21, 3), image axes in hand sizes about the wrist."""
    points = hand_landmarks(pose.spread, pose.flexion, pose.thumb, usual_bones())
    seen: F32 = np.matmul(points, np.swapaxes(rotations(pose.turn), -1, -2))
    return seen


def _drawn(day: Pose, kind: I64, rng: np.random.Generator) -> tuple[Pose, Pose]:
    """Begins and ends of takes of these kinds (n,)."""
    n = len(kind)
    ease = Pose.of_variants(np.full(n, len(letters.VARIANTS) - 1)).varied("person", rng)
    held, moved = (_posed(ease, kind, rng) for _ in range(2))
    share = np.where(rng.random(n) < 0.25, rng.uniform(0.3, 1.0, n), rng.uniform(0.0, 0.1, n))
    start, end = held, held.mixed(moved, share.astype(np.float32))
    one, other = (day.at(rng.integers(0, len(letters.CLASS_NAMES), n)) for _ in range(2))
    early, late = rng.uniform(0.3, 0.5, n), rng.uniform(0.5, 0.7, n)
    between = np.where(kind == KINDS.index("between"), early, late)
    signing = (kind >= KINDS.index("between")).astype(np.float32)
    start = start.mixed(one.mixed(other, early.astype(np.float32)), signing)
    end = end.mixed(one.mixed(other, between.astype(np.float32)), signing)
    return start, end


def _posed(ease: Pose, kind: I64, rng: np.random.Generator) -> Pose:
    """Hands that nobody holds as a letter: those at ease as they are, others opened, closed, or put anyhow."""
    n = len(kind)
    whole = rng.uniform(0.0, 1.0, (n, 1, 1))
    each = rng.uniform(0.0, 1.0, (n, 4, 1))
    bend = {"ease": None, "open": (-0.1, 0.12), "curled": (0.35, 0.85), "any": (-0.05, 1.0)}
    flexion, spread, thumb = ease.flexion.copy(), ease.spread.copy(), ease.thumb.copy()
    for name, limits in bend.items():
        own = np.flatnonzero(kind == KINDS.index(name))
        if limits is None or not len(own):
            continue
        alone = 0.9 if name == "any" else 0.25
        share = limits[0] + (limits[1] - limits[0]) * ((1.0 - alone) * whole + alone * each)[own]
        most = FLEXION_LIMITS[:, 1] * np.array([0.9, 0.95, 0.8], dtype=np.float32)
        flexion[own] = share * most + rng.normal(0.0, 0.06, (len(own), 4, 3))
        fan = rng.uniform(-0.2, 1.0, (len(own), 1)) * np.array([0.2, 0.06, -0.08, -0.25])
        spread[own] = fan + rng.normal(0.0, 0.04, (len(own), 4))
        low, high = THUMB_LIMITS[..., 0].T, THUMB_LIMITS[..., 1].T
        root = rng.uniform(0.15, 0.9, (len(own), 1, 2))
        thumb[own] = low + (high - low) * np.clip(root + rng.normal(0.0, 0.07, (len(own), 3, 2)), 0.0, 1.0)
    spread = np.clip(spread, *SPREAD_LIMITS)
    turned = rng.normal(0.0, 1.0, (n, 3)) * TURN * (rng.random((n, 1)) < TURNED)
    turn = (ease.turn + turned).astype(np.float32)
    return Pose(flexion, spread.astype(np.float32), thumb, turn, ease.turn_sigma, ease.held)


def _half(start: Pose, end: Pose) -> Pose:
    return start.mixed(end, np.full(len(start.spread), 0.5, dtype=np.float32))
