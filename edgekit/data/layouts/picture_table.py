"""`PICTURES.csv` in a folder of recordings: hand, aspect, tracker: what files of numbers can't say, a row a take."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import written_file
from edgekit.data.layouts.csv import CSV, cell_of, csv_lines
from edgekit.data.layouts.picture_columns import parse_aspects, refuse_bad_pictures
from edgekit.data.layouts.raw import TRACKER, one_tracker
from edgekit.data.pictures import ASPECT, HAND, PICTURE, UNKNOWN
from edgekit.data.recordings import Recordings
from edgekit.data.remarks import Remark, counted, kept
from edgekit.errors import DataError, did_you_mean
from edgekit.reading import open_file

#: Stands in the root of a folder of recordings.
PICTURES_FILE = "PICTURES.csv"
TAKE = "take"
COLUMNS = (TAKE, *PICTURE, TRACKER)
EXPECTED = (
    f"expected the columns {', '.join((TAKE, *PICTURE))}, with a row a take such as A/take-01,L,1.7778; or one row"
    f" without {TAKE} for all takes"
)


def read_pictures(root: Path, names: Sequence[str]) -> tuple[dict[str, Any], list[Remark]]:
    """hand, aspect and tracker as `Recordings` takes them, in the order of the takes' names, and remarks; nothing
    without the file.

    Takes that it does not name are unknown; rows about takes that are not there are left out, and a remark says which.
    Raises DataError naming the line.
    """
    path = root / PICTURES_FILE
    if not os.path.lexists(path):  # a link that leads nowhere is told when it is opened
        return {}, []
    columns, numbers = _read_columns(path)

    def place(row: int) -> str:
        return f"{path}, line {numbers[row]}"

    values: dict[str, Any] = {HAND: columns.get(HAND)}
    values[ASPECT] = parse_aspects(columns[ASPECT], place) if ASPECT in columns else None
    refuse_bad_pictures(values[HAND], values[ASPECT], place)
    tracker = {TRACKER: one_tracker(columns.get(TRACKER, ()), path)}
    if TAKE not in columns:
        if len(numbers) != 1:
            raise DataError(f"{path}: has {counted(len(numbers), 'row')} and no column '{TAKE}'; {EXPECTED}")
        return {**tracker, **{name: None if column is None else column[0] for name, column in values.items()}}, []
    row_of: dict[str, int] = {}
    for row, take in enumerate(columns[TAKE]):
        if row_of.setdefault(take, row) != row:
            raise DataError(
                f"{place(row)}: take '{take}' is there already ({place(row_of[take])}); keep one of the rows"
            )
    others = [f"{place(row)} ({take})" for take, row in row_of.items() if take not in set(names)]
    return {**tracker, **{name: _of_takes(column, row_of, names) for name, column in values.items()}}, _remarks(others)


def _read_columns(path: Path) -> tuple[dict[str, list[str]], list[int]]:
    """The cells of each column by its name, and the rows' lines. Raises DataError for other columns than there are."""
    with open_file(path, CSV) as file, io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text:
        lines = list(csv_lines(text, path))
    header = [cell.strip() for cell in lines[0][1]] if lines else []
    for name in header:
        if name not in COLUMNS:
            raise DataError(f"{path}: unknown column {name[:40]!r}{did_you_mean(name, COLUMNS)}; {EXPECTED}")
        if header.count(name) > 1:
            raise DataError(f"{path}: column '{name}' appears more than once; columns must be unique")
    if not {*PICTURE, TRACKER} & set(header):
        raise DataError(f"{path}: no column '{HAND}', '{ASPECT}' or '{TRACKER}'; {EXPECTED}")
    for number, cells in lines[1:]:
        if len(cells) != len(header):
            raise DataError(f"{path}, line {number}: {len(cells)} cells, the first line names {len(header)} columns")
    cells_of = {name: [cells[k] for _, cells in lines[1:]] for k, name in enumerate(header)}
    return cells_of, [number for number, _ in lines[1:]]


def _of_takes(column: Any, row_of: dict[str, int], names: Sequence[str]) -> Any:
    """One a take; unknown where the file names it nowhere."""
    if column is None:
        return None
    unknown = UNKNOWN if isinstance(column, list) else np.nan
    return np.array([column[row_of[name]] if name in row_of else unknown for name in names])


def _remarks(others: Sequence[str]) -> list[Remark]:
    if not others:
        return []
    text = f"{counted(len(others), 'row')} of {PICTURES_FILE} about takes that are not there"
    return [Remark("left out", text, kept(others), short=text, doubtful=True)]


def write_pictures(root: Path, recordings: Recordings, paths: Sequence[str]) -> None:
    """The file, where the recordings know a hand, an aspect or their tracker. paths: of the takes, as class/take."""
    known = [name for name in PICTURE if getattr(recordings, name) is not None]
    same = {TRACKER: recordings.tracker} if recordings.tracker else {}
    if not known and not same:
        return
    with written_file(root / PICTURES_FILE) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text)
        writer.writerow([TAKE, *known, *same])
        rows = zip(paths, *(map(cell_of, getattr(recordings, name)) for name in known), strict=True)
        writer.writerows([*row, *same.values()] for row in rows)
        text.detach()  # writes what is left; the file is closed by who opened it
