"""What is wrong with recordings, before hours of training find out."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekit.data.hand import I64, frames_seen
from edgekit.data.recordings import Names, Recordings

#: Takes per class that training wants.
RECOMMENDED_TAKES = 50
#: A class with more than so many times the takes of the smallest one makes the data unbalanced.
BALANCE_RATIO = 3.0
#: A take of which more than this part has no hand is listed.
UNSEEN_RATIO = 0.5


@dataclass(frozen=True)
class QualityReport:
    """Findings about recordings; indices are positions in the file, ready for `Recordings.take`.

    frames: frames that belong to takes (padding left out); frames_without_hand: those of them that are all
    zero. takes_per_class, takes_per_signer, takes_per_session: by name (the latter two empty where unknown).
    few_takes: classes below 50 takes. empty_takes: no frame has a hand. sparse_takes: more than half of the
    frames have none (empty ones left out). ends_without_hand: the last frame has none, though others have.
    warnings: what to do about it, one sentence each.
    """

    source: str
    synthetic: bool
    takes: int
    features: int
    classes: int
    shortest_frames: int
    longest_frames: int
    frames: int
    frames_without_hand: int
    takes_per_class: dict[str, int]
    takes_per_signer: dict[str, int]
    takes_per_session: dict[str, int]
    few_takes: tuple[str, ...]
    empty_takes: tuple[int, ...]
    sparse_takes: tuple[int, ...]
    ends_without_hand: tuple[int, ...]
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, keys as the fields."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def check_recordings(recordings: Recordings) -> QualityReport:
    """Look for what training would stumble over.

    NaN, infinite numbers, labels and lengths out of range never get this far: `Recordings` refuses them and
    names the take and frame.
    """
    frames = recordings.sequences.shape[1]
    own = np.arange(frames) < recordings.lengths[:, None]
    seen = frames_seen(recordings.sequences) & own
    found = seen.sum(axis=1)
    empty = np.flatnonzero(found == 0)
    sparse = np.flatnonzero((found > 0) & (found < (1.0 - UNSEEN_RATIO) * recordings.lengths))
    last = seen[np.arange(recordings.takes), recordings.lengths - 1]
    ends = np.flatnonzero((found > 0) & ~last)
    count = np.bincount(recordings.labels, minlength=recordings.classes)
    per_class = dict(zip(recordings.class_names, count.tolist(), strict=True))
    few = tuple(name for name, takes in per_class.items() if takes < RECOMMENDED_TAKES)
    return QualityReport(
        source=recordings.source,
        synthetic=recordings.synthetic,
        takes=recordings.takes,
        features=recordings.features,
        classes=recordings.classes,
        shortest_frames=int(recordings.lengths.min(initial=frames)),
        longest_frames=int(recordings.lengths.max(initial=0)),
        frames=int(own.sum()),
        frames_without_hand=int((own & ~seen).sum()),
        takes_per_class=per_class,
        takes_per_signer=_count(recordings.signer),
        takes_per_session=_count(recordings.session),
        few_takes=few,
        empty_takes=tuple(empty.tolist()),
        sparse_takes=tuple(sparse.tolist()),
        ends_without_hand=tuple(ends.tolist()),
        warnings=tuple(_warnings(recordings, per_class, empty, sparse)),
    )


def _count(names: Names | None) -> dict[str, int]:
    if names is None:
        return {}
    found, count = np.unique(names, return_counts=True)
    return dict(zip(found.tolist(), count.tolist(), strict=True))


def _warnings(recordings: Recordings, per_class: dict[str, int], empty: I64, sparse: I64) -> list[str]:
    warnings = []
    none = [name for name, takes in per_class.items() if takes == 0]
    if none:
        warnings.append(f"no takes of {_list(none)}: record some, or remove the class")
    few = [f"{name} ({takes})" for name, takes in per_class.items() if 0 < takes < RECOMMENDED_TAKES]
    if few:
        warnings.append(f"fewer than {RECOMMENDED_TAKES} takes of {_list(few)}: record more")
    present = {name: takes for name, takes in per_class.items() if takes}
    if present and max(present.values()) > BALANCE_RATIO * min(present.values()):
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        warnings.append(
            f"unbalanced: {present[most]} takes of {most}, {present[least]} of {least} "
            f"(more than {BALANCE_RATIO:g} times): record more of the rare classes"
        )
    if len(empty):
        warnings.append(f"no hand in any frame of take {_list(empty.tolist())}: record again or drop")
    if len(sparse):
        warnings.append(f"no hand in most frames of take {_list(sparse.tolist())}: look at them")
    if recordings.signer is None or recordings.session is None:
        missing = " and ".join(n for n in ("signer", "session") if getattr(recordings, n) is None)
        warnings.append(f"{missing} unknown: accuracy on other days or people can't be tested honestly; save them, too")
    return warnings


def _list(items: list[Any], most: int = 10) -> str:
    shown = ", ".join(str(item) for item in items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"
