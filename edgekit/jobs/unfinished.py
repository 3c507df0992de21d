"""Takes that a run has read before it was interrupted: beside the file that was to be written, until it is."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import fingerprint, json_text, parse_json, written_file
from edgekit.data.layouts.npz import read_arrays
from edgekit.data.remarks import counted
from edgekit.errors import EdgekitError, InterruptedRunError
from edgekit.hands import Film, HandTake

#: How much work an end without warning may cost.
SAVES_EVERY_S = 30.0


@dataclass(frozen=True)
class FilmNotes:
    """What is said of a file beside its take. rate: a video's frames a second, 0 where it says none; None of a picture.
    cut: that it ended early, empty where it did not."""

    rate: int | None
    cut: str = ""


class Unfinished:
    """In a `with`: what is kept is on the disk when the block ends by an error or Ctrl-C, and every 30 seconds.

    output: whose finished takes these are. settings: what else a take depends on; others' takes are not used. A file
    that is damaged, or of a file that has changed since, is read again.
    """

    def __init__(self, output: Path, settings: list[Any]) -> None:
        self.path = output.with_name(f".{output.name}.unfinished.npz")
        self._settings = fingerprint(settings)
        self._kept: dict[str, tuple[HandTake, FilmNotes]] = {}
        self._saved_s, self._new = time.monotonic(), False

    def __enter__(self) -> Unfinished:
        if self.path.is_file():
            self._kept = self._read()
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        if self._new:
            self._save()
        if kind is KeyboardInterrupt and self.path.is_file():
            raise InterruptedRunError(
                f"interrupted: {counted(len(self._kept), 'take')} read so far, kept in {self.path}; the same"
                " command goes on after them"
            )

    def take(self, film: Film) -> tuple[HandTake, FilmNotes] | None:
        """The finished take of a file and what there is to say of it, if there is one."""
        return self._kept.get(self._key(film))

    def keep(self, film: Film, take: HandTake, notes: FilmNotes) -> None:
        """One more finished take."""
        self._kept[self._key(film)] = take, notes
        self._new = True
        if time.monotonic() - self._saved_s >= SAVES_EVERY_S:
            self._save()

    def done(self) -> None:
        """The output is written: none of this is needed any more."""
        self._kept, self._new = {}, False
        self.path.unlink(missing_ok=True)

    def _key(self, film: Film) -> str:
        try:
            told = film.path.stat()
        except OSError:  # a camera
            return ""
        return fingerprint([self._settings, film.name, told.st_size, told.st_mtime_ns])

    def _save(self) -> None:
        kept = {key: both for key, both in self._kept.items() if key}
        about = [
            [key, take.hand, take.aspect, take.pictures, take.rate, notes.rate, notes.cut]
            for key, (take, notes) in kept.items()
        ]
        arrays = {f"take{k}": take.landmarks for k, (take, _) in enumerate(kept.values())}
        self._saved_s, self._new = time.monotonic(), False
        with contextlib.suppress(OSError), written_file(self.path) as file:  # a full disk only costs time here
            np.savez(file, about=np.array(json_text(about)), allow_pickle=False, **arrays)

    def _read(self) -> dict[str, tuple[HandTake, FilmNotes]]:
        try:
            arrays = read_arrays(self.path)
            about = parse_json(str(arrays["about"]))
            return {
                row[0]: (HandTake(arrays[f"take{k}"], *row[1:5]), FilmNotes(*row[5:])) for k, row in enumerate(about)
            }
        except (EdgekitError, KeyError, ValueError, TypeError):
            return {}
