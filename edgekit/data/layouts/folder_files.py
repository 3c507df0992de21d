"""Recordings written as folders: class/take.npy, or class/take/frame.npy."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgekit.artifacts import replaced_folder
from edgekit.data.hand import F32
from edgekit.data.layouts.folders import SYNTHETIC_FILE
from edgekit.data.layouts.numbering import natural_key
from edgekit.data.layouts.picture_table import PICTURES_FILE, write_pictures
from edgekit.data.layouts.raw import distinct_names, own_frames
from edgekit.data.recordings import Recordings
from edgekit.errors import DataError

SYNTHETIC_TEXT = "These hands are synthetic, made by a generator. Accuracy on them is not accuracy on real hands.\n"

#: Longest file name of the usual file systems.
NAME_BYTES = 255


def check_class_names(recordings: Recordings) -> None:
    """Raises DataError for a class that no folder can be named after: the recordings' fault, not the target's."""
    for name in recordings.class_names:
        fault = _folder_fault(name)
        if fault:
            raise DataError(
                f"{recordings.source}: class {name!r} can't name a folder: it {fault}; choose .npz, .csv or .parquet"
            )


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
    with place.with_name(place.name + ".npy").open("xb") as file:  # as above
        file.write(_npy(shaped))


def _save_frames(place: Path, frames: F32) -> None:
    place.mkdir()
    for index, frame in enumerate(frames):
        (place / f"{index:0{len(str(len(frames) - 1))}d}.npy").write_bytes(_npy(frame))


def _npy(array: F32) -> bytes:
    """A file's content: numpy itself, writing to a full disk, tells no reason."""
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


def _write_folder(path: Path, recordings: Recordings, save: Callable[[Path, F32], None]) -> None:
    """Made beside `path` and renamed; a folder of recordings that stands there is replaced."""
    check_class_names(recordings)
    path = Path(os.path.realpath(path))
    _refuse_strange_files(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    places = take_paths(recordings)
    with replaced_folder(path) as made:
        for folder in dict.fromkeys((made / place).parent for place in places):
            folder.mkdir()  # fails where the file system takes two names for one, such as A and a
        for index, place in enumerate(places):
            save(made / place, own_frames(recordings, index))
        write_pictures(made, recordings, places)
        if recordings.synthetic:
            (made / SYNTHETIC_FILE).write_text(SYNTHETIC_TEXT, encoding="utf-8")


def _refuse_strange_files(folder: Path) -> None:
    """Raises DataError when `folder` holds anything that no recording does: it would be deleted."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file, not a folder; choose another target")
    known = (SYNTHETIC_FILE, PICTURES_FILE, ".DS_Store")
    for entry in folder.rglob("*"):
        if not entry.is_dir() and entry.suffix != ".npy" and entry.name not in known:
            raise DataError(f"{folder}: holds {entry.name}, which is not a recording; choose another target")
