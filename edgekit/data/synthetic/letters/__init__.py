"""The ASL manual alphabet as joint angles of a right hand and the way it faces, with the variants signers use.

Angles in degrees, in the axes of `skeleton`: those of the joints themselves; what a hand tracker makes of them is
`reader`'s business. Shapes and orientations are those of the usual charts of the alphabet, checked by eye as skeletons
(`edgekit data synth --preview`) and as a rendered hand (`bench/tracker_readings/collect.py --picture`); the variants
are ones in common use. Angles and facings were corrected where nine recorders of the public recordings differ from them
(bench/synthetic_to_strangers.py names them and measures on all others); no take of theirs is in here.
"""

from edgekit.data.synthetic.letters.tables import (
    CLASS_NAMES,
    FLEXION,
    HELD,
    LETTER,
    LETTERS,
    MOTIONS,
    NO_SIGN,
    SPREAD,
    THUMBS,
    TURN_SIGMAS,
    TURNS,
    VARIANTS,
    WEIGHT,
    draw_variants,
    first_variants,
)

__all__ = [
    "CLASS_NAMES",
    "FLEXION",
    "HELD",
    "LETTER",
    "LETTERS",
    "MOTIONS",
    "NO_SIGN",
    "SPREAD",
    "THUMBS",
    "TURNS",
    "TURN_SIGMAS",
    "VARIANTS",
    "WEIGHT",
    "draw_variants",
    "first_variants",
]
