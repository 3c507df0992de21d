"""What findings mean: why training would refuse recordings, and what to do about the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from edgekit.data.findings import takes_with_numbers
from edgekit.data.inspection import Inspection
from edgekit.data.recordings import Recordings
from edgekit.data.remarks import Remark
from edgekit.data.splits import split_recordings
from edgekit.errors import DataError

#: Takes per class that training wants.
RECOMMENDED_TAKES = 50
#: A class with more than so many times the takes of the smallest one makes the data unbalanced.
BALANCE_RATIO = 3.0

ONE_CLASS = "all takes are of one class: there is nothing to tell apart; record another"


def refusals(recordings: Recordings, found: Inspection) -> tuple[str, ...]:
    """Why training would refuse these recordings, a sentence each; none where it would not."""
    reasons = [remark.refusal() for remark in found.remarks if remark.refused]
    if found.non_finite:
        called = _list(_called(recordings, dict.fromkeys(bad.take for bad in found.non_finite)))
        reasons.append(f"NaN, infinite or impossible numbers in take {called}: record again or drop")
    if np.count_nonzero(np.bincount(recordings.labels)) == 1:
        reasons.append(ONE_CLASS)
    if not takes_with_numbers(recordings).any():
        reasons.append("no frame has a hand (all numbers are zero)")
    try:
        split_recordings(recordings)
    except DataError as error:
        reasons.append(str(error).removeprefix(f"{recordings.source}: "))
    return tuple(reasons)


def warnings(recordings: Recordings, found: Inspection, takes_per_class: Mapping[str, int]) -> tuple[str, ...]:
    """What to do about what training would not refuse, a sentence each."""
    return (
        *(remark.sentence() for remark in found.remarks if remark.doubtful and not remark.refused),
        *_hand_warnings(recordings, found),
        *_class_warnings(takes_per_class),
        *_take_warnings(*(_called(recordings, takes) for takes in (found.empty, found.sparse, found.frozen))),
        *_cut_warnings(recordings, found),
        *_duplicate_warnings(found),
        *_label_warnings(recordings, found),
        *_unknown_warnings(recordings),
    )


def notes(remarks: Iterable[Remark]) -> tuple[str, ...]:
    """What is no fault, a line each."""
    return tuple(_said(remark) for remark in remarks if not remark.doubtful and remark.kind != "frame numbers")


def _said(remark: Remark) -> str:
    """A remark as a line of its own."""
    return f"{'left out: ' * (remark.kind == 'left out')}{remark.sentence()}"


def _hand_warnings(recordings: Recordings, found: Inspection) -> list[str]:
    """What to say of bodies without hands; hands alone without any are refused."""
    if found.seen.any() or not takes_with_numbers(recordings).any():
        return []
    return ["no frame has a hand: in all of them the hands' numbers are zero, while others are not"]


def _class_warnings(takes: Mapping[str, int]) -> list[str]:
    advice = []
    none = [name for name, count in takes.items() if count == 0]
    if none:
        advice.append(f"no takes of {_list(none)}: record some, or remove the class")
    few = [f"{name} ({count})" for name, count in takes.items() if 0 < count < RECOMMENDED_TAKES]
    if few:
        advice.append(f"fewer than {RECOMMENDED_TAKES} takes of {_list(few)}: record more")
    present = {name: count for name, count in takes.items() if count}
    if present and max(present.values()) > BALANCE_RATIO * min(present.values()):
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        advice.append(
            f"unbalanced: {present[most]} takes of {most}, {present[least]} of {least} "
            f"(more than {BALANCE_RATIO:g} times): record more of the rare classes"
        )
    return advice


def _called(recordings: Recordings, takes: Iterable[int]) -> list[str]:
    """Their names, or their indices where they have none."""
    names = recordings.take_names
    return [str(take) if names is None else str(names[take]) for take in takes]


def _take_warnings(empty: list[str], sparse: list[str], frozen: list[str]) -> list[str]:
    said = (
        (empty, f"no hand in any frame of take {_list(empty)}: record again or drop"),
        (sparse, f"no hand in most frames of take {_list(sparse)}: look at them"),
        (frozen, f"the hand does not move in take {_list(frozen)}: fine for stills, else the tracker hung"),
    )
    return [text for takes, text in said if takes]


def _cut_warnings(recordings: Recordings, found: Inspection) -> list[str]:
    """What to say of takes that are cut; the ends of synthetic ones are meant to be."""
    if not found.cut or recordings.synthetic:
        return []
    cut = _list(_called(recordings, found.cut))
    return [
        f"training reads {found.sequence_length} frames of a take; later ones are cut in take {cut}: trim them, or"
        " train with --set data.sequence_length=FRAMES"
    ]


def _duplicate_warnings(found: Inspection) -> list[str]:
    said = (
        (found.duplicates_across_classes, "some identical takes have different classes: at most one of them is right"),
        (found.duplicates, "some takes appear more than once: keep one of each, or the test holds training takes"),
    )
    return [text for groups, text in said if groups]


def _label_warnings(recordings: Recordings, found: Inspection) -> list[str]:
    advice = []
    if found.mislabels:
        advice.append(
            "some takes look like another class: mislabelled, signed wrongly, or two signs that are alike; look before "
            "you drop any"
        )
    if found.neighbours.compared_with < found.neighbours.judged:
        advice.append(
            f"classes were compared with a sample of {found.neighbours.compared_with} takes, not with all "
            f"{recordings.takes}: some wrong labels may be missed"
        )
    return advice


def _unknown_warnings(recordings: Recordings) -> list[str]:
    missing = " and ".join(name for name in ("signer", "session") if getattr(recordings, name) is None)
    if not missing:
        return []
    return [f"{missing} unknown: accuracy on other days or people can't be tested honestly; save them, too"]


def _list(items: Iterable[Any], most: int = 10) -> str:
    found = list(items)
    shown = ", ".join(str(item) for item in found[:most])
    return shown if len(found) <= most else f"{shown} and {len(found) - most} more"
