"""Recordings from a folder class/take/frame.npy, the layout that hand-tracking tutorials write."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgekit.data.hand import F32
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

LAYOUT = "expected class/take/frame.npy"


def load_folder(path: Path) -> Recordings:
    """Recordings from `path`/class/take/frame.npy.

    A class is a folder (its name is the class's), a take is a folder in it, a frame is one `.npy` file of
    numbers (features,) or (landmarks, 3). Classes, takes and frames are ordered by name, numbers in names by
    their value (2 before 10). Hidden entries are skipped, and so are files where folders are expected.
    Signers and sessions are unknown. Raises DataError naming the file or folder at fault.
    """
    classes = _folders(path)
    if not classes:
        raise DataError(f"{path}: holds no class folders; {LAYOUT}")
    takes: list[F32] = []
    labels: list[int] = []
    features = 0
    for label, folder in enumerate(classes):
        members = _folders(folder)
        if not members:
            raise DataError(f"{folder}: the class has no takes; {LAYOUT}")
        for member in members:
            take = _read_take(member, features)
            features = take.shape[1]
            takes.append(take)
            labels.append(label)
    lengths = np.array([len(take) for take in takes], dtype=np.int64)
    return Recordings(
        sequences=_pad(takes, lengths),
        lengths=lengths,
        labels=np.array(labels, dtype=np.int64),
        class_names=tuple(folder.name for folder in classes),
        signer=None,
        session=None,
        source=str(path),
    )


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which digits count by value: frame2 before frame10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return tuple((0, int(digits), digits) if digits else (1, 0, text) for digits, text in parts)


def _folders(path: Path) -> list[Path]:
    try:
        found = [entry for entry in path.iterdir() if not entry.name.startswith(".") and entry.is_dir()]
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _read_take(folder: Path, features: int) -> F32:
    """Frames of one take, float32 (frames, features); `features` is what earlier takes had, 0 for the
    first."""
    try:
        files = [p for p in folder.iterdir() if p.suffix == ".npy" and not p.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: can't be read: {error.strerror}") from None
    if not files:
        raise DataError(f"{folder}: the take holds no .npy frames; record it again or remove the folder")
    frames = []
    for file in sorted(files, key=lambda p: natural_key(p.name)):
        frame = _read_frame(file)
        features = features or len(frame)
        if len(frame) != features:
            raise DataError(f"{file}: {len(frame)} features, the frames before it have {features}; record it again")
        frames.append(frame)
    return np.stack(frames)


def _read_frame(file: Path) -> F32:
    """One frame, float32 (features,)."""
    try:
        frame: NDArray[Any] = np.load(file, allow_pickle=False)
    except OSError as error:
        raise DataError(f"{file}: can't be read: {error.strerror or error}") from None
    except (ValueError, EOFError, MemoryError, OverflowError, SyntaxError, TypeError, struct.error) as error:
        if "pickle" in str(error):
            raise DataError(
                f"{file}: pickled Python objects or no .npy file; use numpy.save on plain numbers"
            ) from None
        detail = str(error).splitlines()[0] if str(error) else "no data in it"
        raise DataError(f"{file}: damaged .npy file: {detail}; record it again") from None
    if not isinstance(frame, np.ndarray) or frame.dtype.kind not in "fiu":
        kind = frame.dtype if isinstance(frame, np.ndarray) else "an archive"
        raise DataError(f"{file}: a frame must hold numbers, got {kind}")
    if frame.ndim not in (1, 2) or frame.size == 0:
        raise DataError(f"{file}: a frame must be (features,) or (landmarks, 3), got shape {frame.shape}")
    with np.errstate(over="ignore"):
        values = frame.reshape(-1).astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{file}: holds NaN or infinite numbers; record it again")
    return values


def _pad(takes: list[F32], lengths: NDArray[np.int64]) -> F32:
    padded = np.zeros((len(takes), int(lengths.max()), takes[0].shape[1]), dtype=np.float32)
    for row, take in zip(padded, takes, strict=True):
        row[: len(take)] = take
    return padded
