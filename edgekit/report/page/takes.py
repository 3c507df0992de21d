"""Takes that were read wrong, drawn as hands, beside hands of both classes that were read right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import as_hands, count_hands, hands_seen
from edgekit.evaluate import Misread, ReadTake
from edgekit.report.page.document import Section
from edgekit.report.page.drawing import drawing, path, trace
from edgekit.report.page.markup import Content, Html, number, tag
from edgekit.report.page.parts import as_table, table
from edgekit.report.tables import count, percent

#: Width by height of the picture that landmarks of takes are given in: x is in its widths, y in its heights.
ASPECT = 4 / 3
#: Landmarks of each finger from the wrist on, the thumb first, and of the palm's edge.
FINGERS = tuple((0, *range(4 * finger + 1, 4 * finger + 5)) for finger in range(5))
PALM = (5, 9, 13, 17)
TIPS = (4, 8, 12, 16, 20)
SIDE, EDGE = 120.0, 8.0


def takes_section(misread: Misread, where: str) -> Section | None:
    """None where no take was read wrong."""
    if not misread.wrong:
        return None
    shown = len(misread.shown)
    some = (
        "" if shown == misread.wrong else f" {count(shown)} of them are here, those of the commonest confusions first."
    )
    lead = f"{count(misread.wrong)} of {where} were read wrong.{some}"
    hands = count_hands(misread.shown[0].frames.shape[1])
    if not hands:
        features = misread.shown[0].frames.shape[1]
        return Section(
            "takes",
            "Takes that were read wrong",
            _table(misread, where),
            f"{lead} Their {features} numbers a frame are no hand landmarks, so they are not drawn.",
        )
    how = (
        " Each card shows the take in the middle of its time, and one take of either class that was read right, the"
        " surest. Thin lines are the ways of the fingertips; the thumb is the thicker one. Hands are as the model reads"
        " them: right hands mirrored to left ones."
    )
    return Section(
        "takes",
        "Takes that were read wrong",
        [
            tag("div", (_card(take, misread) for take in misread.shown), class_="cards"),
            as_table("These takes as a table", _table(misread, where)),
        ],
        lead + how,
    )


def _card(take: ReadTake, misread: Misread) -> Html:
    right = [(name, misread.right.get(name)) for name in (take.true, take.answer)]
    caption = tag(
        "figcaption",
        tag(
            "p",
            tag("b", take.true),
            " read as ",
            tag("b", take.answer),
            f", {percent(take.probability)} sure",
            class_="figure-title",
        ),
        tag("p", take.title, class_="under"),
    )
    pictures = [
        _labelled(_hand(take, f"The take, {take.true} read as {take.answer}"), "this take", "this"),
        *(
            _labelled(
                None if one is None else _hand(one, f"A {name} that was read right"),
                f"{name}, read right" if one else f"no {name} was read right",
                "other",
            )
            for name, one in right
        ),
    ]
    return tag("figure", caption, tag("div", pictures, class_="hands"), class_="card")


def _labelled(picture: Html | None, words: str, class_: str) -> Html:
    return tag("div", picture or tag("div", class_="no-hand"), tag("p", words), class_=class_)


def _hand(take: ReadTake, label: str) -> Html:
    """The hands of one frame over the ways of the fingertips."""
    points = _placed(take.frames)
    if points is None:
        return drawing(SIDE, SIDE, f"{label}: no hand was found in it", class_="hand")
    middle = len(points) // 2
    ways = [
        path(_reachable(points[:, hand, tip]), "way")
        for hand in range(points.shape[1])
        for tip in TIPS
        if len(points) > 1
    ]
    bones = [_bones(points[middle, hand]) for hand in range(points.shape[1])]
    return drawing(SIDE, SIDE, label, ways, bones, class_="hand")


def _bones(hand: NDArray[np.float64]) -> Iterable[Html]:
    if not np.isfinite(hand).all():
        return
    lines = [FINGERS[0], *FINGERS[1:], PALM]
    for kind, chosen in (("thumb", lines[:1]), ("bone", lines[1:])):
        yield tag("path", d="".join(trace([tuple(hand[k]) for k in line]) for line in chosen), class_=kind)
    joints = "".join(f"M{number(round(x, 1))} {number(round(y, 1))}h0" for x, y in hand.tolist())
    yield tag("path", d=joints, class_="joint")


def _reachable(points: NDArray[np.float64]) -> Sequence[tuple[float, float]]:
    return [(x, y) for x, y in points.tolist() if np.isfinite(x)]


def _placed(frames: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Points of the frames that show a hand, float64 (frames, hands, 21, 2), in units of the drawing, as large as they
    fit; NaN for a hand that was not found. None where no frame shows one."""
    x = frames[None]
    seen = hands_seen(x)[0]
    kept = seen.any(axis=1)
    if not kept.any():
        return None
    points = as_hands(x)[0][kept][..., :2].astype(np.float64) * (ASPECT, 1.0)
    points[~seen[kept]] = np.nan
    low, high = np.nanmin(points, axis=(0, 1, 2)), np.nanmax(points, axis=(0, 1, 2))
    scale = (SIDE - 2 * EDGE) / max(float((high - low).max()), 1e-9)
    placed: NDArray[np.float64] = (points - (low + high) / 2) * scale + SIDE / 2
    return placed


def _table(misread: Misread, where: str) -> Html:
    rows: list[Sequence[Content]] = [
        [take.title, take.true, take.answer, percent(take.probability), percent(take.true_probability)]
        for take in misread.shown
    ]
    headers = ("take", "true class", "read as", "probability", "of the true class")
    return table(headers, rows, f"Takes that were read wrong, of {where}", left=3)
