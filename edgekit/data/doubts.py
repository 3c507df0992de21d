"""What names and shapes alone make doubtful: classes that are one, people that are one, frames and numbers swapped."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from edgekit.data.canonical import unused_pictures
from edgekit.data.hand import FRAME_SIZES
from edgekit.data.recordings import Recordings
from edgekit.data.remarks import Remark, counted


def find_doubts(recordings: Recordings) -> tuple[Remark, ...]:
    """What the reader found, then what the recordings themselves show."""
    return (
        *recordings.remarks,
        *_class_doubts(recordings),
        *_group_doubts(recordings),
        *_shape_doubts(recordings),
        *_picture_doubts(recordings),
    )


def plain_name(name: str) -> str:
    """A name without what people overlook: space around it, case, how its characters are encoded or set, and
    characters without a shape. Source: Unicode 15, 5.18, "compatibility caseless match"."""
    shown = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    folded = unicodedata.normalize("NFKC", shown.casefold())
    return " ".join(folded.split())


def _looks(name: str) -> str:
    """What a person sees of a name: as `plain_name`, but upper and lower case are two."""
    shown = "".join(c for c in unicodedata.normalize("NFKC", name) if unicodedata.category(c) != "Cf")
    return " ".join(shown.split())


def find_alike(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that are one by `plain_name`, in the order of their first."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[plain_name(name)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _class_doubts(recordings: Recordings) -> Iterator[Remark]:
    takes = np.bincount(recordings.labels, minlength=recordings.classes).tolist()
    number = {name: k for k, name in enumerate(recordings.class_names)}
    for group in find_alike(recordings.class_names):
        names = " and ".join(repr(name) for name in group)
        places = tuple(f"{_of_class(recordings, number[name])}: {takes[number[name]]} takes" for name in group)
        same = len({_looks(name) for name in group}) < len(group)
        text = f"classes {names} {'look the same' if same else 'differ by upper and lower case alone'}"
        members = np.flatnonzero(np.isin(recordings.labels, [number[name] for name in group]))
        yield Remark(
            "names",
            f"{text}; if they are one class, give them one name",
            places,
            tuple(members.tolist()),
            short=f"{len(group)} classes alike ({names})",
            doubtful=True,
            refused=f"{text}: they can't be told apart; rename one, or give both one name" if same else "",
        )
    for name in recordings.class_names:
        if name != name.strip():
            yield Remark("names", f"class {name!r} starts or ends with a space, a part of its name", doubtful=True)


def _of_class(recordings: Recordings, label: int) -> str:
    """Where the first take of a class is."""
    members = np.flatnonzero(recordings.labels == label)
    if not len(members):
        return f"class {recordings.class_names[label]!r}"
    names, take = recordings.take_names, int(members[0])
    called = f"take {take}" if names is None else f"take {take} ({names[take]})"
    return f"class {recordings.class_names[label]!r}, first in {recordings.source}, {called}"


def _group_doubts(recordings: Recordings) -> Iterator[Remark]:
    """Names of people and sessions, which decide what is tested."""
    for kind in ("signer", "session"):
        names = getattr(recordings, kind)
        for group in find_alike([] if names is None else np.unique(names).tolist()):
            listed = " and ".join(repr(name) for name in group)
            yield Remark(
                "names",
                f"{kind}s {listed} differ by case, spaces or encoding alone; if they are one, give them one name: a"
                f" split by {kind} would train on one and test on the other",
                takes=tuple(np.flatnonzero(np.isin(names, group)).tolist()),
                short=f"{len(group)} {kind}s alike ({listed})",
                doubtful=True,
            )


def _shape_doubts(recordings: Recordings) -> Iterator[Remark]:
    frames = np.unique(recordings.lengths)
    if len(frames) != 1 or int(frames[0]) not in FRAME_SIZES or recordings.features in FRAME_SIZES:
        return
    found = int(frames[0])
    text = f"every take has {found} frames of {recordings.features} numbers, as if frames and numbers were swapped"
    todo = f"a tracker gives {found} numbers per frame: save takes as (frames, {found})"
    places = _of_take(recordings, 0)
    yield Remark(
        "shape",
        f"{text} ({todo})",
        (places,),
        tuple(range(recordings.takes)),
        short=f"{counted(recordings.takes, 'take')} of {found} frames of {recordings.features} numbers",
        doubtful=True,
        refused=f"{text}: {todo}; if that is right, confirm it with --set data.preprocessing=standard",
    )


def _picture_doubts(recordings: Recordings) -> Iterator[Remark]:
    """What is said of pictures and used by nobody."""
    unused = unused_pictures(recordings.features)
    said = [name for name in unused if getattr(recordings, name) is not None]
    if said:
        text = f"{' and '.join(said)} kept, but not used: {unused[said[0]]}"
        yield Remark("picture", text, short=text)


def _of_take(recordings: Recordings, take: int) -> str:
    names = recordings.take_names
    return f"{recordings.source}, take {take}" + ("" if names is None else f" ({names[take]})")
