"""All variants of all letters as arrays, and which of them a person uses."""

from __future__ import annotations

from typing import Literal

import numpy as np

from edgekit.data.hand import F32, I64
from edgekit.data.synthetic.letters.first_half import A_TO_M
from edgekit.data.synthetic.letters.second_half import N_TO_Z
from edgekit.data.synthetic.letters.shapes import NONE, Variant

Motion = Literal["hold", "j", "z"]

LETTERS: dict[str, tuple[Variant, ...]] = {**A_TO_M, **N_TO_Z}
CLASS_NAMES = tuple(LETTERS)
#: The optional class: hands at rest, between signs, or doing something else.
NO_SIGN = "no_sign"
MOTIONS: tuple[Motion, ...] = tuple({"J": "j", "Z": "z"}.get(name, "hold") for name in CLASS_NAMES)  # type: ignore[misc]

#: A hand at ease, where movements into a sign start.
RELAXED = Variant(1.0, ((22, 30, 16),) * 4, NONE, ((24, 16), (10, 14), (0, 8)), (0, 20, 14))


def _radians(values: object) -> F32:
    return np.deg2rad(np.array(values, dtype=np.float32))


#: Every variant, letter by letter, and the one at ease last: class, weight, and in radians flexion (n, 4, 3), spread
#: (n, 4), thumb (n, 3, 2), turn (n, 3) and its sigma; HELD (n, 4).
VARIANTS: tuple[Variant, ...] = (*(variant for variants in LETTERS.values() for variant in variants), RELAXED)
LETTER: I64 = np.repeat(np.arange(len(LETTERS) + 1), [*map(len, LETTERS.values()), 1])
WEIGHT: F32 = np.array([variant.weight for variant in VARIANTS], dtype=np.float32)
FLEXION = _radians([variant.fingers for variant in VARIANTS])
SPREAD = _radians([variant.spread for variant in VARIANTS])
THUMBS = _radians([variant.thumb for variant in VARIANTS])
TURNS = _radians([variant.facing for variant in VARIANTS])
TURN_SIGMAS = _radians([variant.facing_sigma for variant in VARIANTS])
HELD: F32 = np.array([variant.held for variant in VARIANTS], dtype=np.float32)


#: Indices of each letter's variants.
_OF: tuple[I64, ...] = tuple(np.flatnonzero(np.equal(LETTER, k)) for k in range(len(LETTERS)))


def first_variants() -> I64:
    """Index of each letter's commonest variant, as in charts; int64 (26,)."""
    return np.array([own[WEIGHT[own].argmax()] for own in _OF])


def draw_variants(rng: np.random.Generator) -> I64:
    """One person's variant of each letter, int64 (26,), by weight."""
    chance = np.log(WEIGHT) + rng.gumbel(size=len(WEIGHT))
    return np.array([own[chance[own].argmax()] for own in _OF])
