"""Who signs: bones, habits of the hand, tremor, speed and handedness, and how much poses vary."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from edgekit.data.hand import F32, I64
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.skeleton import Bones, draw_bones, within_limits

#: Part of people who sign with the left hand (McManus, The history and geography of human handedness, 2009).
LEFT_HANDED_RATIO = 0.1
#: Chance that a person signs a letter in another way on another day.
OTHER_VARIANT_PROBABILITY = 0.1

#: Sigmas in degrees between people per letter, between days, between takes, and within a take. fist: how far a bent
#: finger folds at the knuckle in place of the middle joint. turn is in units of the variant's own between people.
SIGMAS = {
    "person": {"flexion": 6.0, "fist": 8.0, "spread": 2.5, "thumb": 5.0, "turn": 1.0},
    "day": {"flexion": 3.0, "fist": 4.0, "spread": 1.0, "thumb": 2.5, "turn": 0.4},
    "take": {"flexion": 3.0, "fist": 4.0, "spread": 1.0, "thumb": 2.0, "turn": 0.35},
    "within": {"flexion": 1.2, "fist": 0.8, "spread": 0.3, "thumb": 1.2, "turn": 0.05},
}
#: Habits that all of a person's letters share, in degrees: fingers less or more bent, fists, spread, thumb.
STYLE = {"flexion": 3.0, "fist": 6.0, "spread": 1.0, "thumb": 2.0}
#: A finger bends at its joints together; the end joint follows the middle one.
COUPLING = np.array([1.0, 1.2, 0.7], dtype=np.float32)
#: A fist that folds more at the knuckle folds less at the middle joint, to end at the same place in the palm.
FOLDING = np.array([1.0, -0.85, -0.1], dtype=np.float32)


@dataclass(frozen=True, eq=False)
class Pose:
    """Joint angles and facing in radians: flexion (n, 4, 3), spread (n, 4), thumb (n, 3, 2), turn (n, 3) and how far
    it varies, turn_sigma (n, 3); and how far each finger varies on its own, held (n, 4)."""

    flexion: F32
    spread: F32
    thumb: F32
    turn: F32
    turn_sigma: F32
    held: F32

    @classmethod
    def of_variants(cls, index: I64) -> Pose:
        """Poses of the variants at `index` of the tables in `letters`."""
        tables = (letters.FLEXION, letters.SPREAD, letters.THUMBS, letters.TURNS, letters.TURN_SIGMAS, letters.HELD)
        return cls(*(table[index] for table in tables))

    def at(self, index: I64) -> Pose:
        """The poses at `index`."""
        return Pose(*(getattr(self, field.name)[index] for field in fields(self)))

    def replaced(self, index: I64, new: Pose) -> Pose:
        """The same with the poses `new` at `index`."""
        parts = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, part in parts.items():
            part[index] = getattr(new, name)
        return Pose(**parts)

    def mixed(self, other: Pose, share: F32) -> Pose:
        """`share` (n,) of the way to the other pose."""
        parts = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Pose(*(a + share.reshape(-1, *(1,) * (a.ndim - 1)) * (b - a) for a, b in parts))

    def varied(self, level: str, rng: np.random.Generator) -> Pose:
        """Poses with angles drawn about these."""
        sigma = SIGMAS[level]
        n = len(self.spread)
        whole = rng.normal(0.0, sigma["flexion"] * 0.6, (n, 1, 1)) * COUPLING
        finger = rng.normal(0.0, sigma["flexion"] * 0.8, (n, 4, 1)) * COUPLING * self.held[..., None]
        joint = rng.normal(0.0, sigma["flexion"] / 2, (n, 4, 3))
        fist = rng.normal(0.0, sigma["fist"], (n, 1, 1)) + rng.normal(0.0, sigma["fist"] / 3, (n, 4, 1))
        root = rng.normal(0.0, sigma["thumb"] * 0.7, (n, 1, 2))
        return self.changed(
            whole + finger + joint,
            fist,
            rng.normal(0.0, sigma["spread"], (n, 4)),
            root + rng.normal(0.0, sigma["thumb"] * 0.7, (n, 3, 2)),
            rng.normal(0.0, sigma["turn"], (n, 3)),
        )

    def changed(self, flexion: object, fist: object, spread: object, thumb: object, turn: object) -> Pose:
        """Poses changed by so many degrees (turn: of its sigmas), within what joints can do; `fist` in as far as a
        finger is bent."""
        bent = np.clip((self.flexion[..., 1:2] - 0.9) / 0.6, 0.0, 1.0)
        bend = self.flexion + _radians(flexion) + bent * _radians(fist) * FOLDING
        aside = self.spread + _radians(spread) * (1.0 - 0.7 * bent[..., 0]) * self.held
        turned = self.turn + self.turn_sigma * np.asarray(turn, dtype=np.float32)
        return Pose(*within_limits(bend, aside, self.thumb + _radians(thumb)), turned, self.turn_sigma, self.held)


@dataclass(frozen=True, eq=False)
class Person:
    """One signer.

    tremor: sigma of the hand's shaking in radians. pace: of movements, 1 is usual.
    """

    bones: Bones
    variants: I64
    habit: Pose
    left_handed: bool
    tremor: float
    pace: float

    def on_a_day(self, rng: np.random.Generator) -> Pose:
        """The 26 letters as signed on one day."""
        other = rng.random(len(self.variants)) < OTHER_VARIANT_PROBABILITY
        changed = Pose.of_variants(letters.draw_variants(rng)).varied("person", rng)
        return self.habit.mixed(changed, other.astype(np.float32)).varied("day", rng)


def draw_person(rng: np.random.Generator) -> Person:
    """Somebody with their own way to sign each letter."""
    bones, variants = draw_bones(rng), letters.draw_variants(rng)
    style = {name: rng.normal(0.0, sigma) for name, sigma in STYLE.items()}
    habit = Pose.of_variants(variants).varied("person", rng).changed(**style, turn=0.0)
    return Person(
        bones=bones,
        variants=variants,
        habit=habit,
        left_handed=bool(rng.random() < LEFT_HANDED_RATIO),
        tremor=float(np.exp(rng.normal(np.log(0.003), 0.5))),
        pace=float(np.exp(rng.normal(0.0, 0.2))),
    )


def _radians(degrees: object) -> F32:
    return np.deg2rad(np.asarray(degrees, dtype=np.float32))
