"""The file that takes are recorded into: whole after every take, and continued where it exists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.artifacts import refuse_unwritable, taking_turns
from edgekit.data import (
    HAND_FEATURES,
    Recordings,
    choose_layout,
    join_recordings,
    load_recordings,
    save_recordings,
)
from edgekit.data.recordings import refuse_no_text
from edgekit.data.remarks import counted
from edgekit.errors import DataError, InputError
from edgekit.hands import TRACKER, HandTake
from edgekit.reading import StrPath


class TakeFile:
    """Takes of num_hands hands at `path`, which several processes may write. Raises InputError for a place that can't
    be written, DataError for a file of another number of hands, and for one that can't be read."""

    def __init__(self, path: StrPath, num_hands: int = 1) -> None:
        path = Path(path)
        choose_layout(path)
        refuse_unwritable(path)
        self.path, self._features = path, HAND_FEATURES * num_hands
        self.recordings: Recordings | None = None
        self._state: tuple[int, int, int] | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read the file again where another process has written it since."""
        state = self._seen()
        if state != self._state:
            self.recordings = None if state is None else self._read()
            self._state = state

    def count(self, label: str, signer: str, session: str) -> int:
        """Takes of a class by this signer in this session."""
        found = self.recordings
        if found is None or label not in found.class_names:
            return 0
        same = found.labels == found.class_names.index(label)
        for known, name in ((found.signer, signer), (found.session, session)):
            same &= (np.full(found.takes, "") if known is None else known) == name
        return int(same.sum())

    def add(self, label: str, take: HandTake, signer: str, session: str) -> None:
        """One more take, on the disk, after what others have written meanwhile. Raises DataError where it can't be
        written; then nothing has changed."""
        with self.turn():
            self.join(self._as_recordings(label, take, signer, session))

    @contextmanager
    def turn(self) -> Iterator[None]:
        """While the block runs, no other process changes a file of takes in this folder. Not within another turn."""
        with suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with taking_turns(self.path.parent):
            yield

    def join(self, new: Recordings) -> None:
        """These takes, too, on the disk, within a `turn`; see `add`."""
        self.refresh()
        self.save(new if self.recordings is None else _joined(self.recordings, new, str(self.path)))

    def save(self, whole: Recordings) -> None:
        """Put these in the file's place."""
        save_recordings(self.path, whole)
        self.recordings, self._state = whole, self._seen()

    def _seen(self) -> tuple[int, int, int] | None:
        if not self.path.exists():
            return None
        stat = self.path.stat()
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _read(self) -> Recordings:
        found = load_recordings(self.path)
        if found.features != self._features:
            hands = counted(self._features // HAND_FEATURES, "hand")
            raise DataError(
                f"{self.path}: holds {found.features} numbers a frame, and takes of {hands} have {self._features};"
                " give --hands as it was, or another name"
            )
        return found

    def _as_recordings(self, label: str, take: HandTake, signer: str, session: str) -> Recordings:
        return Recordings(
            sequences=take.landmarks[None],
            lengths=np.array([len(take.landmarks)]),
            labels=np.array([0]),
            class_names=(label,),
            signer=np.array([signer]),
            session=np.array([session]),
            source=str(self.path),
            hand=np.array([take.hand]),
            aspect=np.array([take.aspect], np.float32),
            tracker=TRACKER,
        )


def refuse_names(labels: Iterable[str], signer: str, session: str, source: str) -> None:
    """Raises InputError for names of classes, of who signs and of the day that are none. source: what messages begin
    with."""
    labels = list(labels)
    for what, names in (("the signs", labels), ("--signer", [signer]), ("--session", [session])):
        refuse_no_text(names, what, source)
    for label in labels:
        if not label.strip():
            raise InputError(f"{source}: a sign has no name; name them, such as A B C")


def _joined(old: Recordings, new: Recordings, called: str) -> Recordings:
    """Both, with the names that the old takes have."""
    whole = join_recordings([old, new], called)
    if old.take_names is None:
        return whole
    return replace(whole, take_names=np.append(old.take_names, [f"recorded/{old.takes + k}" for k in range(new.takes)]))
