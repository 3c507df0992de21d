"""What is wrong with recordings, before hours of training find out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edgekit.data.advice import RECOMMENDED_TAKES, notes, refusals, warnings
from edgekit.data.findings import Indices
from edgekit.data.formats import take_files
from edgekit.data.inspection import Inspection, inspect_recordings
from edgekit.data.layouts.raw import BadFrame
from edgekit.data.mislabels import Mislabel, OutOfFold
from edgekit.data.recordings import Names, Recordings
from edgekit.data.remarks import Remark


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
    takes_per_signer, takes_per_session: by name, empty where unknown. takes_per_hand: L, R and nothing where unknown;
    empty where it is for all. picture_unknown: takes whose picture's shape is; narrowest_aspect, widest_aspect: of the
    others, None without any. few_takes: classes below 50 takes.
    empty_takes: every number is zero. sparse_takes: more than half of the frames have no hand. ends_without_hand: the
    last frame has none, though others have. frozen_takes: the hand does not move. gap_takes: frame numbers are missing
    inside of them. non_finite: frames with NaN, infinite or
    impossible numbers. duplicates: groups of takes with the same numbers; duplicates_across_classes: those of several
    classes. mislabels: takes that look like another class; compared_with, judged_takes: see `Disagreements`.
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
    takes_per_hand: dict[str, int]
    picture_unknown: int
    narrowest_aspect: float | None
    widest_aspect: float | None
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
    found = inspect_recordings(recordings, non_finite, predicted)
    per_class = _per_class(recordings, found)
    takes_per_class = {name: row.takes for name, row in per_class.items()}
    narrowest, widest, unknown = _aspects(recordings)
    named = sorted({*found.listed, *found.ends_without_hand})
    return QualityReport(
        source=recordings.source,
        synthetic=recordings.synthetic,
        takes=recordings.takes,
        features=recordings.features,
        classes=recordings.classes,
        shortest_frames=int(recordings.lengths.min(initial=recordings.sequences.shape[1])),
        longest_frames=int(recordings.lengths.max(initial=0)),
        frames=int(recordings.lengths.sum()),
        frames_without_hand=int(recordings.lengths.sum() - found.seen.sum()),
        takes_per_class=takes_per_class,
        takes_per_signer=_count(recordings.signer),
        takes_per_session=_count(recordings.session),
        takes_per_hand=_count(recordings.hand),
        picture_unknown=unknown,
        narrowest_aspect=narrowest,
        widest_aspect=widest,
        per_class=per_class,
        few_takes=tuple(name for name, takes in takes_per_class.items() if takes < RECOMMENDED_TAKES),
        empty_takes=found.empty,
        sparse_takes=found.sparse,
        ends_without_hand=found.ends_without_hand,
        frozen_takes=found.frozen,
        sequence_length=found.sequence_length,
        cut_takes=found.cut,
        gap_takes=found.gaps,
        non_finite=found.non_finite,
        duplicates=found.duplicates,
        duplicates_across_classes=found.duplicates_across_classes,
        mislabels=found.mislabels,
        compared_with=found.neighbours.compared_with,
        judged_takes=found.neighbours.judged,
        out_of_fold_rule=None if predicted is None else predicted.rule,
        out_of_fold_judged=None if predicted is None else int(np.isfinite(predicted.probabilities).all(axis=1).sum()),
        take_files=take_files(recordings, named),
        take_labels={take: recordings.class_names[recordings.labels[take]] for take in named},
        take_names=_names(recordings, named),
        remarks=found.remarks,
        refusals=refusals(recordings, found),
        warnings=warnings(recordings, found, takes_per_class),
        notes=notes(found.remarks),
    )


def _per_class(recordings: Recordings, found: Inspection) -> dict[str, ClassReport]:
    listed = np.zeros(recordings.takes, dtype=np.bool_)
    listed[sorted(found.listed)] = True
    reports = {}
    for label, name in enumerate(recordings.class_names):
        own = recordings.labels == label
        frames = int(recordings.lengths[own].sum())
        reports[name] = ClassReport(
            takes=int(own.sum()),
            signers=None if recordings.signer is None else len(np.unique(recordings.signer[own])),
            sessions=None if recordings.session is None else len(np.unique(recordings.session[own])),
            frames=frames,
            frames_without_hand=frames - int(found.seen[own].sum()),
            listed=int(listed[own].sum()),
        )
    return reports


def _names(recordings: Recordings, takes: Sequence[int]) -> dict[int, str]:
    names = recordings.take_names
    return {} if names is None else {take: str(names[take]) for take in takes}


def _count(names: Names | None) -> dict[str, int]:
    if names is None:
        return {}
    found, count = np.unique(names, return_counts=True)
    return dict(zip(found.tolist(), count.tolist(), strict=True))


def _aspects(recordings: Recordings) -> tuple[float | None, float | None, int]:
    """The narrowest and the widest picture, and how many takes' shape is unknown."""
    if recordings.aspect is None:
        return None, None, recordings.takes
    known = recordings.aspect[~np.isnan(recordings.aspect)]
    least, most = (float(value) for value in (known.min(), known.max()))
    return least, most, recordings.takes - len(known)
