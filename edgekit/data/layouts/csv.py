"""Recordings as CSV with one row a frame: what a spreadsheet, R or pandas can read."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import written_file
from edgekit.data.hand import F32
from edgekit.data.layouts.columns import (
    LOOKED_AT,
    REQUIRED,
    Columns,
    feature_columns,
    find_columns,
    guess_columns,
    is_header,
    is_number,
    is_plain,
    said_columns,
)
from edgekit.data.layouts.npy import NOT_FINITE
from edgekit.data.layouts.numbers import Rounding, as_float32, find_other_digits
from edgekit.data.layouts.picture_columns import parse_aspects
from edgekit.data.layouts.raw import RECORDINGS, SYNTHETIC, TRACKER, Raw, own_frames
from edgekit.data.layouts.rows import Rows, take_ids
from edgekit.data.pictures import ASPECT, HAND, PICTURE
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError
from edgekit.reading import open_file, parsing, refuse_large

CSV = replace(RECORDINGS, what="CSV", advice="save it as CSV with commas, in UTF-8")
TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}
FRAME_LIMIT = 2**62
#: Of whole numbers that were floats once.
FRACTION = re.compile(r"\.0*\s*$")
#: Characters of one line.
MOST_CHARACTERS = 10**6
#: What a row takes beside its numbers, at most.
ROW_BYTES = 100

Line = tuple[int, list[str]]


def read_csv(path: Path, strict: bool = True, said: str | None = None) -> Raw:
    """take, frame, label, optional signer, session, hand, aspect, synthetic and tracker, and features, or another table
    whose columns can be told (see `columns`). UTF-8. said: what the columns are, as `--columns` says it.

    A row whose features are all empty is a frame without a hand. strict: whether NaN and infinite numbers are refused.
    Raises DataError naming the line.
    """
    with open_file(path, CSV) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        lines = csv_lines(text, path)
        table, rows = _start(lines, str(path), said)
        for number, cells in itertools.chain(rows, lines):
            table.add(cells, number)
    return table.rows(strict).raw()


def csv_lines(text: io.TextIOWrapper, path: Path) -> Iterator[Line]:
    """Number and cells of every line but empty ones, as spreadsheets leave them at the end."""
    reader = csv.reader(_short_lines(text, path), strict=True)
    while True:
        with parsing(path, CSV):
            try:
                cells = next(reader, None)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: is not UTF-8 ({error.reason}); save it as CSV UTF-8") from None
            except csv.Error as error:
                raise DataError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None
        if cells is None:
            return
        if any(cells):
            yield reader.line_num, cells


def _short_lines(text: io.TextIOWrapper, path: Path) -> Iterator[str]:
    number = 0
    while line := text.readline(MOST_CHARACTERS + 1):
        number += 1
        if len(line) > MOST_CHARACTERS:
            raise DataError(f"{path}, line {number}: over {MOST_CHARACTERS:,} characters; write one frame per line")
        yield line


def _start(lines: Iterator[Line], source: str, said: str | None) -> tuple[_Table, list[Line]]:
    """The table with its columns, and the first rows, which were looked at to tell them."""
    looked_at = list(itertools.islice(lines, LOOKED_AT))
    if not looked_at:
        raise DataError(f"{source}: the file is empty; the first line must name the columns")
    first = [cell.strip() for cell in looked_at[0][1]]
    header = first if is_header(first) else None
    rows = looked_at if header is None else looked_at[1:]
    if said is not None:
        columns = said_columns(said, header, len(first), source)
    elif header is None or all(is_number(name) for name in header):
        columns = guess_columns([cells for _, cells in rows], source, header)
    else:
        columns = find_columns(header, source)
    return _Table(source, columns), rows


class _Table:
    """Lines as they come; columns by what they are."""

    def __init__(self, source: str, columns: Columns) -> None:
        self.source = source
        self.columns = columns
        self._needed = [(role, columns.roles[role]) for role in REQUIRED if role in columns.roles]
        self._text: dict[str, list[str]] = {role: [] for role in columns.roles if role != "frame"}
        self._known: dict[str, str] = {}
        self._frames: list[int] = []
        self._values = array("d")
        self._lines = array("q")

    def add(self, cells: Sequence[str], line: int) -> None:
        """One line."""
        where = f"{self.source}, line {line}"
        if len(cells) != self.columns.width:
            verb = "names" if self.columns.header else "has"
            raise DataError(f"{where}: {len(cells)} cells, the first line {verb} {self.columns.width} columns")
        for role, at in self._needed:
            if not cells[at]:
                raise DataError(f"{where}: '{role}' is empty; every frame needs one")
        for role, column in self._text.items():
            cell = cells[self.columns.roles[role]]
            column.append(self._known.setdefault(cell, cell))
        if "frame" in self.columns.roles:
            self._frames.append(self._frame(cells[self.columns.roles["frame"]], where))
        self._values.extend(self._numbers([cells[at] for at in self.columns.features], where))
        self._lines.append(line)
        if not len(self._lines) % 1000:
            refuse_large(8 * len(self._values) + ROW_BYTES * len(self._lines), self.source, CSV, "would take at least")

    def _frame(self, cell: str, where: str) -> int:
        try:
            number = int(FRACTION.sub("", cell)) if is_plain(cell) else FRAME_LIMIT
        except ValueError:
            number = FRAME_LIMIT
        if abs(number) >= FRAME_LIMIT:
            raise DataError(f"{where}: frame must be a whole number, got {cell[:40]!r}")
        return number

    def _numbers(self, cells: Sequence[str], where: str) -> list[float]:
        if is_plain("".join(cells)):
            with contextlib.suppress(ValueError):
                return [float(cell) for cell in cells]
        return self._lost_hand(cells, where)

    def _lost_hand(self, cells: Sequence[str], where: str) -> list[float]:
        """Zeros for a row without any number; raises DataError for one with some, or with anything else."""
        named = list(zip(self.columns.names, cells, strict=True))
        empty = [name for name, cell in named if not cell.strip()]
        if len(empty) == len(cells):
            return [0.0] * len(cells)
        if empty:
            raise DataError(
                f"{where}: {len(empty)} of {len(cells)} features are empty ({empty[0]} first); "
                "fill in all of them, or none where no hand was found"
            )
        wrong = next((name, cell) for name, cell in named if not is_number(cell))
        raise DataError(f"{where}: {wrong[0]} is not a number: {wrong[1][:40]!r}; numbers are written like 0.25")

    def rows(self, strict: bool) -> Rows:
        """All of them, checked for what one line alone can't show."""
        numbers = np.frombuffer(self._values, dtype=np.float64).reshape(len(self._lines), len(self.columns.features))
        values = as_float32(numbers)
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if strict and len(bad):
            raise DataError(f"{self.place(int(bad[0]))}: holds {NOT_FINITE}; record again or drop the take")
        remarks = self._rounding(numbers, values).remarks()
        self._values = array("d")  # twice the room of what it became
        return Rows(
            source=self.source,
            place=self.place,
            columns=self.columns,
            take=self._text.get("take"),
            frame=np.array(self._frames, dtype=np.int64) if "frame" in self.columns.roles else None,
            label=self._text["label"],
            signer=self._text.get("signer"),
            session=self._text.get("session"),
            values=values,
            hand=self._text.get(HAND),
            aspect=parse_aspects(self._text[ASPECT], self.place) if ASPECT in self._text else None,
            synthetic=self._synthetic(),
            tracker=self._text.get(TRACKER),
            remarks=remarks,
        )

    def _rounding(self, numbers: NDArray[np.float64], values: F32) -> Rounding:
        def place(at: tuple[int, ...]) -> str:
            return f"{self.place(at[0])}, {self.columns.names[at[1]]}"

        rounding = Rounding()
        rounding.add(numbers, values, find_other_digits(numbers, values), "more digits", place)
        return rounding

    def _synthetic(self) -> bool:
        """Whether any row is."""
        cells = [cell.lower() for cell in self._text.get(SYNTHETIC, [])]
        wrong = [row for row, cell in enumerate(cells) if cell not in TRUTH]
        if wrong:
            raise DataError(f"{self.place(wrong[0])}: synthetic must be true or false, got {cells[wrong[0]][:40]!r}")
        return any(TRUTH[cell] for cell in cells)

    def place(self, row: int) -> str:
        """A row in words."""
        return f"{self.source}, line {self._lines[row]}"


def write_csv(path: Path, recordings: Recordings) -> None:
    """UTF-8, lines ended as RFC 4180 says; a column `synthetic` where the takes are, and
    `tracker` where that is known. Numbers in as few digits as read
    back exactly."""
    known = [name for name in ("signer", "session", *PICTURE) if getattr(recordings, name) is not None]
    same = ({SYNTHETIC: "true"} if recordings.synthetic else {}) | (
        {TRACKER: recordings.tracker} if recordings.tracker else {}
    )
    with written_file(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        _write_rows(csv.writer(text), recordings, known, same)
        text.detach()  # writes what is left; the file is closed by who opened it


def _write_rows(writer: Any, recordings: Recordings, known: Sequence[str], same: Mapping[str, str]) -> None:
    """same: columns that hold one text in every row."""
    writer.writerow([*REQUIRED, *known, *same, *feature_columns(recordings.features)])
    for index, take in enumerate(take_ids(recordings)):
        label = recordings.class_names[recordings.labels[index]]
        about = [label, *(cell_of(getattr(recordings, name)[index]) for name in known), *same.values()]
        frames = own_frames(recordings, index)
        seen: list[bool] = np.asarray(frames.any(axis=1)).tolist()
        for number, frame in enumerate(frames.astype(np.str_).tolist()):
            writer.writerow([take, number, *about, *(frame if seen[number] else [""] * len(frame))])


def cell_of(value: Any) -> str:
    """A name, or a number in as few digits as read back exactly; empty for NaN."""
    return "" if value != value else str(value)
