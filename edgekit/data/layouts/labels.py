"""Labels, lengths and names as other programs save them, where there is one way alone to read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.layouts.numbering import natural_key
from edgekit.data.recordings import MOST_CHARACTERS
from edgekit.data.remarks import Remark
from edgekit.errors import DataError, did_you_mean

Arrays = dict[str, NDArray[Any]]
Read = tuple[NDArray[Any], str]


def read_labels(labels: NDArray[Any], class_names: Sequence[str] | None, source: str) -> tuple[Any, Any, list[Remark]]:
    """(labels, class_names, remarks) of an `.npz`.

    Labels are whole numbers of any type, true and false, names out of class_names, one column of either, or one-hot
    rows. Without class_names (None), names name the classes. Anything else is a DataError that says what to save, but
    for numbers out of range, which `Recordings` refuses.
    """
    column = labels[:, 0] if labels.ndim == 2 and labels.shape[1] == 1 else labels
    said = ["one column, read as a row"] if column is not labels else []
    if column.dtype.kind in "US":
        texts = as_text(column, "labels", source)
        class_names = sorted(set(texts.tolist()), key=natural_key) if class_names is None else class_names
        found, how = _by_name(texts, class_names, source), "names, read as indices into class_names"
    elif class_names is None:
        raise DataError(
            f"{source}: holds no array 'class_names'; save the names of the classes, one for each label from 0 on, such"
            " as class_names=numpy.array(['A', 'B'])"
        )
    else:
        found, how = _by_number(column, len(class_names), source)
    said += [how] if how else []
    return found, tuple(class_names), [Remark("labels", f"labels are {'; '.join(said)}")] if said else []


def _by_name(texts: NDArray[np.str_], class_names: Sequence[str], source: str) -> NDArray[np.int64]:
    if texts.ndim != 1:
        raise DataError(f"{source}: labels must have one entry per take, got shape {texts.shape}")
    number = {name: index for index, name in enumerate(class_names)}
    for take, name in enumerate(texts.tolist()):
        if name not in number:
            digits = name.strip().isdecimal()
            todo = "; save numbers as int64: labels.astype('int64')" if digits else did_you_mean(name, class_names)
            raise DataError(f"{source}: labels[{take}] is {name[:40]!r}, none of class_names{todo}")
    return np.array([number[name] for name in texts.tolist()], dtype=np.int64)


def _by_number(labels: NDArray[Any], classes: int, source: str) -> Read:
    """(labels, how they were read): empty for whole numbers as they are."""
    if labels.dtype.kind not in "iufb":
        raise DataError(
            f"{source}: labels must be whole numbers from 0 to {classes - 1} or names out of class_names, got"
            f" {labels.dtype}; save them as int64"
        )
    if labels.ndim == 2 and labels.shape[1] == classes:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError(
                f"{source}: labels of shape {labels.shape} are not one-hot rows (a single 1 each); save one number"
                " per take, such as labels.argmax(axis=1)"
            )
        return labels.argmax(axis=1), "one-hot, read as the index of each row's 1"
    if labels.ndim == 1 and len(labels) and labels.min() == 1 and labels.max() == classes:
        raise DataError(f"{source}: labels run from 1 to {classes}; expected 0 to {classes - 1}: save labels - 1")
    return whole_numbers(labels, "labels", source)


def whole_numbers(
    values: NDArray[Any], name: str, source: str, place: Callable[[tuple[int, ...]], str] | None = None
) -> Read:
    """Floats and truth values as int64 where each is whole, with how they were read; integers as they are. place: where
    a number stands, in words."""
    if values.dtype.kind not in "fb":
        return values, ""
    whole = np.isfinite(values) & (np.abs(values) < 2**53)
    wrong = np.argwhere(np.trunc(np.where(whole, values, 0.5)) != np.where(whole, values, 0.5))
    if len(wrong):
        at = tuple(int(k) for k in wrong[0])
        where = f"{source}: {name}[{', '.join(map(str, at))}]" if place is None else f"{place(at)}: '{name}'"
        raise DataError(f"{where} is {values[at]}, not a whole number; save {name} as int64")
    return values.astype(np.int64), f"{values.dtype}, read as whole numbers"


def as_text(values: NDArray[Any], name: str, source: str) -> NDArray[np.str_]:
    """Text, bytes of UTF-8 and integers as text. Raises DataError for anything else, also for what is no text."""
    kind = values.dtype.kind
    if values.dtype.itemsize > 4 * MOST_CHARACTERS and kind in "US":
        raise DataError(f"{source}: {name} holds names of more than {MOST_CHARACTERS} characters; shorten them")
    if kind in "iu":
        return values.astype(np.str_)
    if kind == "S":
        texts = [text.decode("utf-8", "surrogateescape") for text in values.reshape(-1).tolist()]
        return np.array(texts, dtype=np.str_).reshape(values.shape)
    if kind != "U":
        raise DataError(f"{source}: {name} must hold text, got {values.dtype}; save it as text: {name}.astype(str)")
    native = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("=")).reshape(values.shape)
    if native.size and (native.reshape(-1).view(np.uint32) > 0x10FFFF).any():
        raise DataError(f"{source}: {name} holds characters that do not exist: the file is damaged; write it again")
    return native
