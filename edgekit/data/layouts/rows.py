"""One row a frame, as CSV and Parquet hold recordings: which rows make a take, and what a table's limits are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32, I64
from edgekit.data.layouts.columns import Columns
from edgekit.data.layouts.numbering import natural_key, numbering_remarks
from edgekit.data.layouts.picture_columns import refuse_bad_pictures
from edgekit.data.layouts.raw import TRACKER, Raw, distinct_names, one_tracker, refuse_padded
from edgekit.data.pictures import ASPECT, PICTURE
from edgekit.data.recordings import Recordings, refuse_no_text
from edgekit.data.remarks import Remark
from edgekit.errors import DataError


@dataclass(frozen=True, eq=False)
class Rows:
    """A table's columns, one entry a row. place: a row's index in words, such as `signs.csv, line 17`.

    take: None where each row is a take of its own; frame: None where a take's rows follow each other. values: float32
    (rows, features); a frame without a hand is zeros already. class_names: where the file knows them, their order and
    those without takes; else the labels, ordered by name. aspect: float64 (rows,), NaN where unknown.
    """

    source: str
    place: Callable[[int], str]
    columns: Columns
    take: Sequence[str] | None
    frame: I64 | None
    label: Sequence[str]
    signer: Sequence[str] | None
    session: Sequence[str] | None
    values: F32
    synthetic: bool
    hand: Sequence[str] | None = None
    aspect: NDArray[np.float64] | None = None
    tracker: Sequence[str] | None = None
    class_names: tuple[str, ...] | None = None
    remarks: tuple[Remark, ...] = ()

    def raw(self) -> Raw:
        """The rows of a take together, ordered by frame; takes in the order of their first row. Raises DataError for
        a frame that is there twice, for a take with two labels, signers, sessions, hands or aspects, and for what is no
        hand or aspect."""
        if not len(self.values):
            raise DataError(f"{self.source}: has no rows; expected one per frame")
        self._refuse_bad_names()
        refuse_bad_pictures(self.hand, self.aspect, self.place)
        index, first = self._takes()
        order = np.argsort(index, kind="stable") if self.frame is None else np.lexsort((self.frame, index))
        self._refuse_double_frames(index, order)
        label = self._of_takes("label", self.label, index, first)
        known = ("signer", "session", *PICTURE)
        about = {name: self._of_takes(name, getattr(self, name), index, first) for name in known}
        class_names = self.class_names or tuple(sorted(set(label.tolist()), key=natural_key))
        number = {name: k for k, name in enumerate(class_names)}
        lengths = np.bincount(index)
        return Raw(
            sequences=self._sequences(index, order, lengths),
            lengths=lengths,
            labels=np.array([number[name] for name in label.tolist()], dtype=np.int64),
            class_names=class_names,
            source=self.source,
            **about,
            take_names=None if self.take is None else np.array([self.take[row] for row in first], dtype=np.str_),
            synthetic=self.synthetic,
            tracker=one_tracker(self.tracker or (), self.source),
            remarks=(*self._remarks(index, order), *self.remarks),
        )

    def _refuse_bad_names(self) -> None:
        for name in ("take", "label", "signer", "session", TRACKER):
            refuse_no_text(set(getattr(self, name) or ()), f"column '{name}'", self.source)

    def _sequences(self, index: I64, order: I64, lengths: I64) -> F32:
        refuse_padded(len(lengths), int(lengths.max()), self.values.shape[1], self.source)
        sequences = np.zeros((len(lengths), int(lengths.max()), self.values.shape[1]), dtype=np.float32)
        position = np.arange(len(index)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        sequences[index[order], position] = self.values[order]
        return sequences

    def _takes(self) -> tuple[I64, I64]:
        """Each row's take, counted in order of first appearance, and each take's first row."""
        if self.take is None:
            every = np.arange(len(self.values), dtype=np.int64)
            return every, every
        number: dict[str, int] = {}
        index = np.array([number.setdefault(name, len(number)) for name in self.take], dtype=np.int64)
        return index, np.unique(index, return_index=True)[1].astype(np.int64)

    def _refuse_double_frames(self, index: I64, order: I64) -> None:
        if self.frame is None or self.take is None:
            return
        same = (np.diff(index[order]) == 0) & (np.diff(self.frame[order]) == 0)
        if same.any():
            at = int(same.argmax())
            one, two = sorted((int(order[at]), int(order[at + 1])))
            raise DataError(
                f"{self.place(two)}: take '{self.take[two]}' has frame {self.frame[two]} already "
                f"({self.place(one)}); number takes across the whole file"
            )

    def _of_takes(self, name: str, column: Any, index: I64, first: I64) -> Any:
        """One value a take of a column that is the same in all rows of a take; None without one."""
        if column is None:
            return None
        values = np.asarray(column) if name == ASPECT else np.array(column, dtype=np.str_)
        before = values[first][index]
        differs = np.flatnonzero((values != before) & ((values == values) | (before == before)))  # NaN is not itself
        if len(differs):
            row = int(differs[0])
            start = int(first[index[row]])
            take = self.take[row] if self.take else row
            raise DataError(
                f"{self.place(row)}: take '{take}' has {name} '{values[row]}' here and '{values[start]}' "
                f"before ({self.place(start)}); number takes across the whole file"
            )
        return values[first]

    def _remarks(self, index: I64, order: I64) -> list[Remark]:
        """How the table was read, and what its frame numbers say."""
        remarks = []
        if self.columns.understood:
            short = f"read as its columns seem to mean ({self.columns.understood})"
            text = f"{self.source}: {self.columns.understood}"
            remarks.append(Remark("layout", text, short="" if self.columns.said else short))
        take, frame = self.take, self.frame
        if take is None or frame is None:
            return remarks
        first = np.unique(index[order], return_index=True)[1]

        def called(number: int) -> str:
            return f"{number} ('{take[int(order[first[number]])]}')"

        if (np.diff(order)[np.diff(index[order]) == 0] < 0).any():
            remarks.append(Remark("order", "rows of a take were put in the order of their frame numbers"))
        return remarks + numbering_remarks(index[order], frame[order], lambda row: self.place(int(order[row])), called)


def take_ids(recordings: Recordings) -> list[str]:
    """What stands in the column `take`: the takes' own names where they differ, else their index."""
    names = distinct_names(recordings)
    return [str(k) for k in range(recordings.takes)] if names is None else names.tolist()


def row_losses(recordings: Recordings) -> list[str]:
    """What rows can't hold of these recordings, in words."""
    return ["take names"] if recordings.take_names is not None and distinct_names(recordings) is None else []
