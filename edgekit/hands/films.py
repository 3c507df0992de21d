"""Which files of a folder are takes, and what the folders' names say of each: class, and maybe who and when."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from edgekit.artifacts import real_place
from edgekit.data.layouts.numbering import natural_key
from edgekit.data.recordings import refuse_no_text
from edgekit.errors import InputError
from edgekit.hands.pictures import PICTURE_SUFFIXES
from edgekit.reading import StrPath, reason

VIDEO_SUFFIXES = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv", ".3gp", ".ogv", ".mjpeg")
#: Of folders between FOLDER and a file, last to first.
LEVELS = ("label", "signer", "session")
LAYOUT = "FOLDER/CLASS/FILE, FOLDER/SIGNER/CLASS/FILE or FOLDER/SIGNER/SESSION/CLASS/FILE"


@dataclass(frozen=True)
class Film:
    """A video, or a picture, that is one take. name: its path below the folder, without suffix. label: its class.
    signer, session: empty where the folders say nothing."""

    path: Path
    name: str
    label: str
    signer: str = ""
    session: str = ""


def find_films(folder: StrPath, label: str | None = None) -> tuple[list[Film], list[str]]:
    """The takes of a folder in natural order, and the files that are neither video nor picture, by their path below it.

    Folders' names are `LAYOUT`; all files lie equally deep. label: the class of files that lie in the folder itself.
    Hidden files are passed over; links to folders are followed, but for those to a folder that they lie in, which are
    passed over, too. Raises InputError for a folder without takes, of another shape, or that can't be read, and for
    names that are no text.
    """
    folder = Path(folder)
    found: list[Path] = []
    others: list[Path] = []
    for path in sorted(_files(folder), key=lambda path: natural_key(str(path))):
        known = path.suffix.lower() in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES)
        (found if known else others).append(path.relative_to(folder))
    if not found:
        raise InputError(f"{folder}: holds neither videos nor pictures; expected {LAYOUT}")
    _check_depths(folder, found, label)
    films = [_film(folder, path, label) for path in found]
    _check_names(folder, films)
    return films, [str(path) for path in others]


def _files(folder: Path) -> list[Path]:
    places = []
    for place, folders, names in os.walk(folder, onerror=_unreadable, followlinks=True):
        loops = [name for name in folders if _leads_back(Path(place) / name)]
        folders[:] = [name for name in folders if not name.startswith(".") and name not in loops]
        places += [Path(place) / name for name in (*names, *loops) if not name.startswith(".")]
    return places


def _leads_back(path: Path) -> bool:
    """Whether that is a link to a folder in which it lies: who follows it walks for ever."""
    if not path.is_symlink():
        return False
    target = real_place(path)
    return any(real_place(above) == target for above in path.absolute().parents)


def _unreadable(error: OSError) -> None:
    raise InputError(f"{os.fsdecode(error.filename)}: can't be read: {reason(error)}")


def _check_names(folder: Path, films: list[Film]) -> None:
    refuse_no_text([film.name for film in films], "a file's name", str(folder))
    blank = next((film for film in films if not film.label.strip()), None)
    if blank is not None:
        raise InputError(f"{blank.path}: its folder's name, which is the class, is blank; rename it")


def _check_depths(folder: Path, found: list[Path], label: str | None) -> None:
    depths = {len(path.parts): path for path in reversed(found)}
    if len(depths) > 1:
        some = " and ".join(str(path) for path in list(depths.values())[:2])
        raise InputError(f"{folder}: files lie at different depths, such as {some}; expected one of {LAYOUT}")
    (depth,) = depths
    if depth > 4:
        raise InputError(f"{folder}: {found[0]} lies too deep; expected {LAYOUT}")
    if depth == 1 and label is None:
        raise InputError(f"{folder}: the files lie in no folder of a class; expected {LAYOUT}, or say --label CLASS")
    if depth > 1 and label is not None:
        raise InputError(f"{folder}: the folders' names are the classes; leave out --label")


def _film(folder: Path, path: Path, label: str | None) -> Film:
    names = path.parts[:-1]
    return Film(
        folder / path,
        str(path.with_suffix("")),
        names[-1] if names else label or "",
        names[0] if len(names) > 1 else "",
        names[1] if len(names) > 2 else "",
    )
