"""Recordings: takes of landmark frames with their classes, people and days."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, I64
from edgekit.data.pictures import check_aspect, check_hand
from edgekit.data.remarks import Remark
from edgekit.errors import DataError

Names = NDArray[np.str_]
#: The longest name of a class, signer, session or take: each of an array's names takes the room of its longest.
MOST_CHARACTERS = 1000


@dataclass(frozen=True, eq=False)
class Recordings:
    """Takes as the camera and the tracker gave them, checked when built.

    sequences: float32 (takes, frames, features), finite; raw landmarks, padded at the end with zeros to the
    longest. lengths: int64 (takes,), frames that belong to each take, 1..frames.
    labels: int64 (takes,), index into class_names.
    class_names: unique, not empty.
    signer, session: str (takes,) or None where unknown, as is one that is empty for every take; a session that starts
    with YYYY-MM-DD has a day.
    source: where it came from, for messages.
    synthetic: whether a generator made it; whoever shows an accuracy on it has to say so.
    take_names: str (takes,), where a person finds each take again, such as class/take of a folder; None where unknown,
    and where they only count 0, 1, 2 ...
    remarks: what its reader found worth saying; not handed on to a part of the takes.
    hand: str (takes,), the tracker's word for the hand, L or R (MediaPipe takes the picture for a mirrored one), empty
    where unknown. aspect: float32 (takes,), width / height of the picture that the landmarks are normalised by, NaN
    where unknown. One value for all takes will do; None where unknown for every take. See `canonical_landmarks`.
    tracker: what found the landmarks, of all takes; empty where unknown. No computation depends on it.

    Other numeric types are converted. Raises DataError naming the take (and frame) of the first fault.
    """

    sequences: F32
    lengths: I64
    labels: I64
    class_names: tuple[str, ...]
    signer: Names | None
    session: Names | None
    source: str
    synthetic: bool = False
    take_names: Names | None = None
    remarks: tuple[Remark, ...] = ()
    hand: Names | None = None
    aspect: F32 | None = None
    tracker: str = ""

    def __post_init__(self) -> None:
        sequences = check_sequences(self.sequences, self.source)
        class_names = _check_class_names(self.class_names, self.source)
        checked: dict[str, Any] = {"sequences": sequences, "class_names": class_names}
        takes, frames, _ = sequences.shape
        classes = len(class_names)
        checked["labels"] = _check_integers(self.labels, "labels", takes, (0, classes - 1), self.source)
        checked["lengths"] = _check_integers(self.lengths, "lengths", takes, (1, frames), self.source)
        for name in ("signer", "session", "take_names"):
            checked[name] = _check_names(getattr(self, name), name, takes, self.source)
        checked["hand"] = check_hand(self.hand, takes, self.source)
        checked["aspect"] = check_aspect(self.aspect, takes, self.source)
        counted = np.arange(takes).astype(np.str_)
        if checked["take_names"] is not None and np.array_equal(checked["take_names"], counted):
            checked["take_names"] = None
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @property
    def takes(self) -> int:
        """Number of takes."""
        return int(self.sequences.shape[0])

    @property
    def features(self) -> int:
        """Numbers per frame."""
        return int(self.sequences.shape[2])

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.class_names)

    def take(self, index: NDArray[Any]) -> Recordings:
        """The takes at `index` (integers or a mask), in that order, with the same classes."""
        return replace(
            self,
            sequences=self.sequences[index],
            lengths=self.lengths[index],
            labels=self.labels[index],
            signer=None if self.signer is None else self.signer[index],
            session=None if self.session is None else self.session[index],
            take_names=None if self.take_names is None else self.take_names[index],
            remarks=(),
            hand=None if self.hand is None else self.hand[index],
            aspect=None if self.aspect is None else self.aspect[index],
        )


def check_sequences(value: NDArray[Any], source: str) -> F32:
    """`value` as float32 (takes, frames >= 1, features >= 1), all finite. Raises DataError naming take and
    frame."""
    array = np.asarray(value)
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise DataError(f"{source}: sequences must be (takes, frames, features), got shape {array.shape}")
    if array.dtype.kind not in "fiu":
        raise DataError(f"{source}: sequences must hold numbers, got {array.dtype}; save them as float32")
    with np.errstate(over="ignore"):
        converted = array.astype(np.float32, copy=False)
    # The sum is finite unless an element is not (or it overflows): a quick pass before the exact one.
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(converted.sum(dtype=np.float64))
    if suspicious:
        wrong = np.flatnonzero(~np.isfinite(converted).all(axis=(1, 2)))
        if len(wrong):
            take, count = int(wrong[0]), len(wrong)
            frame, feature = np.argwhere(~np.isfinite(converted[take]))[0]
            raise DataError(
                f"{source}: take {take}, frame {frame}, feature {feature}: {converted[take, frame, feature]}, "
                f"not a finite float32 number ({count} {'take' if count == 1 else 'takes'} affected); "
                "record again or drop"
            )
    return converted


def _check_class_names(value: Any, source: str) -> tuple[str, ...]:
    names = tuple(str(name) for name in value)
    if not names or not all(name.strip() for name in names):
        raise DataError(f"{source}: class_names must be one name or more, none of them empty, got {names!r}")
    refuse_no_text(names, "class_names", source)
    double = sorted(name for name, count in Counter(names).items() if count > 1)
    if double:
        raise DataError(f"{source}: class_names holds '{double[0]}' more than once; names must be unique")
    return names


def _check_integers(value: Any, name: str, takes: int, allowed: tuple[int, int], source: str) -> I64:
    array = np.asarray(value)
    if array.dtype.kind not in "iu":
        raise DataError(
            f"{source}: {name} must hold whole numbers, got {array.dtype}; save them as int64: {name}.astype('int64')"
        )
    if array.shape != (takes,):
        raise DataError(f"{source}: {name} must have one entry per take ({takes},), got shape {array.shape}")
    wrong = np.flatnonzero((array < allowed[0]) | (array > allowed[1]))
    if len(wrong):
        raise DataError(
            f"{source}: {name}[{wrong[0]}] is {array[wrong[0]]}, allowed is {allowed[0]}..{allowed[1]}"
            f"{' (index into class_names)' if name == 'labels' else ' (frames per take)'}"
        )
    return array.astype(np.int64, copy=False)


def _check_names(value: Any, name: str, takes: int, source: str) -> Names | None:
    if value is None:
        return None
    array = np.asarray(value)
    if array.dtype.kind != "U":
        raise DataError(f"{source}: {name} must hold text, got {array.dtype}; save it as a str array or leave it out")
    if array.shape != (takes,):
        raise DataError(f"{source}: {name} must have one entry per take ({takes},), got shape {array.shape}")
    if array.dtype.itemsize > 4 * MOST_CHARACTERS or not _is_text(array):
        refuse_no_text(np.unique(array).tolist(), name, source)
    return array if not takes or (array != "").any() else None


def _is_text(array: Names) -> bool:
    """Whether UTF-8 can hold all of it, at a glance."""
    if not array.size:
        return True
    codes = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")).reshape(-1).view(np.uint32)
    return not bool(((codes >= 0xD800) & (codes <= 0xDFFF)).any())


def refuse_no_text(names: Iterable[str], what: str, source: str) -> None:
    """Raises DataError for a name that UTF-8 can't hold, such as a file name of other bytes, and for one that nobody
    reads to its end."""
    for name in names:
        if len(name) > MOST_CHARACTERS:
            raise DataError(
                f"{source}: {what} holds a name of {len(name):,} characters ({name[:40]!r}...); {MOST_CHARACTERS} are"
                " allowed"
            )
        if any("\ud800" <= character <= "\udfff" for character in name):
            raise DataError(f"{source}: {what} holds {name!r}, which is not text (its bytes are not UTF-8); rename it")
