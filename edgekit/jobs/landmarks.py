"""Recordings from videos, pictures and cameras."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.artifacts import refuse_unwritable
from edgekit.data import Recordings, choose_layout, refuse_existing, save_recordings
from edgekit.data.recordings import refuse_no_text
from edgekit.errors import InputError
from edgekit.hands import TRACKER, Film, HandTake, HandTracker, Picture, camera_number, find_films, open_pictures
from edgekit.hands.pictures import VIDEO
from edgekit.hands.takes import padded, track_take
from edgekit.jobs.unfinished import FilmNotes, Unfinished
from edgekit.reading import StrPath, open_file
from edgekit.results import WHOLE, LandmarksResult

#: Told what is being read, and which share of all is done.
Watch = Callable[[str, float | None], None]


@dataclass(frozen=True)
class LandmarksOptions:
    """label: the class of a single source. signer, session: of all takes. num_hands: 1 or 2. rate: most frames a second
    that are kept, None for all. seconds: of a camera, None until Ctrl-C. force: whether a file is replaced."""

    label: str | None = None
    signer: str | None = None
    session: str | None = None
    num_hands: int = 1
    rate: float | None = 30.0
    seconds: float | None = None
    force: bool = False


def read_landmarks(
    source: StrPath, output: StrPath, options: LandmarksOptions, watch: Watch = lambda text, share: None
) -> LandmarksResult:
    """Takes of a video, a picture, a folder of them or a camera, written to `output` whole or not at all.

    What can't be read, or shows no hand, is left out and named in the result. What an interrupted run has read is kept
    beside `output` until the file is written. Raises InputError for a source without any take, and where `output`
    exists, has an unknown suffix or can't be written.
    """
    output = Path(output)
    _check_names(options)
    choose_layout(output)
    refuse_existing(output, options.force)
    refuse_unwritable(output)
    films, others = _films(source, options)
    reading = _Reading(HandTracker(options.num_hands), options, watch)
    began_s = time.monotonic()
    with Unfinished(output, [TRACKER, options.num_hands, options.rate]) as kept:
        for number, film in enumerate(films):
            reading.read(film, number / len(films), 1 / len(films), kept)
        if not reading.takes:
            kept.done()
            raise reading.nothing(source)
        recordings = reading.recordings(str(source))
        save_recordings(output, recordings, force=options.force)
        kept.done()
    return reading.result(output, recordings, tuple(others), time.monotonic() - began_s)


def _check_names(options: LandmarksOptions) -> None:
    said = {"--label": options.label, "--signer": options.signer, "--session": options.session}
    for option, name in said.items():
        refuse_no_text([name or ""], option, "landmarks")
    if options.label is not None and not options.label.strip():
        raise InputError("landmarks: --label is blank; say --label CLASS, or leave it out")


def _films(source: StrPath, options: LandmarksOptions) -> tuple[list[Film], list[str]]:
    number = camera_number(source)
    if number is not None:
        if options.label is None:
            raise InputError(
                f"camera {number}: say which class is shown: --label CLASS; `edgekit record` records several"
            )
        return [Film(Path(str(source)), f"camera {number}", options.label)], []
    path = Path(source)
    if options.seconds is not None:
        raise InputError(f"{path} is no camera, and --seconds is a camera's; leave it out")
    if path.is_dir():
        return find_films(path, options.label)
    with open_file(path, VIDEO):
        pass
    return [Film(path, path.stem, options.label or path.stem)], []


class _Reading:
    """Takes as they come, and what there is to say of them."""

    def __init__(self, tracker: HandTracker, options: LandmarksOptions, watch: Watch) -> None:
        self.tracker, self.options, self.watch = tracker, options, watch
        self.films: list[Film] = []
        self.takes: list[HandTake] = []
        self.without_hand: list[str] = []
        self.unreadable: list[str] = []
        self.cut: list[str] = []
        self.sources: Counter[int] = Counter()
        self.continued = 0

    def read(self, film: Film, share: float, part: float, kept: Unfinished) -> None:
        """One take, or why there is none. share: of all that is done before it; part: of all that it is."""
        finished = kept.take(film)
        self.continued += finished is not None
        if finished is None:
            try:
                finished = self._track(film, share, part)
            except InputError as error:
                if camera_number(film.path) is not None:
                    raise
                self.unreadable.append(str(error))
                return
            kept.keep(film, *finished)
        take, notes = finished
        self.cut += [notes.cut] if notes.cut else []
        self.sources.update([] if notes.rate is None else [notes.rate])
        if not take.landmarks.any():
            self.without_hand.append(film.name)
            return
        self.films.append(film)
        self.takes.append(take)

    def _track(self, film: Film, share: float, part: float) -> tuple[HandTake, FilmNotes]:
        with open_pictures(str(film.path), newest=False) as pictures:
            count = pictures.count

            def seen(frames: int) -> None:
                self.watch(f"  {film.name}: frame {frames:,}", share + part * (frames / count if count else 0) or None)

            live = pictures.kind == "camera"
            stream = self._until(film.name, pictures.stream) if live else pictures.stream
            take = track_take(stream, self.tracker, self.options.rate, seen, stoppable=live)
        short = count is not None and take.pictures < WHOLE * count
        cut = f"{film.name}: {take.pictures} of {count} frames" if short else ""
        return take, FilmNotes(None if pictures.kind == "pictures" else round(pictures.rate or 0), cut)

    def _until(self, name: str, stream: Iterator[Picture]) -> Iterator[Picture]:
        """A camera's pictures, for the seconds that were said. Where it goes away, what came before is kept."""
        try:
            for picture in stream:
                if self.options.seconds is not None and picture.time_s >= self.options.seconds:
                    return
                yield picture
        except InputError as error:
            self.cut.append(f"{name}: {error}")

    def nothing(self, source: StrPath) -> InputError:
        """What to say where there is no take at all."""
        told = [*(f"{name}: no hand in any frame" for name in self.without_hand), *self.unreadable]
        return InputError(f"{source}: no take with a hand; nothing was written ({'; '.join(told[:3])})")

    def recordings(self, source: str) -> Recordings:
        """All takes, of which there is one at least."""
        sequences, lengths = padded(self.takes)
        names = tuple(dict.fromkeys(film.label for film in self.films))
        return Recordings(
            sequences=sequences,
            lengths=lengths,
            labels=np.array([names.index(film.label) for film in self.films], np.int64),
            class_names=names,
            signer=self._names("signer"),
            session=self._names("session"),
            source=source,
            take_names=np.array([film.name for film in self.films]),
            hand=np.array([take.hand for take in self.takes]),
            aspect=np.array([take.aspect for take in self.takes], np.float32),
            tracker=TRACKER,
        )

    def _names(self, field: str) -> Any:
        said = getattr(self.options, field)
        names = [said or getattr(film, field) for film in self.films]
        return np.array(names) if any(names) else None

    def result(self, path: Path, recordings: Recordings, others: tuple[str, ...], seconds: float) -> LandmarksResult:
        labels = Counter(recordings.class_names[label] for label in recordings.labels)
        return LandmarksResult(
            path=path,
            tracker=TRACKER,
            takes={name: labels[name] for name in recordings.class_names},
            signers=0 if recordings.signer is None else len(set(recordings.signer.tolist()) - {""}),
            num_hands=self.options.num_hands,
            hands=dict(sorted(Counter(take.hand for take in self.takes).items())),
            frames=int(recordings.lengths.sum()),
            lost=sum(take.lost for take in self.takes),
            pictures=sum(take.pictures for take in self.takes),
            rates=Counter(round(take.rate) for take in self.takes if take.rate is not None),
            sources=self.sources,
            most_rate=self.options.rate,
            seconds=seconds,
            stills=sum(len(take.landmarks) == 1 for take in self.takes),
            without_hand=tuple(self.without_hand),
            unreadable=tuple(self.unreadable),
            cut=tuple(self.cut),
            others=others,
            continued=self.continued,
            shapes=Counter(f"{take.aspect:.2f}" for take in self.takes),
        )
