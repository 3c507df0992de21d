"""Recordings as CSV with one row a frame: what a spreadsheet, R or pandas can read."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgekit.artifacts import write_bytes
from edgekit.data.layouts.npy import reason
from edgekit.data.layouts.raw import SYNTHETIC, Raw, as_float32, own_frames
from edgekit.data.layouts.rows import OPTIONAL, REQUIRED, Rows, check_columns, feature_columns, take_ids
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

#: Nine digits tell every float32 from its neighbours.
NUMBER = "%.9g"
TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}
FRAME_LIMIT = 2**62


def read_csv(path: Path, strict: bool = True) -> Raw:
    """take, frame, label, optional signer, session and synthetic, and features; see `rows.EXPECTED`. UTF-8.

    Columns may stand in any order. A row whose features are all empty is a frame without a hand. strict: whether NaN
    and infinite numbers are refused. Raises DataError naming the line.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            table = _Table(str(path), next(reader, []))
            for cells in reader:
                table.add(cells, reader.line_num)
    except OSError as error:
        raise DataError(f"{path}: can't be read: {reason(error)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 ({error.reason}); save it as CSV UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: no valid CSV: {error}") from None
    return table.rows(strict).raw()


@dataclass
class _Table:
    """Lines as they come; columns by name."""

    source: str
    header: Sequence[str]
    text: dict[str, list[str]] = field(default_factory=dict)
    frame: list[int] = field(default_factory=list)
    values: array[float] = field(default_factory=lambda: array("d"))
    lines: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.header:
            raise DataError(f"{self.source}: the file is empty; the first line must name the columns")
        self.header = [name.strip() for name in self.header]
        self.features = check_columns(self.header, self.source)
        self.at = {name: self.header.index(name) for name in self.header}
        self.text = {name: [] for name in (*REQUIRED, *OPTIONAL) if name in self.at and name != "frame"}

    def add(self, cells: Sequence[str], line: int) -> None:
        """One line; empty ones, as spreadsheets leave them at the end, are skipped."""
        if not any(cells):
            return
        where = f"{self.source}, line {line}"
        if len(cells) != len(self.header):
            raise DataError(f"{where}: {len(cells)} cells, the first line names {len(self.header)} columns")
        for name in REQUIRED:
            if not cells[self.at[name]]:
                raise DataError(f"{where}: '{name}' is empty; every frame needs one")
        for name, column in self.text.items():
            column.append(cells[self.at[name]])
        self.frame.append(self._frame(cells[self.at["frame"]], where))
        self.values.extend(self._numbers([cells[self.at[name]] for name in self.features], where))
        self.lines.append(line)

    def _frame(self, cell: str, where: str) -> int:
        try:
            number = int(cell)
        except ValueError:
            number = FRAME_LIMIT
        if abs(number) >= FRAME_LIMIT:
            raise DataError(f"{where}: frame must be a whole number, got {cell[:40]!r}")
        return number

    def _numbers(self, cells: Sequence[str], where: str) -> list[float]:
        try:
            return [float(cell) for cell in cells]
        except ValueError:
            return self._lost_hand(cells, where)

    def _lost_hand(self, cells: Sequence[str], where: str) -> list[float]:
        """Zeros for a row without any number; raises DataError for one with some, or with anything else."""
        empty = [name for name, cell in zip(self.features, cells, strict=True) if not cell.strip()]
        if len(empty) == len(cells):
            return [0.0] * len(cells)
        if empty:
            raise DataError(
                f"{where}: {len(empty)} of {len(cells)} features are empty ({empty[0]} first); "
                "fill in all of them, or none where no hand was found"
            )
        wrong = next((name, cell) for name, cell in zip(self.features, cells, strict=True) if not _is_number(cell))
        raise DataError(f"{where}: {wrong[0]} is no number: {wrong[1][:40]!r}; numbers are written like 0.25")

    def rows(self, strict: bool) -> Rows:
        """All of them, checked for what one line alone can't show."""
        with np.errstate(over="ignore"):
            values = as_float32(np.array(self.values).reshape(len(self.lines), len(self.features)))
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if strict and len(bad):
            raise DataError(f"{self.place(int(bad[0]))}: holds NaN or infinite numbers; record again or drop the take")
        return Rows(
            source=self.source,
            place=self.place,
            take=self.text["take"],
            frame=np.array(self.frame, dtype=np.int64),
            label=self.text["label"],
            signer=self.text.get("signer"),
            session=self.text.get("session"),
            values=values,
            synthetic=self._synthetic(),
        )

    def _synthetic(self) -> bool:
        """Whether any row is."""
        cells = [cell.lower() for cell in self.text.get(SYNTHETIC, [])]
        wrong = [row for row, cell in enumerate(cells) if cell not in TRUTH]
        if wrong:
            raise DataError(f"{self.place(wrong[0])}: synthetic must be true or false, got {cells[wrong[0]][:40]!r}")
        return any(TRUTH[cell] for cell in cells)

    def place(self, row: int) -> str:
        """A row in words."""
        return f"{self.source}, line {self.lines[row]}"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def write_csv(path: Path, recordings: Recordings) -> None:
    """UTF-8, lines ended as RFC 4180 says; a column `synthetic` where the takes are. Numbers read back exactly."""
    known = [name for name in ("signer", "session") if getattr(recordings, name) is not None]
    flag = [SYNTHETIC] if recordings.synthetic else []
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*REQUIRED, *known, *flag, *feature_columns(recordings.features)])
    for index, take in enumerate(take_ids(recordings)):
        label = recordings.class_names[recordings.labels[index]]
        about = [label, *(getattr(recordings, name)[index] for name in known), *("true" for _ in flag)]
        for number, frame in enumerate(own_frames(recordings, index)):
            writer.writerow([take, number, *about, *_cells(frame.tolist())])
    write_bytes(path, text.getvalue().encode())


def _cells(frame: list[float]) -> list[str]:
    """Empty ones for a frame without a hand."""
    return [NUMBER % value for value in frame] if any(frame) else [""] * len(frame)
