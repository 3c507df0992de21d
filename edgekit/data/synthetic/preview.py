"""The 26 letters as a picture, for people to check against a chart of the manual alphabet."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import numpy as np

from edgekit.data.hand import F32
from edgekit.data.synthetic import letters
from edgekit.data.synthetic.camera import rotations
from edgekit.data.synthetic.motion import Course, draw_j, draw_z
from edgekit.data.synthetic.person import Pose
from edgekit.data.synthetic.skeleton import hand_landmarks, usual_bones
from edgekit.errors import missing_extra

#: Landmarks that a line joins: the palm's outline, then each finger in a colour of its own.
PALM = (0, 1, 5, 9, 13, 17, 0)
FINGERS = ((0, 1, 2, 3, 4), (5, 6, 7, 8), (9, 10, 11, 12), (13, 14, 15, 16), (17, 18, 19, 20))
COLOURS = ("tab:red", "tab:orange", "tab:green", "tab:blue", "tab:purple")
COLUMNS = 7
#: What of the image a letter shows, in hand sizes from its middle.
REACH = 1.1


def chart_hands(index: np.ndarray[Any, Any]) -> F32:
    """Variants of `letters` as an average hand signs them before the camera, float32 (n, 21, 3), image axes in hand
    sizes about the wrist."""
    pose = Pose.of_variants(index)
    points = hand_landmarks(pose.spread, pose.flexion, pose.thumb, usual_bones())
    chart: F32 = np.matmul(points, np.swapaxes(rotations(pose.turn), -1, -2))
    return chart


def tip_path(letter: str) -> F32 | None:
    """Where J's little and Z's index finger go, float32 (frames, 2) in image axes; None for letters that hold."""
    motion = letters.MOTIONS[letters.CLASS_NAMES.index(letter)]
    if motion == "hold":
        return None
    one = np.ones((1, 3), dtype=np.float32)
    course = Course(np.linspace(0.0, 1.0, 40, dtype=np.float32)[None], one, np.zeros(1, dtype=np.float32))
    path, turn = draw_z(course) if motion == "z" else draw_j(course)
    pose = Pose.of_variants(letters.first_variants()[[letters.CLASS_NAMES.index(letter)]])
    hand = hand_landmarks(pose.spread, pose.flexion, pose.thumb, usual_bones())
    tip = hand[:, 8 if motion == "z" else 20]
    moved: F32 = np.einsum("fij,j->fi", rotations(turn[0] + pose.turn), tip[0])[:, :2] + path[0]
    return moved


def draw_preview(every_variant: bool = False) -> bytes:
    """A PNG of each letter's commonest variant, or of all variants. Raises MissingExtraError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise missing_extra("data synth --preview", "matplotlib", "train") from None

    index = np.arange(len(letters.VARIANTS) - 1) if every_variant else letters.first_variants()
    columns = 10 if every_variant else COLUMNS
    rows = -(-len(index) // columns)
    figure = Figure(figsize=(1.5 * columns, 1.6 * rows), layout="constrained")
    axes = figure.subplots(rows, columns).ravel()
    for axis in axes:
        axis.set_axis_off()
    for axis, k, hand in zip(axes, index, chart_hands(index), strict=False):
        letter = letters.CLASS_NAMES[letters.LETTER[k]]
        _draw_hand(axis, hand)
        path = tip_path(letter) if k in letters.first_variants() else None
        if path is not None:
            axis.plot(path[:, 0], path[:, 1], color="black", linewidth=0.8, linestyle="--")
        axis.set_title(letter, fontsize=10, pad=2)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=80)
    return target.getvalue()


def _draw_hand(axis: Any, hand: F32) -> None:
    """A hand as the camera sees it; what is nearer covers what is farther."""
    axis.plot(hand[PALM, 0], hand[PALM, 1], color="grey", linewidth=1.5, zorder=0)
    for finger, colour in zip(FINGERS, COLOURS, strict=True):
        for a, b in pairwise(finger):
            depth = hand[[a, b], 2].mean()
            axis.plot(hand[[a, b], 0], hand[[a, b], 1], color=colour, linewidth=3.5, zorder=1 - depth,
                      solid_capstyle="round")  # fmt: skip
    axis.set_aspect("equal")
    middle = (hand[:, :2].min(axis=0) + hand[:, :2].max(axis=0)) / 2
    axis.set_xlim(middle[0] - REACH, middle[0] + REACH)
    axis.set_ylim(middle[1] + REACH, middle[1] - REACH)
