"""Recordings in one compressed `.npz`: the only layout that holds everything, with plain numpy."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from edgekit.artifacts import written_file
from edgekit.data.layouts.labels import Arrays, as_text, read_labels, whole_numbers
from edgekit.data.layouts.npy import read_array
from edgekit.data.layouts.numbers import Rounding
from edgekit.data.layouts.raw import RECORDINGS, SYNTHETIC, TRACKER, Raw
from edgekit.data.pictures import ASPECT, HAND, PICTURE
from edgekit.data.recordings import MOST_CHARACTERS, Recordings
from edgekit.data.remarks import Remark, counted, kept
from edgekit.errors import DataError
from edgekit.reading import open_file, parsing, refuse_large

NPZ = replace(RECORDINGS, what="an .npz archive", advice="the file is damaged: write it again with numpy.savez")
REQUIRED = ("sequences", "labels", "class_names")
OPTIONAL = ("lengths", "signer", "session", "take_names", *PICTURE, SYNTHETIC, TRACKER)
#: What numpy writes.
COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def read_npz(path: Path) -> Raw:
    """sequences (takes, frames, features), labels (takes,), class_names (classes,), optional lengths, signer, session
    and take_names (takes,), hand and aspect (takes,) or one for all, synthetic (one bool) and tracker (one text);
    nothing pickled is loaded.

    Without lengths every take has all frames; frames behind a take's length are read as zeros. What each array would
    take is known before it is read. Raises DataError naming the file and the array when anything is missing, damaged,
    too large or of the wrong kind.
    """
    with open_file(path, NPZ) as file:
        arrays, others = _read_archive(file, path)
    remarks = [Remark("left out", f"array '{name}', which recordings do not hold") for name in others]
    return _raw(arrays, str(path), remarks)


def read_arrays(path: Path) -> Arrays:
    """Every array of an `.npz` of any kind, by name; nothing pickled is loaded. Raises DataError as `read_npz` does."""
    with open_file(path, NPZ) as file:
        members = _members(file, path)
        with parsing(path, NPZ), zipfile.ZipFile(file) as archive:
            refuse_large(sum(member.file_size for member in members.values()), path, NPZ, "unpacked, would take")
            return {name: _read_member(archive, member, path) for name, member in members.items()}


def write_npz(path: Path, recordings: Recordings) -> None:
    """Everything that `recordings` hold; the same recordings give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {
        "sequences": recordings.sequences,
        "lengths": recordings.lengths,
        "labels": recordings.labels,
        "class_names": np.array(recordings.class_names, dtype=np.str_),
    }
    for name in ("signer", "session", "take_names", *PICTURE):
        if getattr(recordings, name) is not None:
            arrays[name] = getattr(recordings, name)
    if recordings.synthetic:
        arrays[SYNTHETIC] = np.array(True)
    if recordings.tracker:
        arrays[TRACKER] = np.array(recordings.tracker)
    with written_file(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _read_archive(file: BinaryIO, path: Path) -> tuple[Arrays, list[str]]:
    """The known arrays of an `.npz`, and the names of what else it holds."""
    members = _members(file, path)
    with parsing(path, NPZ), zipfile.ZipFile(file) as archive:
        missing = [name for name in REQUIRED[:2] if name not in members]
        if missing:
            found = ", ".join(sorted(members))[:200] or "nothing"
            raise DataError(f"{path}: holds no array '{missing[0]}' (needed: {', '.join(REQUIRED)}; found: {found})")
        known = [members[name] for name in REQUIRED + OPTIONAL if name in members]
        refuse_large(sum(member.file_size for member in known), path, NPZ, "unpacked, would take")
        arrays = {member.filename.removesuffix(".npy"): _read_member(archive, member, path) for member in known}
    return arrays, sorted(set(members) - set(arrays))


def _members(file: BinaryIO, path: Path) -> dict[str, zipfile.ZipInfo]:
    if not file.read(1):
        raise DataError(f"{path}: the file is empty (0 bytes); write it again")
    if not zipfile.is_zipfile(file):
        raise DataError(f"{path}: not an .npz archive (truncated, or another kind of file); write it again")
    with parsing(path, NPZ), zipfile.ZipFile(file) as archive:
        return {member.filename.removesuffix(".npy"): member for member in archive.infolist()}


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> NDArray[Any]:
    name = member.filename.removesuffix(".npy")
    if member.compress_type not in COMPRESSIONS:
        raise DataError(f"{path}: '{name}' is compressed, but not as numpy does it; write the file with numpy.savez")
    with parsing(path, NPZ, f"'{name}' "), archive.open(member) as stream:
        return read_array(cast(BinaryIO, stream), member.file_size, path, f"'{name}' ")


def _raw(arrays: Arrays, source: str, remarks: list[Remark]) -> Raw:
    sequences = arrays.pop("sequences")
    if sequences.ndim != 3 or sequences.dtype.kind not in "fiu" or sequences.shape[0] == 0:
        what = f"{sequences.dtype} of shape {sequences.shape}"
        raise DataError(f"{source}: sequences must be float32 (takes >= 1, frames, features), got {what}")
    takes, frames, _ = sequences.shape
    lengths, how = whole_numbers(arrays.get("lengths", np.full(takes, frames, dtype=np.int64)), "lengths", source)
    remarks += [Remark("labels", f"lengths are {how}")] if how else []
    sequences, lost = _without_padding(sequences, lengths, source)
    labels, class_names, said = read_labels(arrays["labels"], _class_names(arrays, source), source)
    rounding = Rounding()
    sequences = rounding.convert(sequences, lambda at: f"{source}, take {at[0]}, frame {at[1]}, feature {at[2]}")
    names = {
        name: as_text(arrays[name], name, source)
        for name in ("signer", "session", "take_names", HAND)
        if name in arrays
    }
    return Raw(
        sequences=sequences,
        lengths=lengths,
        labels=labels,
        class_names=class_names,
        source=source,
        **names,
        aspect=arrays.get(ASPECT),
        synthetic=_synthetic(arrays, source),
        tracker=_tracker(arrays, source),
        remarks=(*remarks, *lost, *said, *rounding.remarks()),
    )


def _class_names(arrays: Arrays, source: str) -> tuple[str, ...] | None:
    """None where there are none."""
    names = arrays.get("class_names")
    if names is None:
        return None
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise DataError(
            f"{source}: class_names must be a text array, one name per class, got {names.dtype}, shape {names.shape};"
            " save it as text: class_names.astype(str)"
        )
    return tuple(as_text(names, "class_names", source).tolist())


def _synthetic(arrays: Arrays, source: str) -> bool:
    flag = arrays.get(SYNTHETIC, np.array(False))
    if flag.shape != () or flag.dtype.kind != "b":
        raise DataError(f"{source}: synthetic must be one bool, got {flag.dtype} of shape {flag.shape}")
    return bool(flag)


def _tracker(arrays: Arrays, source: str) -> str:
    text = arrays.get(TRACKER, np.array(""))
    if text.shape != () or text.dtype.kind != "U" or text.dtype.itemsize > 4 * MOST_CHARACTERS:
        raise DataError(f"{source}: tracker must be one short text, got {text.dtype} of shape {text.shape}")
    return str(text)


def _without_padding(sequences: NDArray[Any], lengths: NDArray[Any], source: str) -> tuple[NDArray[Any], list[Remark]]:
    """Zeros behind each take's length, in place, whatever stood there, and where that was anything; left alone where
    lengths make no sense."""
    takes, frames, _ = sequences.shape
    if lengths.shape != (takes,) or lengths.dtype.kind not in "iu" or (lengths < 0).any():
        return sequences, []
    lost = []
    for take in np.flatnonzero(lengths < frames):
        behind = sequences[take, lengths[take] :]
        if (behind != 0).any():
            lost.append(int(take))
            behind[...] = 0
    if not lost:
        return sequences, []
    text = f"numbers beyond the length of {counted(len(lost), 'take')}"
    return sequences, [Remark("left out", text, kept(f"{source}, take {take}" for take in lost), tuple(lost))]
