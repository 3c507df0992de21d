"""The takes that the page records, shows and throws out: one file, read and written by one thread at a time."""

from __future__ import annotations

import datetime
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import sha256_bytes
from edgekit.data import HAND_FEATURES, Recordings, frames_with_hand
from edgekit.errors import DataError, EdgekitError, InputError
from edgekit.hands import HandTake
from edgekit.jobs.take_file import TakeFile, refuse_names
from edgekit.reading import StrPath

NAME = "my-signs.npz"
#: Where takes go that were thrown out, so that they can come back.
THROWN_NAME = "my-signs.thrown-out.npz"
#: Frames of a take: a minute of a camera.
MOST_FRAMES = 1800
#: Frames without a hand may stand for None: as recordings have them.
GONE = [0.0] * HAND_FEATURES


class UnknownTakeError(InputError):
    """A take that is not there any more: another page has thrown it out."""


class Takes:
    """Of one work directory. known: classes of the model, which need not be declared."""

    def __init__(self, workdir: StrPath, known: tuple[str, ...] = ()) -> None:
        workdir = Path(workdir)
        self._lock = threading.Lock()
        self._file, self._thrown, self._known = TakeFile(workdir / NAME), TakeFile(workdir / THROWN_NAME), known

    @property
    def path(self) -> Path:
        """Of the file."""
        return self._file.path

    def classes(self) -> list[str]:
        """Those of the model, then others of the file."""
        found = self._file.recordings
        return list(dict.fromkeys([*self._known, *(() if found is None else found.class_names)]))

    def counts(self, signer: str, session: str) -> dict[str, Any]:
        """Classes, how many takes each has by this signer in this session, and how many the file has in all."""
        with self._lock:
            self._file.refresh()
            found = self._file.recordings
            counts = {name: self._file.count(name, signer, session) for name in self.classes()}
            return {"counts": counts, "takes": 0 if found is None else found.takes, "thrown": self._thrown_takes()}

    def add(self, said: Any) -> dict[str, Any]:
        """One more take, as the page sends it: label, new_class, signer, session, hand, aspect, landmarks. Returns
        `counts`. Raises InputError that says what is wrong with it; then nothing has changed."""
        label, signer, session, fresh = _names_of(said)
        take = _take_of(said)
        with self._lock:
            self._file.refresh()
            if not fresh and label not in self.classes():
                raise InputError(f"the sign '{label}' is none of {', '.join(self.classes())}; add it first")
            self._file.add(label, take, signer, session)
        return self.counts(signer, session)

    def listed(self) -> list[dict[str, Any]]:
        """Every take, without its landmarks."""
        with self._lock:
            self._file.refresh()
            found = self._file.recordings
            return [] if found is None else _listed(found)

    def landmarks(self, key: str) -> dict[str, Any]:
        """A take's frames, and the shape of its picture."""
        with self._lock:
            found, index = self._find(key)
            aspect = None if found.aspect is None else float(found.aspect[index])
            frames = found.sequences[index, : found.lengths[index]]
            known = aspect is not None and math.isfinite(aspect)
            return {"aspect": aspect if known else 4 / 3, "frames": np.round(frames.astype(np.float64), 5).tolist()}

    def throw_out(self, key: str) -> dict[str, Any]:
        """The take goes to the file of those thrown out."""
        with self._lock, self._file.turn():
            found, index = self._find(key)
            kept = np.flatnonzero(np.arange(found.takes) != index)
            with _as_before(self._thrown):
                self._thrown.join(found.take(np.array([index])))
                _shorten(self._file, found, kept)
            return {"thrown": self._thrown_takes()}

    def undo(self) -> dict[str, Any]:
        """The take that was thrown out last comes back, as the last of the file."""
        with self._lock, self._file.turn():
            self._thrown.refresh()
            found = self._thrown.recordings
            if found is None:
                raise InputError("no take was thrown out")
            with _as_before(self._file):
                self._file.join(found.take(np.array([found.takes - 1])))
                _shorten(self._thrown, found, np.arange(found.takes - 1))
            return {"thrown": self._thrown_takes()}

    def checked(self) -> Recordings | None:
        """What the file holds now."""
        with self._lock:
            self._file.refresh()
            return self._file.recordings

    def _thrown_takes(self) -> int:
        self._thrown.refresh()
        return 0 if self._thrown.recordings is None else self._thrown.recordings.takes

    def _find(self, key: str) -> tuple[Recordings, int]:
        self._file.refresh()
        found = self._file.recordings
        keys = [] if found is None else keys_of(found)
        if found is None or key not in keys:
            raise UnknownTakeError("this take is not there any more; perhaps another page has thrown it out")
        return found, keys.index(key)


@contextmanager
def _as_before(file: TakeFile) -> Iterator[None]:
    """Where the block fails, the file holds again what it held: a take is never in both files because one of them
    could not be written."""
    file.refresh()
    before = file.recordings
    try:
        yield
    except (EdgekitError, OSError):
        with suppress(EdgekitError, OSError):
            if before is None:
                file.path.unlink(missing_ok=True)
                file.refresh()
            else:
                file.save(before)
        raise


def _shorten(file: TakeFile, found: Recordings, kept: Any) -> None:
    """Leave some of a file's takes, and the classes that these have; a file of none goes."""
    if len(kept):
        left = found.take(kept)
        used, labels = np.unique(left.labels, return_inverse=True)
        names = tuple(found.class_names[k] for k in used)
        file.save(replace(left, labels=labels.astype(left.labels.dtype), class_names=names))
    else:
        file.path.unlink()
        file.refresh()


def keys_of(found: Recordings) -> list[str]:
    """A name for each take that stays when others go: a digest of its numbers and class, and a number among equals."""
    seen: dict[str, int] = {}
    keys = []
    for index in range(found.takes):
        frames = np.ascontiguousarray(found.sequences[index, : found.lengths[index]])
        digest = sha256_bytes(frames.tobytes() + found.class_names[found.labels[index]].encode())[:16]
        seen[digest] = seen.get(digest, 0) + 1
        keys.append(f"{digest}-{seen[digest]}")
    return keys


def _listed(found: Recordings) -> list[dict[str, Any]]:
    seen = frames_with_hand(found.sequences)
    return [
        {
            "key": key,
            "label": found.class_names[found.labels[index]],
            "signer": "" if found.signer is None else str(found.signer[index]),
            "session": "" if found.session is None else str(found.session[index]),
            "frames": int(found.lengths[index]),
            "with_hand": int(seen[index, : found.lengths[index]].sum()),
        }
        for index, key in enumerate(keys_of(found))
    ]


def _names_of(said: Any) -> tuple[str, str, str, bool]:
    """Class, signer, session, and whether the class is a new one. Raises InputError."""
    if not isinstance(said, dict):
        raise InputError("a take is an object with label, landmarks, signer, session, hand and aspect")
    label, signer = said.get("label"), said.get("signer", "")
    session, fresh = said.get("session") or datetime.date.today().isoformat(), said.get("new_class", False)
    if not isinstance(label, str) or not isinstance(signer, str) or not isinstance(session, str):
        raise InputError("label, signer and session of a take are text")
    if not isinstance(fresh, bool):
        raise InputError("new_class of a take is true or false")
    refuse_names([label], signer, session, "the take")
    return label, signer, session, fresh


def _take_of(said: dict[str, Any]) -> HandTake:
    """Raises InputError for landmarks that are no take of one hand."""
    frames, hand, aspect = said.get("landmarks"), said.get("hand", ""), said.get("aspect")
    if not isinstance(frames, list) or not 1 <= len(frames) <= MOST_FRAMES:
        raise InputError(f"landmarks of a take are a list of 1 to {MOST_FRAMES:,} frames")
    for number, frame in enumerate(frames):
        if frame is not None and not _is_frame(frame):
            raise InputError(f"frame {number} of the take: expected {HAND_FEATURES} numbers, or null for no hand")
    if hand not in ("", "L", "R"):
        raise InputError("hand of a take is L, R or empty")
    if not isinstance(aspect, int | float) or isinstance(aspect, bool) or not 0.01 <= aspect <= 100:
        raise InputError("aspect of a take is the picture's width / height")
    landmarks = np.array([GONE if frame is None else frame for frame in frames], np.float32)
    if not landmarks.any():
        raise DataError("the take shows no hand in any frame")
    return HandTake(landmarks, hand, float(aspect), len(frames), None)


def _is_frame(frame: Any) -> bool:
    """63 numbers that float32 can hold; a hand is never further from its picture than a thousand of them."""
    if not isinstance(frame, list) or len(frame) != HAND_FEATURES:
        return False
    return all(type(value) in (int, float) and abs(value) <= 1000 for value in frame)
