"""Numbers in names, and of frames: order, gaps, and what of them a sequence can't hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from edgekit.data.hand import I64
from edgekit.data.remarks import Remark, counted, kept

#: More digits are no frame number.
MOST_DIGITS = 18


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which digits count by value: frame2 before frame10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return tuple((0, int(digits), digits) if digits else (1, 0, text) for digits, text in parts)


def numbers_of(stems: Sequence[str]) -> list[int] | None:
    """The numbers that file names end in, where all start alike: `frame_3`, `frame_10`. None where they don't."""
    parts = [re.fullmatch(rf"(.*?)([0-9]{{1,{MOST_DIGITS}}})", stem, re.DOTALL) for stem in stems]
    if None in parts or len({part[1] for part in parts if part}) > 1:
        return None
    return [int(part[2]) for part in parts if part]


def numbering_remarks(take: I64, frame: I64, place: Callable[[int], str], name: Callable[[int], str]) -> list[Remark]:
    """What the frame numbers of all takes say. take, frame: int64 (rows,), sorted by take, then by number. place: a row
    in words, such as its line; name: a take in words.

    Frames are counted in ones where any two neighbours are one apart, else in their usual step (timestamps). A step of
    twice that or more is a gap.
    """
    step = np.diff(frame)
    within = np.flatnonzero(np.diff(take) == 0)
    remarks = []
    if len(within):
        unit = 1.0 if step[within].min() == 1 else float(np.median(step[within]))
        gaps = within[step[within] >= 2 * unit]
        if len(gaps):
            remarks.append(_gaps(take, frame, gaps, place, name))
        elif unit != 1:
            text = f"frame numbers rise by {unit:g}, not by 1; frames are read as neighbours, evenly spaced in time"
            remarks.append(Remark("steps", text))
    first = np.flatnonzero(np.r_[True, np.diff(take) != 0])
    if remarks or frame[first].any():
        remarks.append(Remark("frame numbers", "frame numbers (frames count 0, 1, 2 ... in each take now)"))
    return remarks


def _gaps(take: I64, frame: I64, gaps: I64, place: Callable[[int], str], name: Callable[[int], str]) -> Remark:
    takes, at, count = np.unique(take[gaps], return_index=True, return_counts=True)

    def said(index: int) -> str:
        row, more = int(gaps[at[index]]), int(count[index]) - 1
        rest = f" (and {more} more in this take)" if more else ""
        step = f"frame {frame[row]} is followed by {frame[row + 1]}"
        return f"{place(row + 1)}: take {name(int(takes[index]))}, {step}{rest}"

    return Remark(
        "gaps",
        f"gaps in the frame numbers of {counted(len(takes), 'take')}; the frames on both sides"
        " are read as neighbours: fill in the frames (a frame without a hand is all zeros), or split the take",
        kept(said(index) for index in range(len(takes))),
        tuple(takes.tolist()),
        short=f"gaps in the frame numbers of {counted(len(takes), 'take')}",
        doubtful=True,
    )
