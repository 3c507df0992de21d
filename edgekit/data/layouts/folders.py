"""Recordings read from folders: class/take.npy, and class/take/frame.npy, which hand-tracking tutorials write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from pathlib import Path

import numpy as np

from edgekit.data.hand import F32, FRAME_SIZES
from edgekit.data.layouts.npy import read_frame, read_take
from edgekit.data.layouts.numbering import natural_key, numbering_remarks, numbers_of
from edgekit.data.layouts.numbers import Rounding
from edgekit.data.layouts.picture_table import PICTURES_FILE, read_pictures
from edgekit.data.layouts.raw import RECORDINGS, Raw, pad
from edgekit.data.recordings import refuse_no_text
from edgekit.data.remarks import Remark, counted, kept
from edgekit.errors import DataError
from edgekit.reading import refuse_large

EXPECTED = "expected class/take.npy or class/take/frame.npy"

#: Stands in the root of synthetic recordings.
SYNTHETIC_FILE = "SYNTHETIC.txt"
#: What file managers leave behind beside hidden files.
JUNK = ("thumbs.db", "desktop.ini")


def read_folder(path: Path, strict: bool = True) -> Raw:
    """Recordings from `path`/class/take.npy and `path`/class/take/frame.npy.

    A class is a folder (its name is the class's). A take in it is one file (frames, features) or
    (frames, landmarks, 3), or a folder with one file (features,) or (landmarks, 3) a frame. Classes, takes and frames
    are ordered by name, numbers in names by their value (2 before 10). Hidden entries are skipped; other files are left
    out, and a remark says which; SYNTHETIC.txt in the root says that the takes are synthetic, PICTURES.csv what their
    pictures were. A take's name is class/take; signers and sessions are unknown. strict: whether NaN and infinite
    numbers are refused. Raises DataError
    naming the file or folder at fault.
    """
    entries = _entries(path)
    classes = [entry for entry in entries if entry.is_dir()]
    if not classes:
        raise DataError(f"{path}: holds no class folders; {EXPECTED}")
    refuse_no_text((folder.name for folder in classes), "the name of a class folder", str(path))
    reader = _Reader(path, strict)
    reader.leave_out(entries, {*classes, path / SYNTHETIC_FILE, path / PICTURES_FILE})
    for label, folder in enumerate(classes):
        reader.read_class(folder, label)
    pictures, lost = read_pictures(path, reader.names)
    sequences, lengths = pad(reader.takes, path)
    return Raw(
        sequences=sequences,
        lengths=lengths,
        labels=np.array(reader.labels, dtype=np.int64),
        class_names=tuple(folder.name for folder in classes),
        source=str(path),
        take_names=np.array(reader.names, dtype=np.str_),
        synthetic=(path / SYNTHETIC_FILE).exists(),
        remarks=(*reader.remarks(), *lost),
        **pictures,
    )


class _Reader:
    """Takes as they are read, and what was found on the way."""

    def __init__(self, root: Path, strict: bool) -> None:
        self.root, self.strict = root, strict
        self.takes: list[F32] = []
        self.labels: list[int] = []
        self.names: list[str] = []
        self._bytes = 0
        self._rounding = Rounding()
        self._left_out: list[Path] = []
        self._unnumbered: list[int] = []
        self._frames: list[tuple[int, int, Path]] = []

    def leave_out(self, entries: Sequence[Path], read: Set[Path]) -> None:
        """Remember what is not read, but for what file managers leave behind."""
        self._left_out += [entry for entry in entries if entry not in read and entry.name.lower() not in JUNK]

    def read_class(self, folder: Path, label: int) -> None:
        """Every take of one class."""
        for member in self._members(folder):
            name = f"{folder.name}/{member.name if member.is_dir() else member.stem}"
            refuse_no_text([name], "the name of a take", str(self.root))
            take = self._read_frames(member) if member.is_dir() else read_take(member, self.strict, self._rounding)
            if self.takes:
                _check_count(member, take.shape, self.takes[0].shape[1])
            self._bytes += take.nbytes
            refuse_large(self._bytes, self.root, RECORDINGS)
            self.takes.append(take)
            self.labels.append(label)
            self.names.append(name)

    def _members(self, folder: Path) -> list[Path]:
        """The takes of a class: all files, or all folders."""
        entries = _entries(folder)
        folders = [entry for entry in entries if entry.is_dir()]
        files = _arrays(entries)
        if folders and files:
            raise DataError(
                f"{folder}: holds both folders ({folders[0].name}) and .npy files ({files[0].name}); "
                "a take is one file (frames, features) or a folder of frames: keep one of the two"
            )
        if not folders and not files:
            raise DataError(f"{folder}: the class has no takes; {EXPECTED}")
        self.leave_out(entries, {*folders, *files})
        return folders or files

    def _read_frames(self, member: Path) -> F32:
        """One take of a file a frame."""
        entries = _entries(member)
        files = _arrays(entries)
        self.leave_out(entries, set(files))
        if not files:
            raise DataError(f"{member}: the take holds no .npy frames; record it again or remove the folder")
        self._number(files)
        features = self.takes[0].shape[1] if self.takes else 0
        frames: list[F32] = []
        for file in files:
            frame = read_frame(file, self.strict, self._rounding)
            features = features or len(frame)
            _check_count(file, frame.shape, features)
            frames.append(frame)
        return np.stack(frames)

    def _number(self, files: Sequence[Path]) -> None:
        """Remember the frames' numbers, or that they have none. Raises DataError for one that is there twice."""
        numbers = numbers_of([file.stem for file in files])
        if numbers is None:
            self._unnumbered += [len(self.takes)] if len(files) > 1 else []
            return
        for k in range(1, len(files)):
            if numbers[k] == numbers[k - 1]:
                raise DataError(
                    f"{files[k]}: frame {numbers[k]} exists already ({files[k - 1].name}); keep one of them"
                )
        self._frames += [(len(self.takes), number, file) for number, file in zip(numbers, files, strict=True)]

    def remarks(self) -> Iterator[Remark]:
        """What a person should know, once all is read."""
        yield from self._rounding.remarks()
        if self._left_out:
            yield self._others()
        if self._unnumbered:
            text = (
                f"the frames of {counted(len(self._unnumbered), 'take')} are not numbered alike and are read in the"
                " order of their names: number them 0, 1, 2 ..."
            )
            places = kept(str(self.root / self.names[take]) for take in self._unnumbered)
            short = f"takes whose frames are not numbered: {len(self._unnumbered)}"
            yield Remark("order", text, places, tuple(self._unnumbered), short, doubtful=True)
        if self._frames:
            take, frame = (np.array([entry[k] for entry in self._frames], dtype=np.int64) for k in (0, 1))
            yield from numbering_remarks(take, frame, lambda row: str(self._frames[row][2]), self._called)

    def _others(self) -> Remark:
        """Files in the root are nobody's takes; one among the takes may have been meant as one."""
        inside = [entry for entry in self._left_out if entry.parent != self.root]
        text = f"{counted(len(self._left_out), 'file or folder', 'files and folders')} that no layout of recordings has"
        ordered = [*inside, *(entry for entry in self._left_out if entry.parent == self.root)]
        return Remark(
            "left out",
            text,
            kept(str(entry) for entry in ordered),
            short=f"files among the takes that were left out: {len(inside)}" if inside else "",
            doubtful=bool(inside),
        )

    def _called(self, take: int) -> str:
        return f"{take} ({self.names[take]})"


def _entries(folder: Path) -> list[Path]:
    """What is not hidden, ordered by name."""
    try:
        found = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        raise DataError(f"{folder}: can't be read: {error.strerror}") from None
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _arrays(entries: Sequence[Path]) -> list[Path]:
    return [entry for entry in entries if entry.suffix == ".npy" and not entry.is_dir()]


def _check_count(file: Path, shape: tuple[int, ...], features: int) -> None:
    """Raises DataError for a take (frames, features) or a frame (features,) with other features than those before."""
    if shape[-1] == features:
        return
    turned = len(shape) == 2 and (shape[0] == features or {shape[0]} <= {*FRAME_SIZES} - {shape[1], features})
    advice = "frames and numbers seem swapped: save takes as (frames, numbers)" if turned else "record it again"
    raise DataError(f"{file}: {shape[-1]} features, the frames before it have {features}; {advice}")
