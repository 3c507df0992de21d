"""Recordings in folders: class/take.npy, and class/take/frame.npy, which hand-tracking tutorials write."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgekit.data.hand import F32
from edgekit.data.layouts.npy import read_frame, read_take
from edgekit.data.layouts.raw import Raw, distinct_names, own_frames, pad
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

EXPECTED = "expected class/take.npy or class/take/frame.npy"

#: Stands in the root of synthetic recordings.
SYNTHETIC_FILE = "SYNTHETIC.txt"
SYNTHETIC_TEXT = "These hands are synthetic, made by a generator. Accuracy on them is not accuracy on real hands.\n"

#: Longest file name of the usual file systems.
NAME_BYTES = 255


def read_folder(path: Path, strict: bool = True) -> Raw:
    """Recordings from `path`/class/take.npy and `path`/class/take/frame.npy.

    A class is a folder (its name is the class's). A take in it is one file (frames, features) or
    (frames, landmarks, 3), or a folder with one file (features,) or (landmarks, 3) a frame. Classes, takes and frames
    are ordered by name, numbers in names by their value (2 before 10). Hidden entries are skipped, and so are files in
    the root, where SYNTHETIC.txt says that the takes are synthetic. A take's name is class/take; signers and sessions
    are unknown. strict: whether NaN and infinite numbers are refused. Raises DataError naming the file or folder at
    fault.
    """
    classes = [entry for entry in _entries(path) if entry.is_dir()]
    if not classes:
        raise DataError(f"{path}: holds no class folders; {EXPECTED}")
    takes: list[F32] = []
    labels: list[int] = []
    names: list[str] = []
    for label, folder in enumerate(classes):
        for member in _members(folder):
            takes.append(_read_member(member, takes[0].shape[1] if takes else 0, strict))
            labels.append(label)
            names.append(f"{folder.name}/{member.name if member.is_dir() else member.stem}")
    sequences, lengths = pad(takes)
    return Raw(
        sequences=sequences,
        lengths=lengths,
        labels=np.array(labels, dtype=np.int64),
        class_names=tuple(folder.name for folder in classes),
        source=str(path),
        take_names=np.array(names, dtype=np.str_),
        synthetic=(path / SYNTHETIC_FILE).exists(),
    )


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key in which digits count by value: frame2 before frame10."""
    parts = re.findall(r"([0-9]+)|([^0-9]+)", name)
    return tuple((0, int(digits), digits) if digits else (1, 0, text) for digits, text in parts)


def _entries(folder: Path) -> list[Path]:
    """What is not hidden, ordered by name."""
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: can't be read: {error.strerror}") from None
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _members(folder: Path) -> list[Path]:
    """The takes of a class: all files, or all folders."""
    entries = _entries(folder)
    folders = [entry for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if entry.suffix == ".npy" and not entry.is_dir()]
    if folders and files:
        raise DataError(
            f"{folder}: holds both folders ({folders[0].name}) and .npy files ({files[0].name}); "
            "a take is one file (frames, features) or a folder of frames: keep one of the two"
        )
    if not folders and not files:
        raise DataError(f"{folder}: the class has no takes; {EXPECTED}")
    return folders or files


def _read_member(member: Path, features: int, strict: bool) -> F32:
    """One take, float32 (frames, features); `features` is what earlier takes have, 0 for the first."""
    if not member.is_dir():
        take = read_take(member, strict)
        _check_count(member, take.shape[1], features)
        return take
    files = [entry for entry in _entries(member) if entry.suffix == ".npy"]
    if not files:
        raise DataError(f"{member}: the take holds no .npy frames; record it again or remove the folder")
    frames: list[F32] = []
    for file in files:
        frame = read_frame(file, strict)
        features = features or len(frame)
        _check_count(file, len(frame), features)
        frames.append(frame)
    return np.stack(frames)


def _check_count(file: Path, found: int, features: int) -> None:
    if features and found != features:
        raise DataError(f"{file}: {found} features, the frames before it have {features}; record it again")


def check_class_names(recordings: Recordings, target: Path) -> None:
    """Raises DataError for a class that no folder can be named after."""
    for name in recordings.class_names:
        fault = _folder_fault(name)
        if fault:
            raise DataError(f"{target}: class {name!r} can't name a folder: it {fault}; choose .npz, .csv or .parquet")


def _folder_fault(name: str) -> str:
    if "/" in name or "\\" in name or "\0" in name:
        return "holds a slash, a backslash or a zero byte"
    if name.startswith("."):
        return "starts with a dot"
    return "is too long" if len(name.encode(errors="replace")) > NAME_BYTES - len(".npy") else ""


def take_paths(recordings: Recordings) -> list[str]:
    """Where each take goes, as class/take without a suffix: under its own name where all takes are named so, else
    under its index."""
    classes = [recordings.class_names[label] for label in recordings.labels]
    names = distinct_names(recordings)
    if names is not None:
        parts = [str(name).rpartition("/") for name in names]
        if all(p[0] == name and p[2] and not _folder_fault(p[2]) for p, name in zip(parts, classes, strict=True)):
            return [str(name) for name in names]
    digits = len(str(recordings.takes - 1))
    return [f"{name}/{index:0{digits}d}" for index, name in enumerate(classes)]


def folder_losses(recordings: Recordings) -> list[str]:
    """What the folders can't hold of these recordings, in words."""
    paths = take_paths(recordings)
    keys = [tuple(natural_key(part) for part in path.split("/")) for path in paths]
    names = recordings.take_names
    lost = [kind + "s" for kind in ("signer", "session") if getattr(recordings, kind) is not None]
    if names is not None and paths != names.tolist():
        lost.append("take names")
    return lost + (["order of takes"] if sorted(keys) != keys else [])


def write_takes(path: Path, recordings: Recordings) -> None:
    """A folder class/take.npy, each file float32 (frames, features), or (frames, 1, 3) for 3 features."""
    _write_folder(path, recordings, _save_take)


def write_frames(path: Path, recordings: Recordings) -> None:
    """A folder class/take/frame.npy, each file float32 (features,)."""
    _write_folder(path, recordings, _save_frames)


def _save_take(place: Path, frames: F32) -> None:
    shaped = frames.reshape(len(frames), 1, 3) if frames.shape[1] == 3 else frames  # (21, 3) would read as landmarks
    np.save(place.with_name(place.name + ".npy"), shaped)


def _save_frames(place: Path, frames: F32) -> None:
    place.mkdir()
    for index, frame in enumerate(frames):
        np.save(place / f"{index:0{len(str(len(frames) - 1))}d}.npy", frame)


def _write_folder(path: Path, recordings: Recordings, save: Callable[[Path, F32], None]) -> None:
    """Made beside `path` and renamed; a folder of recordings that stands there is replaced."""
    check_class_names(recordings, path)
    path = Path(os.path.realpath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    _refuse_strange_files(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as beside:
        made, old = Path(beside) / "new", Path(beside) / "old"
        made.mkdir()
        for index, place in enumerate(take_paths(recordings)):
            (made / place).parent.mkdir(exist_ok=True)
            save(made / place, own_frames(recordings, index))
        if recordings.synthetic:
            (made / SYNTHETIC_FILE).write_text(SYNTHETIC_TEXT, encoding="utf-8")
        if path.exists():
            path.rename(old)
        try:
            made.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise


def _refuse_strange_files(folder: Path) -> None:
    """Raises DataError when `folder` holds anything that no recording does: it would be deleted."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file, not a folder; choose another target")
    for entry in folder.rglob("*"):
        if not entry.is_dir() and entry.suffix != ".npy" and entry.name not in (SYNTHETIC_FILE, ".DS_Store"):
            raise DataError(f"{folder}: holds {entry.name}, which is no recording; choose another target")
