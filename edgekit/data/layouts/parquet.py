"""Recordings as Parquet with one row a frame; needs the extra `parquet`. Lossless: what rows can't hold is metadata."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import write_bytes
from edgekit.data.layouts.npy import reason
from edgekit.data.layouts.raw import SYNTHETIC, Raw, as_float32
from edgekit.data.layouts.rows import REQUIRED, Rows, check_columns, feature_columns, take_ids
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError, missing_extra

#: Key of the schema's metadata; its value is JSON: class_names in order, and synthetic.
KEY = b"edgekit"


def _pyarrow() -> Any:
    """The package, loaded on first use. Raises MissingExtraError without it."""
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise missing_extra("a .parquet file", "pyarrow", "parquet") from None
    return pyarrow


def read_parquet(path: Path, strict: bool = True) -> Raw:
    """Columns as in CSV (see `rows.EXPECTED`), in any order; take and label are text or integers.

    Features of a row that are all null are a frame without a hand. Class names and their order come from the schema's
    metadata where edgekit wrote the file. strict: whether NaN and infinite numbers are refused. Raises DataError naming
    the row, counted from 1.
    """
    pa = _pyarrow()
    try:
        with path.open("rb") as file:
            table = pa.parquet.ParquetFile(file).read()
        columns = table.column_names
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        raise DataError(f"{path}: can't be read as Parquet: {reason(error)}") from None
    features = check_columns(columns, str(path))
    try:
        return _rows(pa, table, features, str(path), strict).raw()
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: holds values that can't be used: {reason(error)}") from None


def _rows(pa: Any, table: Any, features: list[str], source: str, strict: bool) -> Rows:
    def place(row: int) -> str:
        return f"{source}, row {row + 1}"

    for name in REQUIRED:
        if table[name].null_count:
            row = _nulls(table[name]).argmax()
            raise DataError(f"{place(int(row))}: '{name}' is null; every frame needs one")
    about = _metadata(table.schema.metadata or {}, source)
    values = _values(table, features, place)
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if strict and len(bad):
        raise DataError(f"{place(int(bad[0]))}: holds NaN or infinite numbers; record again or drop the take")
    label = _text(pa, table, "label", source)
    class_names = _class_names(about, label, source)
    flags = table[SYNTHETIC].cast(pa.bool_()).to_pylist() if SYNTHETIC in table.column_names else []
    return Rows(
        source=source,
        place=place,
        take=_text(pa, table, "take", source),
        frame=_frames(pa, table, source),
        label=label,
        signer=_text(pa, table, "signer", source) if "signer" in table.column_names else None,
        session=_text(pa, table, "session", source) if "session" in table.column_names else None,
        values=values,
        synthetic=any(flags) or about.get(SYNTHETIC) is True,
        class_names=class_names,
    )


def _nulls(column: Any) -> NDArray[np.bool_]:
    nulls: NDArray[np.bool_] = column.is_null().to_numpy()
    return nulls


def _values(table: Any, features: list[str], place: Any) -> NDArray[np.float32]:
    """(rows, features), zeros in rows whose features are all null."""
    for name in features:
        if not _is_number(table[name].type):
            raise DataError(f"{place(0).rpartition(',')[0]}: column '{name}' must hold numbers, got {table[name].type}")
    null = np.stack([_nulls(table[name]) for name in features], axis=1)
    partly = np.flatnonzero(null.any(axis=1) & ~null.all(axis=1))
    if len(partly):
        row = int(partly[0])
        raise DataError(
            f"{place(row)}: {null[row].sum()} of {len(features)} features are null ({features[null[row].argmax()]} "
            "first); fill in all of them, or none where no hand was found"
        )
    values = np.stack([as_float32(table[name].to_numpy()) for name in features], axis=1)
    values[null.all(axis=1)] = 0.0
    return values


def _is_number(kind: Any) -> bool:
    return str(kind).startswith(("float", "double", "halffloat", "int", "uint"))


def _text(pa: Any, table: Any, name: str, source: str) -> list[str]:
    """A column of text, a dictionary of it, or integers, as text; null is empty."""
    column = table[name]
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not str(kind).startswith(("string", "large_string", "int", "uint")):
        raise DataError(f"{source}: column '{name}' must hold text or integers, got {kind}")
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _frames(pa: Any, table: Any, source: str) -> NDArray[np.int64]:
    if not pa.types.is_integer(table["frame"].type):
        raise DataError(f"{source}: column 'frame' must hold integers, got {table['frame'].type}")
    frames: NDArray[np.int64] = table["frame"].cast(pa.int64()).to_numpy()
    return frames


def _metadata(metadata: dict[bytes, bytes], source: str) -> dict[str, Any]:
    try:
        about = json.loads(metadata.get(KEY, b"{}"))
    except ValueError:
        about = None
    if not isinstance(about, dict):
        raise DataError(f"{source}: its edgekit metadata is damaged; convert the recordings again")
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
    for name in ("signer", "session"):
        if getattr(recordings, name) is not None:
            columns[name] = pa.array(getattr(recordings, name)[take])
    if recordings.synthetic:
        columns[SYNTHETIC] = pa.array(np.full(len(take), True))
    for index, name in enumerate(feature_columns(recordings.features)):
        columns[name] = pa.array(values[:, index], mask=gone)
    about = {"class_names": recordings.class_names, SYNTHETIC: recordings.synthetic}
    table = pa.table(columns).replace_schema_metadata({KEY: json.dumps(about).encode()})
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())
