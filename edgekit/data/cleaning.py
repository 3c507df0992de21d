"""Recordings without the takes that findings name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import real_place
from edgekit.data.formats import (
    Layout,
    choose_layout,
    load_leniently,
    refuse_existing,
    refuse_nesting,
    save_recordings,
    told,
)
from edgekit.data.mislabels import OutOfFold
from edgekit.data.quality import QualityReport, check_recordings
from edgekit.data.recordings import Recordings
from edgekit.errors import ConfigError, DataError, did_you_mean
from edgekit.reading import StrPath

#: What can be dropped, in the order in which a take's reason is chosen.
KINDS = ("non-finite", "empty", "contradictions", "duplicates", "gaps", "frozen", "sparse", "mislabelled")
#: What is certainly broken. The other kinds need a look, and are dropped only when named.
BROKEN = ("non-finite", "empty", "contradictions", "duplicates")


@dataclass(frozen=True)
class Dropped:
    """A take that was left out. file, take: where it stands in the source, and its index. kind: one of KINDS."""

    file: str
    take: int
    name: str | None
    label: str
    kind: str
    reason: str


@dataclass(frozen=True)
class Cleaning:
    """What `clean_recordings` wrote. takes_left: of each class. lost, changed, warnings, notes: as in
    `Conversion`; warnings say what is left, too."""

    source: str
    target: str
    layout: Layout
    synthetic: bool
    takes: int
    kinds: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    takes_left: dict[str, int]
    lost: tuple[str, ...]
    changed: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, keys as the fields."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def find_dropped(recordings: Recordings, report: QualityReport, kinds: Sequence[str] = BROKEN) -> tuple[Dropped, ...]:
    """The takes that `kinds` leave out, in file order, each with its first reason. Of identical takes of one class the
    first stays; of those of several classes none, because nobody knows which is right."""
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ConfigError(f"drop {unknown[0]}: unknown{did_you_mean(unknown[0], KINDS)}")
    found: dict[int, tuple[str, str]] = {}
    for kind in (kind for kind in KINDS if kind in kinds):
        for take, reason in _named(report, kind):
            found.setdefault(take, (kind, reason))
    names = recordings.take_names
    return tuple(
        Dropped(
            report.take_files[take],
            take,
            None if names is None else str(names[take]),
            report.take_labels[take],
            *found[take],
        )
        for take in sorted(found)
    )


def _named(report: QualityReport, kind: str) -> Iterator[tuple[int, str]]:
    """(take, reason) of one kind."""
    across = set(report.duplicates_across_classes)
    if kind == "non-finite":
        yield from ((bad.take, "NaN, infinite or impossible numbers") for bad in report.non_finite)
    elif kind == "contradictions":
        for group in report.duplicates_across_classes:
            yield from ((take, f"the same numbers as take {_others(group, take)}, other class") for take in group)
    elif kind == "duplicates":
        for group in (group for group in report.duplicates if group not in across):
            yield from ((take, f"the same numbers as take {group[0]}") for take in group[1:])
    elif kind == "mislabelled":
        yield from ((one.take, f"looks like {one.looks_like} ({', '.join(one.found_by)})") for one in report.mislabels)
    else:
        takes, why = {
            "empty": (report.empty_takes, "no frame has a hand"),
            "gaps": (report.gap_takes, "frame numbers are missing in it"),
            "frozen": (report.frozen_takes, "the hand does not move"),
            "sparse": (report.sparse_takes, "most frames have no hand"),
        }[kind]
        yield from ((take, why) for take in takes)


def _others(group: Sequence[int], take: int) -> str:
    return ", ".join(str(other) for other in group if other != take)


def clean_recordings(
    source: StrPath,
    target: StrPath,
    kinds: Sequence[str] = BROKEN,
    layout: Layout | None = None,
    force: bool = False,
    predict: Callable[[Recordings], OutOfFold] | None = None,
    columns: str | None = None,
) -> Cleaning:
    """Write `source` to `target` without the takes of `kinds`; the source stays as it is.

    predict: recordings to `OutOfFold`, for the second finder of "mislabelled"; None asks neighbours alone. Raises
    DataError where no take would be left, where frames with NaN would be kept, for a target that exists (unless
    `force`) and for one that is the source, inside it or around it.
    """
    source = Path(source)
    target = Path(target)
    chosen = choose_layout(target, layout)
    if real_place(source) == real_place(target):
        raise DataError(f"{target}: is the source, which stays as it is; choose another target")
    refuse_nesting(source, target)
    refuse_existing(target, force)
    recordings, bad = load_leniently(source, columns)
    predicted: OutOfFold | None = predict(recordings) if predict else None
    report = check_recordings(recordings, bad, predicted)
    dropped = find_dropped(recordings, report, kinds)
    kept = np.setdiff1d(np.arange(recordings.takes), [one.take for one in dropped]).astype(np.int64)
    if not len(kept):
        raise DataError(f"{source}: every take would be dropped, nothing is left to write; drop fewer kinds")
    broken = sorted({one.take for one in bad} & set(kept.tolist()))
    if broken:
        raise DataError(f"{source}: take {broken[0]} holds NaN or impossible numbers; drop non-finite, too")
    left = recordings.take(kept)
    before, after = (np.bincount(r.labels, minlength=r.classes) for r in (recordings, left))
    emptied = [name for name, had, has in zip(left.class_names, before, after, strict=True) if had and not has]
    here = set(kept.tolist())
    said = told(left, chosen, ((one, "") for one in report.remarks if not one.takes or here.intersection(one.takes)))
    lonely = tuple(f"no take of class {name} is left: record some, or remove the class" for name in emptied)
    cleaning = Cleaning(
        source=str(source),
        target=str(target),
        layout=chosen,
        synthetic=left.synthetic,
        takes=left.takes,
        kinds=tuple(kind for kind in KINDS if kind in kinds),
        dropped=dropped,
        takes_left=dict(zip(left.class_names, after.tolist(), strict=True)),
        lost=said.lost,
        changed=said.changed,
        warnings=(*lonely, *said.warnings),
        notes=said.notes,
    )
    save_recordings(target, left, chosen, force)
    return cleaning
