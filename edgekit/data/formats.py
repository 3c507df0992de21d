"""Recordings from files and back: one `.npz` file, or a folder class/take/frame.npy (see `folders`)."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import write_bytes
from edgekit.data.folders import load_folder
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

REQUIRED = ("sequences", "labels", "class_names")
OPTIONAL = ("lengths", "signer", "session", "synthetic")

#: What numpy and zipfile raise on damaged, truncated, encrypted or oversized members.
READ_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    KeyError,
    RuntimeError,
    MemoryError,
    OverflowError,
    SyntaxError,
    TypeError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


def load_recordings(path: Path) -> Recordings:
    """Recordings from `path`: an `.npz` file or a folder class/take/frame.npy.

    `.npz`: sequences (takes, frames, features), labels (takes,), class_names (classes,), optional lengths,
    signer and session (takes,) and synthetic (one bool); nothing pickled is loaded. Without lengths every
    take has all frames; frames behind a take's length are read as zeros.
    Raises DataError naming the file and the array when anything is missing, damaged or out of range.
    """
    path = Path(path)
    try:
        exists, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    if not exists:
        raise DataError(f"{path}: no such file or folder; give an .npz file or a folder class/take/frame.npy")
    if folder:
        return load_folder(path)
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path}: unknown kind of recordings; give an .npz file or a folder class/take/frame.npy")
    return _recordings(_read_npz(path), str(path))


def save_recordings(path: Path, recordings: Recordings) -> None:
    """Write `recordings` as one compressed `.npz` that `load_recordings` reads; whole or not at all.

    Raises DataError when the name does not end in .npz or the place can't be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise DataError(f"{path}: recordings are saved as .npz; choose a name that ends in .npz")
    arrays: dict[str, NDArray[Any]] = {
        "sequences": recordings.sequences,
        "lengths": recordings.lengths,
        "labels": recordings.labels,
        "class_names": np.array(recordings.class_names, dtype=np.str_),
    }
    if recordings.signer is not None:
        arrays["signer"] = recordings.signer
    if recordings.session is not None:
        arrays["session"] = recordings.session
    if recordings.synthetic:
        arrays["synthetic"] = np.array(True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    try:
        write_bytes(path, buffer.getvalue())
    except OSError as error:
        raise DataError(f"{path}: can't be written: {error.strerror or error}") from None


def _read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """The known arrays of an `.npz`."""
    try:
        with path.open("rb") as file:
            return _read_archive(file, path)
    except OSError as error:
        raise DataError(f"{path}: can't be read: {_reason(error)}") from None


def _read_archive(file: BinaryIO, path: Path) -> dict[str, NDArray[Any]]:
    if not file.read(1):
        raise DataError(f"{path}: the file is empty (0 bytes); write it again")
    if not zipfile.is_zipfile(file):
        raise DataError(f"{path}: not an .npz archive (truncated, or another kind of file); write it again")
    file.seek(0)
    try:
        archive = np.load(file, allow_pickle=False)
    except READ_ERRORS as error:
        raise DataError(f"{path}: the file is damaged: {_reason(error)}; write it again") from None
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
        raise DataError(f"{path}: '{name}' can't be read, the file is damaged: {_reason(error)}") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: '{name}' is no array; write the file with numpy.savez")
    return array


def _recordings(arrays: dict[str, NDArray[Any]], source: str) -> Recordings:
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
    synthetic = arrays.get("synthetic", np.array(False))
    if synthetic.shape != () or synthetic.dtype.kind != "b":
        raise DataError(f"{source}: synthetic must be one bool, got {synthetic.dtype} of shape {synthetic.shape}")
    return Recordings(
        sequences=_without_padding(sequences, lengths),
        lengths=lengths,
        labels=arrays["labels"],
        class_names=tuple(class_names.tolist()),
        signer=arrays.get("signer"),
        session=arrays.get("session"),
        source=source,
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


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]
