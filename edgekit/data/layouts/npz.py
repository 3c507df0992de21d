"""Recordings in one compressed `.npz`: the only layout that holds everything, with plain numpy."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import write_bytes
from edgekit.data.layouts.npy import READ_ERRORS, reason
from edgekit.data.layouts.raw import SYNTHETIC, Raw
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

REQUIRED = ("sequences", "labels", "class_names")
OPTIONAL = ("lengths", "signer", "session", "take_names", SYNTHETIC)


def read_npz(path: Path) -> Raw:
    """sequences (takes, frames, features), labels (takes,), class_names (classes,), optional lengths, signer, session
    and take_names (takes,) and synthetic (one bool); nothing pickled is loaded.

    Without lengths every take has all frames; frames behind a take's length are read as zeros. Raises DataError naming
    the file and the array when anything is missing, damaged or of the wrong kind.
    """
    try:
        with path.open("rb") as file:
            arrays = _read_archive(file, path)
    except OSError as error:
        raise DataError(f"{path}: can't be read: {reason(error)}") from None
    return _raw(arrays, str(path))


def write_npz(path: Path, recordings: Recordings) -> None:
    """Everything that `recordings` hold; the same recordings give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {
        "sequences": recordings.sequences,
        "lengths": recordings.lengths,
        "labels": recordings.labels,
        "class_names": np.array(recordings.class_names, dtype=np.str_),
    }
    for name in ("signer", "session", "take_names"):
        if getattr(recordings, name) is not None:
            arrays[name] = getattr(recordings, name)
    if recordings.synthetic:
        arrays[SYNTHETIC] = np.array(True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    write_bytes(path, buffer.getvalue())


def _read_archive(file: BinaryIO, path: Path) -> dict[str, NDArray[Any]]:
    """The known arrays of an `.npz`."""
    if not file.read(1):
        raise DataError(f"{path}: the file is empty (0 bytes); write it again")
    if not zipfile.is_zipfile(file):
        raise DataError(f"{path}: not an .npz archive (truncated, or another kind of file); write it again")
    file.seek(0)
    try:
        archive = np.load(file, allow_pickle=False)
    except READ_ERRORS as error:
        raise DataError(f"{path}: the file is damaged: {reason(error)}; write it again") from None
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise DataError(f"{path}: not an .npz archive; write it with numpy.savez")
    missing = [name for name in REQUIRED if name not in archive.files]
    if missing:
        found = ", ".join(sorted(archive.files)) or "nothing"
        raise DataError(f"{path}: holds no array '{missing[0]}' (needed: {', '.join(REQUIRED)}; found: {found})")
    return {name: _read_member(archive, name, path) for name in REQUIRED + OPTIONAL if name in archive.files}


def _read_member(archive: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        array = archive[name]
    except READ_ERRORS as error:
        if "allow_pickle" in str(error):
            raise DataError(
                f"{path}: '{name}' holds pickled Python objects, which edgekit does not load; "
                f"save it as a plain array of numbers or text"
            ) from None
        raise DataError(f"{path}: '{name}' can't be read, the file is damaged: {reason(error)}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: '{name}' is no array; write the file with numpy.savez")
    return array


def _raw(arrays: dict[str, NDArray[Any]], source: str) -> Raw:
    sequences = arrays["sequences"]
    if sequences.ndim != 3 or sequences.dtype.kind not in "fiu" or sequences.shape[0] == 0:
        what = f"{sequences.dtype} of shape {sequences.shape}"
        raise DataError(f"{source}: sequences must be float32 (takes >= 1, frames, features), got {what}")
    takes, frames, _ = sequences.shape
    class_names = arrays["class_names"]
    if class_names.ndim != 1 or class_names.dtype.kind != "U":
        raise DataError(
            f"{source}: class_names must be a text array, got {class_names.dtype}, shape {class_names.shape}"
        )
    lengths = arrays.get("lengths", np.full(takes, frames, dtype=np.int64))
    synthetic = arrays.get(SYNTHETIC, np.array(False))
    if synthetic.shape != () or synthetic.dtype.kind != "b":
        raise DataError(f"{source}: synthetic must be one bool, got {synthetic.dtype} of shape {synthetic.shape}")
    return Raw(
        sequences=_without_padding(sequences, lengths),
        lengths=lengths,
        labels=arrays["labels"],
        class_names=tuple(class_names.tolist()),
        source=source,
        signer=arrays.get("signer"),
        session=arrays.get("session"),
        take_names=arrays.get("take_names"),
        synthetic=bool(synthetic),
    )


def _without_padding(sequences: NDArray[Any], lengths: NDArray[Any]) -> NDArray[Any]:
    """Zeros behind each take's length, whatever stood there; `sequences` itself where lengths make no
    sense."""
    takes, frames, _ = sequences.shape
    if lengths.shape != (takes,) or lengths.dtype.kind not in "iu" or (lengths >= frames).all():
        return sequences
    behind = np.arange(frames) >= lengths[:, None]
    return np.where(behind[..., None], sequences.dtype.type(0), sequences)
