"""One row a frame, as CSV and Parquet hold recordings: which columns there are, and which rows make a take."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import HAND_FEATURES, I64, LANDMARKS, count_hands
from edgekit.data.layouts.folders import natural_key
from edgekit.data.layouts.raw import SYNTHETIC, Raw, as_float32, distinct_names
from edgekit.data.recordings import Names, Recordings
from edgekit.errors import DataError, did_you_mean

REQUIRED = ("take", "frame", "label")
OPTIONAL = ("signer", "session", SYNTHETIC)
EXPECTED = (
    f"expected {', '.join(REQUIRED)}, perhaps {', '.join(OPTIONAL)}, and the features: x0, y0, z0 to z20 for one hand, "
    "to z41 for two, f0, f1, f2 and so on for other counts"
)


def feature_columns(features: int) -> list[str]:
    """x0, y0, z0, x1 ... for hands, f0, f1 ... for other counts."""
    if count_hands(features):
        return [f"{axis}{landmark}" for landmark in range(features // 3) for axis in "xyz"]
    return [f"f{k}" for k in range(features)]


def check_columns(columns: Sequence[str], source: str) -> list[str]:
    """The names of the feature columns in their order. Raises DataError for a column that is missing, double or
    unknown."""
    double = sorted({name for name in columns if columns.count(name) > 1})
    if double:
        raise DataError(f"{source}: column '{double[0]}' stands there more than once; columns must be unique")
    missing = [name for name in REQUIRED if name not in columns]
    if len(columns) == 1 and re.search("[;\t]", columns[0]):
        raise DataError(f"{source}: the columns are not separated by commas; save it with commas between columns")
    features = [name for name in columns if name not in REQUIRED + OPTIONAL]
    known = {*REQUIRED, *OPTIONAL, *feature_columns(2 * HAND_FEATURES)}
    unknown = [name for name in features if name not in known and not re.fullmatch("f(0|[1-9][0-9]*)", name)]
    if unknown:
        hint = did_you_mean(unknown[0].lower(), known)
        raise DataError(f"{source}: unknown column '{unknown[0]}'{hint if 'did you' in hint else '; ' + EXPECTED}")
    if missing:
        raise DataError(f"{source}: no column '{missing[0]}'; {EXPECTED}")
    return _complete_features(features, source)


def _complete_features(found: list[str], source: str) -> list[str]:
    """The feature columns found, in order, where they are all there."""
    if not found:
        raise DataError(f"{source}: no columns with features; {EXPECTED}")
    landmarks = [name for name in found if not name.startswith("f")]
    if landmarks and len(landmarks) < len(found):
        plain = next(name for name in found if name.startswith("f"))
        raise DataError(f"{source}: has both {landmarks[0]} and {plain}; {EXPECTED}")
    if landmarks:
        hands = 1 + any(int(name[1:]) >= LANDMARKS for name in landmarks)
        wanted = feature_columns(hands * HAND_FEATURES)
    else:
        wanted = [f"f{k}" for k in range(len(found))]
    lacking = [name for name in wanted if name not in found]
    if lacking:
        raise DataError(f"{source}: no column '{lacking[0]}' beside {found[0]} and {found[-1]}; {EXPECTED}")
    return wanted


@dataclass(frozen=True, eq=False)
class Rows:
    """A table's columns, one entry a row. place: a row's index in words, such as `signs.csv, line 17`.

    values: (rows, features); a frame without a hand is zeros already. class_names: where the file knows them, their
    order and those without takes; else the labels, ordered by name.
    """

    source: str
    place: Callable[[int], str]
    take: Sequence[str]
    frame: I64
    label: Sequence[str]
    signer: Sequence[str] | None
    session: Sequence[str] | None
    values: NDArray[Any]
    synthetic: bool
    class_names: tuple[str, ...] | None = None

    def raw(self) -> Raw:
        """The rows of a take together, ordered by frame; takes in the order of their first row. Raises DataError for
        a frame that is there twice, and for a take with two labels, signers or sessions."""
        if not len(self.take):
            raise DataError(f"{self.source}: holds no rows; there must be one a frame")
        index, first = self._takes()
        order = np.lexsort((self.frame, index))
        self._refuse_double_frames(index, order)
        label = self._of_takes("label", self.label, index, first)
        signer, session = (
            None if column is None else self._of_takes(name, column, index, first)
            for name, column in (("signer", self.signer), ("session", self.session))
        )
        class_names = self.class_names or tuple(sorted(set(label.tolist()), key=natural_key))
        lengths = np.bincount(index)
        sequences = np.zeros((len(first), int(lengths.max()), self.values.shape[1]), dtype=np.float32)
        position = np.arange(len(index)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sequences[index[order], position] = as_float32(self.values[order])
        return Raw(
            sequences=sequences,
            lengths=lengths,
            labels=np.array([class_names.index(name) for name in label.tolist()], dtype=np.int64),
            class_names=class_names,
            source=self.source,
            signer=signer,
            session=session,
            take_names=np.array([self.take[row] for row in first], dtype=np.str_),
            synthetic=self.synthetic,
        )

    def _takes(self) -> tuple[I64, I64]:
        """Each row's take, counted in order of first appearance, and each take's first row."""
        number: dict[str, int] = {}
        index = np.array([number.setdefault(name, len(number)) for name in self.take], dtype=np.int64)
        return index, np.unique(index, return_index=True)[1].astype(np.int64)

    def _refuse_double_frames(self, index: I64, order: I64) -> None:
        same = (np.diff(index[order]) == 0) & (np.diff(self.frame[order]) == 0)
        if same.any():
            at = int(same.argmax())
            one, two = sorted((int(order[at]), int(order[at + 1])))
            raise DataError(
                f"{self.place(two)}: take '{self.take[two]}' has frame {self.frame[two]} already "
                f"({self.place(one)}); number takes across the whole file"
            )

    def _of_takes(self, name: str, column: Sequence[str], index: I64, first: I64) -> Names:
        """One value a take of a column that is the same in all rows of a take."""
        values = np.array(column, dtype=np.str_)
        differs = np.flatnonzero(values != values[first][index])
        if len(differs):
            row = int(differs[0])
            start = int(first[index[row]])
            raise DataError(
                f"{self.place(row)}: take '{self.take[row]}' has {name} '{values[row]}' here and '{values[start]}' "
                f"before ({self.place(start)}); number takes across the whole file"
            )
        of_takes: Names = values[first]
        return of_takes


def take_ids(recordings: Recordings) -> list[str]:
    """What stands in the column `take`: the takes' own names where they differ, else their index."""
    names = distinct_names(recordings)
    return [str(k) for k in range(recordings.takes)] if names is None else names.tolist()


def row_losses(recordings: Recordings) -> list[str]:
    """What rows can't hold of these recordings, in words."""
    return ["take names"] if recordings.take_names is not None and distinct_names(recordings) is None else []
