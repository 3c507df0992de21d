"""Recordings as Parquet with one row a frame; needs the extra `parquet`. Lossless: what rows can't hold is metadata."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import json_text, parse_json, written_file
from edgekit.data.hand import F32, I64
from edgekit.data.layouts.columns import REQUIRED, Columns, feature_columns, find_columns, said_columns
from edgekit.data.layouts.labels import whole_numbers
from edgekit.data.layouts.npy import NOT_FINITE
from edgekit.data.layouts.numbers import Rounding
from edgekit.data.layouts.raw import RECORDINGS, SYNTHETIC, TRACKER, Raw
from edgekit.data.layouts.rows import Rows, take_ids
from edgekit.data.pictures import ASPECT, HAND, PICTURE
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError, missing_extra
from edgekit.reading import open_file, parsing, refuse_large

#: Key of the schema's metadata; its value is JSON: class_names in order, and synthetic.
KEY = b"edgekit"
PARQUET = replace(RECORDINGS, what="Parquet", advice="write it again")
METADATA = replace(PARQUET, what="edgekit metadata", advice="it is damaged: convert the recordings again")
#: What columns hold, where it is not any name.
WANTED = {"frame": "whole numbers", SYNTHETIC: "true or false", HAND: "text (L or R)", ASPECT: "numbers"}
#: What a row takes beside its numbers, at most.
ROW_BYTES = 100

Place = Callable[[int], str]


def _pyarrow() -> Any:
    """The package, loaded on first use. Raises MissingExtraError without it."""
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise missing_extra("a .parquet file", "pyarrow", "parquet") from None
    return pyarrow


def read_parquet(path: Path, strict: bool = True, said: str | None = None) -> Raw:
    """Columns as in CSV (see `columns`), in any order; take and label are text or whole numbers.

    Features of a row that are all null are a frame without a hand. Class names and their order come from the schema's
    metadata where edgekit wrote the file. strict: whether NaN and infinite numbers are refused. said: what the columns
    are, as `--columns` says it. Raises DataError naming the row, counted from 1, and before anything is read for a
    table beyond the limit.
    """
    pa = _pyarrow()
    with open_file(path, PARQUET) as file, parsing(path, PARQUET):
        opened = pa.parquet.ParquetFile(file)
        names = list(opened.schema_arrow.names)
        columns = find_columns(names, str(path)) if said is None else said_columns(said, names, len(names), str(path))
        texts = _check_types(pa, opened.schema_arrow, columns, str(path))
        about = opened.metadata
        packed = sum(about.row_group(k).total_byte_size for k in range(about.num_row_groups))
        refuse_large(max(packed, about.num_rows * (8 * len(names) + ROW_BYTES)), path, PARQUET, "unpacked, would take")
        file.seek(0)
        table = pa.parquet.ParquetFile(file, read_dictionary=texts).read()
        return _Table(pa, table, columns, str(path), strict).rows().raw()


def _check_types(pa: Any, schema: Any, columns: Columns, source: str) -> list[str]:
    """The names of the columns that hold text. Raises DataError for one whose type can't be used."""
    for at in columns.features:
        kind = schema.field(at).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise DataError(f"{source}: column '{schema.names[at]}' must hold numbers, got {kind}")
    texts = []
    for role, at in columns.roles.items():
        kind = schema.field(at).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        wanted = WANTED.get(role, "text or whole numbers")
        fits = {"frame": number, ASPECT: number, HAND: text}.get(role, text or number)
        if not (fits or (role == SYNTHETIC and pa.types.is_boolean(kind))):
            raise DataError(f"{source}: column '{schema.names[at]}' must hold {wanted}, got {kind}")
        texts += [schema.names[at]] if text else []
    return texts


class _Table:
    """A table that was read, column by column."""

    def __init__(self, pa: Any, table: Any, columns: Columns, source: str, strict: bool) -> None:
        self.pa, self.table, self.columns, self.source, self.strict = pa, table, columns, source, strict

    def place(self, row: int) -> str:
        """A row in words."""
        return f"{self.source}, row {row + 1}"

    def _number_place(self, feature: int, at: tuple[int, ...]) -> str:
        return f"{self.place(at[0])}, {self.columns.names[feature]}"

    def rows(self) -> Rows:
        """All of them. Raises DataError for the first null or number that can't be used."""
        for name in REQUIRED:
            column = self._column(name)
            if column is not None and column.null_count:
                raise DataError(f"{self.place(int(_nulls(column).argmax()))}: '{name}' is null; every frame needs one")
        rounding = Rounding()
        values = self._values(rounding)
        label = self._text("label") or []
        about = _metadata(self.table.schema.metadata or {}, self.source)
        return Rows(
            source=self.source,
            place=self.place,
            columns=self.columns,
            take=self._text("take"),
            frame=self._frames(),
            label=label,
            signer=self._text("signer"),
            session=self._text("session"),
            values=values,
            hand=self._text(HAND),
            aspect=self._aspects(),
            tracker=self._text(TRACKER),
            synthetic=self._synthetic() or about.get(SYNTHETIC) is True,
            class_names=_class_names(about, label, self.source),
            remarks=rounding.remarks(),
        )

    def _column(self, role: str) -> Any:
        """None where there is none."""
        at = self.columns.roles.get(role)
        return None if at is None else self.table.column(at)

    def _values(self, rounding: Rounding) -> F32:
        """(rows, features), zeros in rows whose features are all null."""
        features = [self.table.column(at) for at in self.columns.features]
        null = np.stack([_nulls(column) for column in features], axis=1)
        partly = np.flatnonzero(null.any(axis=1) & ~null.all(axis=1))
        if len(partly):
            row = int(partly[0])
            first = self.columns.names[int(null[row].argmax())]
            raise DataError(
                f"{self.place(row)}: {null[row].sum()} of {len(features)} features are null ({first} first); fill in"
                " all of them, or none where no hand was found"
            )
        values = np.empty(null.shape, dtype=np.float32)
        for k, column in enumerate(features):
            numbers = column.fill_null(0).to_numpy()
            values[:, k] = rounding.convert(numbers, partial(self._number_place, k))
        bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if self.strict and len(bad):
            raise DataError(f"{self.place(int(bad[0]))}: holds {NOT_FINITE}; record again or drop the take")
        return values

    def _text(self, role: str) -> list[str] | None:
        """A column as text, one object for each name however many rows have it; null is empty. None without one."""
        column = self._column(role)
        if column is None:
            return None
        if self.pa.types.is_integer(column.type) or self.pa.types.is_floating(column.type):
            numbers = self._whole(column, role)
            found, index = np.unique(numbers, return_inverse=True)
            names = np.array([str(number) for number in found.tolist()], dtype=object)
            return ["" if null else name for name, null in zip(names[index].tolist(), _nulls(column), strict=True)]
        texts: list[str] = []
        for chunk in column.chunks:
            coded = chunk if self.pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
            names = np.array(["" if name is None else name for name in [*coded.dictionary.to_pylist(), None]], object)
            codes = coded.indices.cast(self.pa.int64()).fill_null(len(names) - 1)
            texts += names[codes.to_numpy(zero_copy_only=False)].tolist()
        return texts

    def _whole(self, column: Any, role: str) -> NDArray[np.int64]:
        """Whole numbers; zero where null. Raises DataError for one that is not whole."""
        numbers = column.fill_null(0).to_numpy()
        return whole_numbers(numbers, role, self.source, lambda at: self.place(at[0]))[0]

    def _frames(self) -> I64 | None:
        column = self._column("frame")
        if column is None:
            return None
        whole = column.cast(self.pa.int64()) if self.pa.types.is_integer(column.type) else column
        return np.asarray(self._whole(whole, "frame"))

    def _aspects(self) -> NDArray[np.float64] | None:
        """float64 (rows,), NaN for null; None without such a column."""
        column = self._column(ASPECT)
        if column is None:
            return None
        numbers: NDArray[np.float64] = column.cast(self.pa.float64()).to_numpy()
        return numbers

    def _synthetic(self) -> bool:
        """Whether any row is."""
        column = self._column(SYNTHETIC)
        return column is not None and any(column.cast(self.pa.bool_()).to_pylist())


def _nulls(column: Any) -> NDArray[np.bool_]:
    nulls: NDArray[np.bool_] = column.is_null().to_numpy()
    return nulls


def _metadata(metadata: dict[bytes, bytes], source: str) -> dict[str, Any]:
    with parsing(source, METADATA):
        about = parse_json(metadata.get(KEY, b"{}").decode())
        if not isinstance(about, dict):
            raise ValueError(f"expected a mapping, got a {type(about).__name__}")
    return about


def _class_names(about: dict[str, Any], label: list[str], source: str) -> tuple[str, ...] | None:
    """Those of the metadata, where there are any and they hold every label."""
    names = about.get("class_names")
    if names is None:
        return None
    if not isinstance(names, list) or not set(label) <= set(map(str, names)):
        raise DataError(f"{source}: its edgekit metadata does not know all labels; convert the recordings again")
    return tuple(map(str, names))


def write_parquet(path: Path, recordings: Recordings) -> None:
    """float32 features, null in frames without a hand; class names and `synthetic` in the schema's metadata, too."""
    pa = _pyarrow()
    own = np.arange(recordings.sequences.shape[1]) < recordings.lengths[:, None]
    take, frame = np.nonzero(own)
    values = recordings.sequences[take, frame]
    gone = ~values.any(axis=1)
    columns = {
        "take": pa.array(np.array(take_ids(recordings))[take]),
        "frame": pa.array(frame.astype(np.int32)),
        "label": pa.array(np.array(recordings.class_names)[recordings.labels][take]),
    }
    for name in ("signer", "session", *PICTURE):
        if getattr(recordings, name) is not None:
            columns[name] = pa.array(getattr(recordings, name)[take], from_pandas=True)  # NaN is null
    if recordings.synthetic:
        columns[SYNTHETIC] = pa.array(np.full(len(take), True))
    if recordings.tracker:
        columns[TRACKER] = pa.array(np.full(len(take), recordings.tracker))
    for index, name in enumerate(feature_columns(recordings.features)):
        columns[name] = pa.array(values[:, index], mask=gone)
    about = {"class_names": recordings.class_names, SYNTHETIC: recordings.synthetic}
    table = pa.table(columns).replace_schema_metadata({KEY: json_text(about).encode()})
    with written_file(path) as file:
        pa.parquet.write_table(table, file)
