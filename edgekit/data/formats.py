"""Recordings from any layout on disk, to any other, and what that loses."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from edgekit.artifacts import real_place
from edgekit.data.doubts import find_doubts
from edgekit.data.joining import join_recordings
from edgekit.data.layouts.csv import read_csv, write_csv
from edgekit.data.layouts.folder_files import folder_losses, write_frames, write_takes
from edgekit.data.layouts.folders import read_folder
from edgekit.data.layouts.npz import read_npz, write_npz
from edgekit.data.layouts.numbering import natural_key
from edgekit.data.layouts.parquet import read_parquet, write_parquet
from edgekit.data.layouts.raw import BadFrame, Raw
from edgekit.data.layouts.rows import row_losses
from edgekit.data.recordings import Recordings
from edgekit.data.remarks import Remark
from edgekit.errors import ConfigError, DataError, did_you_mean
from edgekit.reading import StrPath

Layout = Literal["npz", "csv", "parquet", "takes", "frames"]

#: Layouts of one file, by suffix.
SUFFIXES: Mapping[str, Layout] = {".npz": "npz", ".csv": "csv", ".parquet": "parquet"}
TABLES: Mapping[str | None, Callable[[Path, bool, str | None], Raw]] = {"csv": read_csv, "parquet": read_parquet}
WRITERS: Mapping[Layout, Callable[[Path, Recordings], None]] = {
    "npz": write_npz,
    "csv": write_csv,
    "parquet": write_parquet,
    "takes": write_takes,
    "frames": write_frames,
}
EXPECTED = "give an .npz, .csv or .parquet file, or a folder class/take.npy or class/take/frame.npy"


def load_recordings(path: StrPath, columns: str | None = None) -> Recordings:
    """Recordings from `path`: an `.npz`, `.csv` or `.parquet` file, or a folder of `.npy`; see `layouts`.

    columns: what a table's columns are, such as `label,features`, where their names don't tell. Raises DataError naming
    the file and the array, line or frame when anything is missing, damaged, too large or out of range;
    MissingExtraError for Parquet without pyarrow; ConfigError for columns that are none.
    """
    path = Path(path)
    return _read(Path(path), columns, strict=True).checked()


def load_leniently(path: StrPath, columns: str | None = None) -> tuple[Recordings, tuple[BadFrame, ...]]:
    """Recordings as `load_recordings` reads them, but frames with NaN or infinite numbers are frames without a hand,
    and named: for looking for faults, never for training."""
    path = Path(path)
    return _read(Path(path), columns, strict=False).repaired()


def _read(path: Path, columns: str | None, strict: bool) -> Raw:
    try:
        exists, folder = path.exists(), path.is_dir()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error.strerror}") from None
    if not exists:
        raise DataError(f"{path}: no such file or folder; {EXPECTED}")
    layout = None if folder else SUFFIXES.get(path.suffix.lower())
    if layout is None and not folder:
        raise DataError(f"{path}: unknown kind of recordings; {EXPECTED}")
    if layout in TABLES:
        return TABLES[layout](path, strict, columns)
    if columns is not None:
        raise ConfigError(
            f"columns {columns!r}: only tables (.csv, .parquet) have columns, and {path} is none; leave it"
            " out (where a work directory remembers it: --set data.columns=null)"
        )
    return read_folder(path, strict) if folder else read_npz(path)


def save_recordings(path: StrPath, recordings: Recordings, layout: Layout | None = None, force: bool = True) -> None:
    """Write `recordings` so that `load_recordings` reads them; whole or not at all.

    layout: by the path's suffix unless said, `takes` without one. force: whether what stands at `path` is replaced; a
    folder only where it holds nothing but recordings. What the layout can't hold is left out: `losses` says what that
    is. Raises DataError when the place can't be written, exists, or has the wrong suffix.
    """
    path = Path(path)
    layout = choose_layout(path, layout)
    refuse_existing(path, force)
    try:
        WRITERS[layout](path, recordings)
    except OSError as error:
        raise DataError(f"{path}: can't be written: {error.strerror or error}") from None
    except UnicodeError:
        raise DataError(
            f"{path}: the name of a class, signer, session or take is not text (its bytes are not UTF-8); rename it"
        ) from None


def refuse_existing(path: StrPath, force: bool) -> None:
    """Raises DataError where something stands at `path` that was not to be replaced."""
    path = Path(path)
    if not force and (path.exists() or path.is_symlink()):
        raise DataError(f"{path}: exists already; give --force to replace it, or choose another name")


def refuse_nesting(source: Path, target: Path) -> None:
    """Raises DataError for a target inside its source or around it; the source itself is allowed."""
    here, there = real_place(source), real_place(target)
    if here != there and (there in here.parents or (here in there.parents and source.is_dir())):
        raise DataError(f"{target}: lies within {source} or around it; choose another target")


def take_files(recordings: Recordings, takes: Iterable[int]) -> dict[int, str]:
    """Where each of these takes is stored: its own file or folder where the source is a folder, else the source."""
    root, names = Path(recordings.source), recordings.take_names
    if names is None or not root.is_dir():
        return dict.fromkeys(takes, recordings.source)
    places = {take: root / str(names[take]) for take in takes}
    return {
        take: str(place if place.is_dir() else place.with_name(f"{place.name}.npy")) for take, place in places.items()
    }


def choose_layout(path: StrPath, layout: str | None = None) -> Layout:
    """The layout of a target: as its suffix says, which has to fit `layout`. Raises DataError or ConfigError."""
    path = Path(path)
    suffixed = SUFFIXES.get(path.suffix.lower())
    if layout is None and path.suffix and suffixed is None:
        raise DataError(
            f"{path}: nothing is saved as {path.suffix}; end the name in {', '.join(SUFFIXES)}, "
            "or give no suffix for a folder of takes"
        )
    chosen: Any = layout or suffixed or "takes"
    if chosen not in WRITERS:
        raise ConfigError(f"layout {chosen}: unknown{did_you_mean(chosen, WRITERS)}")
    found: Layout = chosen
    of_file = found in SUFFIXES.values()
    if suffixed != (found if of_file else None):
        wanted = f"a name that ends in .{found}" if of_file else "a folder: a name without such a suffix"
        raise DataError(f"{path}: layout {found} needs {wanted}")
    return found


def losses(recordings: Recordings, layout: Layout) -> tuple[str, ...]:
    """What exactly `layout` can't hold of these recordings, in words. `.npz` holds everything, and so does `.parquet`,
    but for names that several takes share. Never lost: the numbers, each take's class, what found them, and that takes
    are synthetic.
    """
    if layout == "npz":
        return ()
    lost = folder_losses(recordings) if layout in ("takes", "frames") else row_losses(recordings)
    if layout == "parquet":
        return tuple(lost)
    used = np.bincount(recordings.labels, minlength=recordings.classes) > 0
    kept = [name for name, some in zip(recordings.class_names, used, strict=True) if some]
    without = [name for name in recordings.class_names if name not in kept]
    if without:
        lost.append(f"classes without takes ({', '.join(without)})")
    if sorted(kept, key=natural_key) != kept:
        lost.append("order of classes (by name now)")
    return tuple(lost)


@dataclass(frozen=True)
class Conversion:
    """What `convert_recordings` wrote.

    lost: what recordings or the target's layout can't hold of it, in words. changed: numbers that are others now.
    warnings, notes: what a person should know about it, one sentence each.
    """

    source: str
    target: str
    layout: Layout
    takes: int
    classes: int
    features: int
    synthetic: bool
    lost: tuple[str, ...]
    changed: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, keys as the fields."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def convert_recordings(
    source: StrPath | Sequence[StrPath],
    target: StrPath,
    layout: Layout | None = None,
    force: bool = False,
    columns: str | None = None,
) -> Conversion:
    """Read `source`, write `target` in another layout, and say what that lost and changed. Several sources are joined,
    in that order: see `join_recordings`. See also `load_recordings`, `save_recordings` and `losses`. Everything is
    known before anything is written. Raises DataError, too, for a target inside a source or around it."""
    sources = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(path) for path in source]
    target = Path(target)
    chosen = choose_layout(target, layout)
    for path in sources:
        refuse_nesting(path, target)
    refuse_existing(target, force)
    parts = [load_recordings(path, columns) for path in sources]
    name = ", ".join(map(str, sources))
    recordings = parts[0] if len(parts) == 1 else join_recordings(parts, name)
    said = told(recordings, chosen, _remarks_on(parts))
    conversion = Conversion(
        source=name,
        target=str(target),
        layout=chosen,
        takes=recordings.takes,
        classes=recordings.classes,
        features=recordings.features,
        synthetic=recordings.synthetic,
        lost=said.lost,
        changed=said.changed,
        warnings=said.warnings,
        notes=said.notes,
    )
    save_recordings(target, recordings, chosen, force)
    return conversion


def _remarks_on(parts: Sequence[Recordings]) -> Iterator[tuple[Remark, str]]:
    """What is worth saying about each, and of several the name of the one that it is about."""
    for part in parts:
        for remark in find_doubts(part):
            yield remark, f"{part.source}: " if len(parts) > 1 else ""


@dataclass(frozen=True)
class Told:
    """What to say when recordings are written, in sentences. lost: what is gone. changed: numbers that are others."""

    lost: tuple[str, ...]
    changed: tuple[str, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def told(recordings: Recordings, layout: Layout, remarks: Iterable[tuple[Remark, str]]) -> Told:
    """What to say when these recordings are written. remarks: on what was read, each with what comes before its
    sentence."""
    lost: list[str] = []
    changed: list[str] = []
    warnings: list[str] = []
    notes: list[str] = []
    for remark, about in remarks:
        sentence = about + remark.sentence()
        if remark.kind in ("left out", "frame numbers"):
            lost.append(sentence)
        elif remark.kind == "rounded":
            changed.append(sentence)
        else:
            (warnings if remark.doubtful else notes).append(sentence)
    return Told((*lost, *losses(recordings, layout)), tuple(changed), tuple(warnings), tuple(notes))
