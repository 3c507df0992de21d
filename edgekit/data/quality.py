"""What is wrong with recordings, before hours of training find out."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.disagreement import Comparison, find_disagreements
from edgekit.data.doubts import find_doubts
from edgekit.data.findings import (
    Indices,
    find_duplicates,
    find_frozen,
    find_lost_hands,
    own_frames_seen,
    takes_with_numbers,
)
from edgekit.data.formats import take_files
from edgekit.data.hand import Bools, largest_number
from edgekit.data.layouts.raw import BadFrame
from edgekit.data.length import choose_length, used_frames
from edgekit.data.mislabels import Mislabel, OutOfFold, join_finders
from edgekit.data.recordings import Names, Recordings
from edgekit.data.remarks import Remark
from edgekit.data.splits import Split, split_recordings
from edgekit.errors import DataError

#: Takes per class that training wants.
RECOMMENDED_TAKES = 50
#: A class with more than so many times the takes of the smallest one makes the data unbalanced.
BALANCE_RATIO = 3.0

ONE_CLASS = "all takes are of one class: there is nothing to tell apart; record another"


@dataclass(frozen=True)
class ClassReport:
    """One class. signers, sessions: how many; None where unknown. listed: takes that a finding names, those that only
    end without a hand left out."""

    takes: int
    signers: int | None
    sessions: int | None
    frames: int
    frames_without_hand: int
    listed: int


@dataclass(frozen=True)
class QualityReport:
    """Findings about recordings; takes by index, ready for `Recordings.take`.

    frames: those that belong to takes (padding left out); frames_without_hand: all zero among them.
    takes_per_signer, takes_per_session: by name, empty where unknown. few_takes: classes below 50 takes.
    empty_takes: every number is zero. sparse_takes: more than half of the frames have no hand. ends_without_hand: the
    last frame has none, though others have. frozen_takes: the hand does not move. gap_takes: frame numbers are missing
    inside of them. non_finite: frames with NaN, infinite or
    impossible numbers. duplicates: groups of takes with the same numbers; duplicates_across_classes: those of several
    classes. mislabels: takes that look like another class; compared_with, judged_takes: see `Comparison`.
    out_of_fold_rule, out_of_fold_judged: None unless predictions were given. sequence_length: frames of a take that
    training would read, unless told otherwise; cut_takes: those with a hand behind them.
    take_files, take_labels, take_names: of every take that a finding names (names only where known).
    remarks: what was found in reading, and in names and shapes, each with its places. refusals: why training would
    refuse the recordings. warnings: what to do about the rest, one sentence each. notes: what is no fault.
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
    per_class: dict[str, ClassReport]
    few_takes: tuple[str, ...]
    empty_takes: Indices
    sparse_takes: Indices
    ends_without_hand: Indices
    frozen_takes: Indices
    sequence_length: int
    cut_takes: Indices
    gap_takes: Indices
    non_finite: tuple[BadFrame, ...]
    duplicates: tuple[Indices, ...]
    duplicates_across_classes: tuple[Indices, ...]
    mislabels: tuple[Mislabel, ...]
    compared_with: int
    judged_takes: int
    out_of_fold_rule: str | None
    out_of_fold_judged: int | None
    take_files: dict[int, str]
    take_labels: dict[int, str]
    take_names: dict[int, str]
    remarks: tuple[Remark, ...]
    refusals: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, keys as the fields; JSON makes text of the takes' indices in take_files, take_labels and
        take_names."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def check_recordings(
    recordings: Recordings, non_finite: Sequence[BadFrame] = (), predicted: OutOfFold | None = None
) -> QualityReport:
    """Look for what training would stumble over. non_finite: frames that `load_leniently` repaired. predicted: a second
    opinion on labels.

    Labels and lengths out of range never get this far: `Recordings` refuses them and names the take.
    """
    seen = own_frames_seen(recordings)
    lost = find_lost_hands(recordings, seen)
    frozen, duplicates = find_frozen(recordings, seen), find_duplicates(recordings)
    remarks = find_doubts(recordings)
    gaps = tuple(take for remark in remarks if remark.kind == "gaps" for take in remark.takes)
    sequence_length = choose_length(recordings, _training_part(recordings))
    cut = tuple(np.flatnonzero(used_frames(recordings.sequences, recordings.lengths) > sequence_length).tolist())
    comparison = find_disagreements(recordings)
    mislabels = join_finders(recordings, comparison.disagreements, predicted)
    bad_takes = [bad.take for bad in non_finite]
    twice = [take for group in duplicates for take in group]
    named = {*lost[0], *lost[1], *frozen, *gaps, *bad_takes, *twice, *(found.take for found in mislabels)}
    per_class = _per_class(recordings, seen, named)
    across = tuple(group for group in duplicates if len({recordings.labels[take] for take in group}) > 1)
    return QualityReport(
        source=recordings.source,
        synthetic=recordings.synthetic,
        takes=recordings.takes,
        features=recordings.features,
        classes=recordings.classes,
        shortest_frames=int(recordings.lengths.min(initial=recordings.sequences.shape[1])),
        longest_frames=int(recordings.lengths.max(initial=0)),
        frames=int(recordings.lengths.sum()),
        frames_without_hand=int(recordings.lengths.sum() - seen.sum()),
        takes_per_class={name: row.takes for name, row in per_class.items()},
        takes_per_signer=_count(recordings.signer),
        takes_per_session=_count(recordings.session),
        per_class=per_class,
        few_takes=tuple(name for name, row in per_class.items() if row.takes < RECOMMENDED_TAKES),
        empty_takes=lost[0],
        sparse_takes=lost[1],
        ends_without_hand=lost[2],
        frozen_takes=frozen,
        sequence_length=sequence_length,
        cut_takes=cut,
        gap_takes=gaps,
        non_finite=tuple(non_finite),
        duplicates=duplicates,
        duplicates_across_classes=across,
        mislabels=mislabels,
        compared_with=comparison.compared_with,
        judged_takes=comparison.judged,
        out_of_fold_rule=None if predicted is None else predicted.rule,
        out_of_fold_judged=None if predicted is None else int(np.isfinite(predicted.probabilities).all(axis=1).sum()),
        take_files=take_files(recordings, sorted({*named, *lost[2]})),
        take_labels={take: recordings.class_names[recordings.labels[take]] for take in sorted({*named, *lost[2]})},
        take_names=_names(recordings, {*named, *lost[2]}),
        remarks=remarks,
        refusals=tuple(_refusals(recordings, remarks, bad_takes)),
        warnings=(
            *(remark.sentence() for remark in remarks if remark.doubtful and not remark.refused),
            *_hand_warnings(recordings, seen),
            *_class_warnings(per_class),
            *_take_warnings(*(_called(recordings, takes) for takes in (lost[0], lost[1], frozen))),
            *_cut_warnings(recordings, _called(recordings, cut), sequence_length),
            *_duplicate_warnings(duplicates, across),
            *_comparison_warnings(recordings, comparison, mislabels),
            *_unknown_warnings(recordings),
        ),
        notes=tuple(said(remark) for remark in remarks if not remark.doubtful and remark.kind != "frame numbers"),
    )


def said(remark: Remark) -> str:
    """A remark as a line of its own."""
    return f"{'left out: ' * (remark.kind == 'left out')}{remark.sentence()}"


def refuse_impossible(recordings: Recordings, preprocessing: str = "auto") -> None:
    """Raises DataError for classes that nobody can tell apart, for frames and numbers that are swapped (unless
    `preprocessing` says what the numbers are), and for the first number that nothing measured reaches; see
    `largest_number`."""
    for remark in find_doubts(recordings):
        if remark.refused and (preprocessing == "auto" or remark.kind != "shape"):
            raise DataError(f"{recordings.source}: {remark.refusal()}")
    x, limit = recordings.sequences, largest_number(recordings.features)
    if max(float(x.max(initial=0)), -float(x.min(initial=0))) > limit:
        take, frame, feature = np.argwhere(np.abs(x) > limit)[0]
        raise DataError(
            f"{recordings.source}: take {take}, frame {frame}, feature {feature}: {x[take, frame, feature]:g} is beyond"
            f" {limit:g}, which nothing measured reaches; record again, or drop"
            f" (`edgekit data clean {shlex.quote(recordings.source)} kept.npz`)"
        )


def training_note(recordings: Recordings, split: Split, columns: str | None = None) -> str | None:
    """One line about what is cheap to see before training; None where nothing is. columns: as they were read with.
    Raises DataError for one class."""
    count = np.bincount(recordings.labels, minlength=recordings.classes)
    if np.count_nonzero(count) == 1:
        raise DataError(f"{recordings.source}: {ONE_CLASS}")
    seen = own_frames_seen(recordings)
    part = np.zeros(recordings.takes, dtype=np.bool_)
    part[split.test] = True
    groups = (part[list(group)] for group in find_duplicates(recordings))
    few, empty = int((count < RECOMMENDED_TAKES).sum()), int((~seen.any(axis=1)).sum())
    shared = sum(bool(group.any() and not group.all()) for group in groups)
    least = count[count > 0].min()
    problems = (
        (few, f"{few} of {len(count)} classes with fewer than {RECOMMENDED_TAKES} takes"),
        (count.max() > BALANCE_RATIO * least, f"unbalanced classes ({least} to {count.max()} takes)"),
        (empty, f"takes without any hand: {empty}"),
        (shared, f"identical takes in training and test: {shared}"),
    )
    doubts = (remark.short for remark in find_doubts(recordings) if remark.short)
    found = "; ".join([*(text for true, text in problems if true), *doubts])
    with_columns = "" if columns is None else f" --columns {shlex.quote(columns)}"
    return f"{found}. `edgekit data check {shlex.quote(recordings.source)}{with_columns}` says where" if found else None


def _per_class(recordings: Recordings, seen: Bools, named: set[int]) -> dict[str, ClassReport]:
    listed = np.zeros(recordings.takes, dtype=np.bool_)
    listed[sorted(named)] = True
    reports = {}
    for label, name in enumerate(recordings.class_names):
        own = recordings.labels == label
        frames = int(recordings.lengths[own].sum())
        reports[name] = ClassReport(
            takes=int(own.sum()),
            signers=None if recordings.signer is None else len(np.unique(recordings.signer[own])),
            sessions=None if recordings.session is None else len(np.unique(recordings.session[own])),
            frames=frames,
            frames_without_hand=frames - int(seen[own].sum()),
            listed=int(listed[own].sum()),
        )
    return reports


def _names(recordings: Recordings, takes: set[int]) -> dict[int, str]:
    names = recordings.take_names
    return {} if names is None else {take: str(names[take]) for take in sorted(takes)}


def _count(names: Names | None) -> dict[str, int]:
    if names is None:
        return {}
    found, count = np.unique(names, return_counts=True)
    return dict(zip(found.tolist(), count.tolist(), strict=True))


def _refusals(recordings: Recordings, remarks: Iterable[Remark], bad_takes: Sequence[int]) -> list[str]:
    refusals = [remark.refusal() for remark in remarks if remark.refused]
    if bad_takes:
        called = _list(_called(recordings, dict.fromkeys(bad_takes)))
        refusals.append(f"NaN, infinite or impossible numbers in take {called}: record again or drop")
    if np.count_nonzero(np.bincount(recordings.labels)) == 1:
        refusals.append(ONE_CLASS)
    if not takes_with_numbers(recordings).any():
        refusals.append("no frame has a hand (all numbers are zero)")
    try:
        split_recordings(recordings)
    except DataError as error:
        refusals.append(str(error).removeprefix(f"{recordings.source}: "))
    return refusals


def _hand_warnings(recordings: Recordings, seen: Bools) -> list[str]:
    """Of bodies without hands: hands alone are refused."""
    if seen.any() or not takes_with_numbers(recordings).any():
        return []
    return ["no frame has a hand: in all of them the hands' numbers are zero, while others are not"]


def _class_warnings(per_class: dict[str, ClassReport]) -> list[str]:
    warnings = []
    takes = {name: row.takes for name, row in per_class.items()}
    none = [name for name, count in takes.items() if count == 0]
    if none:
        warnings.append(f"no takes of {_list(none)}: record some, or remove the class")
    few = [f"{name} ({count})" for name, count in takes.items() if 0 < count < RECOMMENDED_TAKES]
    if few:
        warnings.append(f"fewer than {RECOMMENDED_TAKES} takes of {_list(few)}: record more")
    present = {name: count for name, count in takes.items() if count}
    if present and max(present.values()) > BALANCE_RATIO * min(present.values()):
        most, least = max(present, key=present.__getitem__), min(present, key=present.__getitem__)
        warnings.append(
            f"unbalanced: {present[most]} takes of {most}, {present[least]} of {least} "
            f"(more than {BALANCE_RATIO:g} times): record more of the rare classes"
        )
    return warnings


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


def _training_part(recordings: Recordings) -> NDArray[np.int64] | None:
    try:
        return split_recordings(recordings).train
    except DataError:
        return None


def _cut_warnings(recordings: Recordings, cut: list[str], frames: int) -> list[str]:
    """Of synthetic hands the ends are meant to be cut."""
    if not cut or recordings.synthetic:
        return []
    return [
        f"training reads {frames} frames of a take; later ones are cut in take {_list(cut)}: trim them, or train with"
        " --set data.sequence_length=FRAMES"
    ]


def _duplicate_warnings(duplicates: Sequence[Indices], across: Sequence[Indices]) -> list[str]:
    said = (
        (across, "some identical takes have different classes: at most one of them is right"),
        (duplicates, "some takes appear more than once: keep one of each, or the test holds training takes"),
    )
    return [text for groups, text in said if groups]


def _comparison_warnings(recordings: Recordings, comparison: Comparison, mislabels: Sequence[Mislabel]) -> list[str]:
    warnings = []
    if mislabels:
        warnings.append(
            "some takes look like another class: mislabelled, signed wrongly, or two signs that are alike; look before "
            "you drop any"
        )
    if comparison.compared_with < comparison.judged:
        warnings.append(
            f"classes were compared with a sample of {comparison.compared_with} takes, not with all "
            f"{recordings.takes}: some wrong labels may be missed"
        )
    return warnings


def _unknown_warnings(recordings: Recordings) -> list[str]:
    missing = " and ".join(name for name in ("signer", "session") if getattr(recordings, name) is None)
    if not missing:
        return []
    return [f"{missing} unknown: accuracy on other days or people can't be tested honestly; save them, too"]


def _list(items: Iterable[Any], most: int = 10) -> str:
    found = list(items)
    shown = ", ".join(str(item) for item in found[:most])
    return shown if len(found) <= most else f"{shown} and {len(found) - most} more"
