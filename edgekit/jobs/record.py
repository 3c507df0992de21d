"""Takes in front of a camera: countdown, take, kept or thrown away, and on the disk at once."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgekit.data.remarks import counted
from edgekit.errors import DataError, InputError, InterruptedRunError
from edgekit.hands import Hand, HandTake, HandTracker, Picture, open_pictures
from edgekit.hands.takes import MODEL_RATE, Taking
from edgekit.jobs.take_file import TakeFile, refuse_names
from edgekit.reading import StrPath
from edgekit.results import RecordResult

#: What a person may answer.
GO, THROW, SKIP, QUIT = "go", "throw", "skip", "quit"

#: Of what models read: a take of fewer frames a second is slow.
SLOW = 0.9

Look = Callable[[], tuple[Picture, Sequence[Hand]]]


class Screen(Protocol):
    """Where a person reads and answers. draws: whether pictures are shown, so that hands have to be found in all."""

    draws: bool

    def ask(self, text: str, allowed: Sequence[str], look: Look) -> str:
        """One of `allowed`. look: gives the newest picture and its hands, for a screen that draws."""

    def show(self, picture: Picture, hands: Sequence[Hand], text: str) -> None:
        """What is going on at this picture."""

    def tell(self, text: str) -> None:
        """A line that stays."""


@dataclass(frozen=True)
class RecordOptions:
    """takes: of each class, by one person on one day. seconds: of a take. countdown: seconds before it."""

    signer: str
    session: str
    takes: int = 12
    seconds: float = 1.0
    countdown: float = 3.0
    num_hands: int = 1


class _QuitError(Exception):
    """The person has had enough."""


def record_takes(
    source: StrPath, output: StrPath, labels: Sequence[str], options: RecordOptions, screen: Screen
) -> RecordResult:
    """Records what is missing of `options.takes` takes of each class in `output`, which is written after every take.

    An existing file is continued: what it holds by the same signer in the same session counts. Several may record into
    one file at the same time. Raises InputError for labels that are none, for an `output` that holds other recordings,
    or can't be read or written, and for a source without pictures; DataError where a take can't be written, and nobody
    makes room.
    """
    _check_names(labels, options)
    file = TakeFile(output, options.num_hands)
    tracker = HandTracker(options.num_hands)
    with open_pictures(source) as pictures:
        session = _Session(pictures.stream, tracker, screen, options, file)
        ended, faulty = session.record_all(labels)
    counts = {label: file.count(label, options.signer, options.session) for label in labels}
    done = (session.recorded, session.thrown)
    return RecordResult(file.path, options.signer, options.session, counts, options.takes, *done, ended, faulty)


def _check_names(labels: Sequence[str], options: RecordOptions) -> None:
    refuse_names(labels, options.signer, options.session, "record")
    double = [label for label, number in Counter(labels).items() if number > 1]
    if double:
        raise InputError(f"record: '{double[0]}' is there twice; name each sign once")


class _Session:
    """One person in front of one camera."""

    def __init__(
        self, stream: Iterator[Picture], tracker: HandTracker, screen: Screen, options: RecordOptions, file: TakeFile
    ) -> None:
        self.stream, self.tracker, self.screen, self.options, self.file = stream, tracker, screen, options, file
        self.recorded = self.thrown = 0

    def record_all(self, labels: Sequence[str]) -> tuple[str, bool]:
        """Everything that is missing; why it ended early, and whether the pictures did. Raises InterruptedRunError."""
        try:
            for label in labels:
                self.record(label)
        except _QuitError:
            return "ended by you", False
        except DataError:  # a full disk
            raise
        except InputError as error:  # of the pictures
            return str(error), True
        except KeyboardInterrupt:
            raise InterruptedRunError(
                f"interrupted: {counted(self.recorded, 'take')} of this run kept in {self.file.path}; the same command"
                " goes on"
            ) from None
        return "", False

    def record(self, label: str) -> None:
        """What is missing of a class."""
        while (number := self._count(label)) < self.options.takes:
            what = f"{label}, take {number + 1} of {self.options.takes}"
            answer = self._ask(f"{what}: Enter records, s skips the sign, q ends", (GO, SKIP))
            if answer == SKIP:
                return
            self._count_down(what)
            take = self._take(what)
            if self._accepted(what, take):
                self._save(label, take)

    def _count(self, label: str) -> int:
        return self.file.count(label, self.options.signer, self.options.session)

    def _ask(self, text: str, allowed: Sequence[str]) -> str:
        answer = self.screen.ask(text, (*allowed, QUIT), self._look)
        if answer == QUIT:
            raise _QuitError
        return answer

    def _look(self) -> tuple[Picture, Sequence[Hand]]:
        picture = next(self.stream, None)
        if picture is None:
            raise InputError("the pictures have come to an end")
        return picture, self.tracker.track(picture.pixels) if self.screen.draws else ()

    def _count_down(self, what: str) -> None:
        picture, hands = self._look()
        start_s = picture.time_s
        while (left_s := self.options.countdown - (picture.time_s - start_s)) > 0:
            self.screen.show(picture, hands, f"{what}: in {math.ceil(left_s)}")
            picture, hands = self._look()

    def _take(self, what: str) -> HandTake:
        """Pictures first, hands afterwards: a slow tracker costs no frame."""
        pictures = [self._look()[0]]
        almost_s = self.options.seconds - 0.5 / MODEL_RATE
        while pictures[-1].time_s - pictures[0].time_s < almost_s:
            self.screen.show(pictures[-1], (), f"{what}: recording")
            pictures.append(self._look()[0])
        self.tracker.reset()
        taking = Taking(self.tracker)
        for picture in pictures[:-1] or pictures:
            taking.add(picture)
        return taking.take()

    def _accepted(self, what: str, take: HandTake) -> bool:
        frames, seen = len(take.landmarks), len(take.landmarks) - take.lost
        if not seen:
            self.screen.tell(f"{what}: no hand in any of {frames} frames; thrown away")
            self.thrown += 1
            return False
        text = f"{what}: {_pace(take)}, a hand in {seen}: Enter keeps it, x throws it away, q ends"
        kept = self._ask(text, (GO, THROW)) == GO
        self.thrown += not kept
        return kept

    def _save(self, label: str, take: HandTake) -> None:
        """On the disk, if need be after someone has made room there."""
        while True:
            try:
                self.file.add(label, take, self.options.signer, self.options.session)
            except DataError as error:
                asked = f"{error}: make room, or put right what it is; Enter tries again, q gives up"
                answer = self.screen.ask(asked, (GO, QUIT), self._look)
                if answer == QUIT:
                    raise DataError(f"{error}; the last take of {label} is lost, all before it are kept") from None
            else:
                self.recorded += 1
                return


def _pace(take: HandTake) -> str:
    """How many frames a take has, and that they are too few a second where they are."""
    rate = "" if take.rate is None else f" at {take.rate:.0f} a second"
    slow = take.rate is None or take.rate < SLOW * MODEL_RATE
    models = f" (models read {MODEL_RATE:.0f} a second: more light helps most cameras)" if slow else ""
    return f"{counted(len(take.landmarks), 'frame')}{rate}{models}"
