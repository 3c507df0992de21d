"""Letters that appear once and stay, from a model's answer to every frame of a stream. numpy only."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edgekit.errors import ConfigError
from edgekit.live.motion import STEPPED

F32 = NDArray[np.float32]
Kind = Literal["letter", "letter ended"]

#: `Thresholds.enter` of a model that goes by steps: it is less sure after few frames than one that reads a take that is
#: filled up with the last frame.
STEPS_ENTER = 0.7
#: The same of a file with a rule for no sign, which is asked first: what is not sure enough of a letter is then seldom
#: an idle hand.
RULED_ENTER = 0.6
#: Letters that move, and the held ones that their hands begin as.
MOVING: Mapping[str, str] = {"J": "I", "Z": "D"}


@dataclass(frozen=True)
class Thresholds:
    """When a letter counts. Frames are 1/30 s. Found on validation words (bench/words.py tune).

    smooth: frames over which probabilities are averaged. enter: least average probability of a letter that is written;
    leave: below it the letter has ended. rest: frames that a hand rests before a held letter counts; begins: the same
    for one that a moving letter begins as; tail: the same after a moving letter, whose last posture is held. moving:
    frames on end for which a moving letter is the answer; travel: how far the fastest fingertip goes meanwhile, in hand
    sizes. again: frames on end for which another letter is the answer of a hand that has not moved since. step: how far
    the palm steps aside for the same letter to count again, in hand sizes.
    """

    smooth: int = 1
    enter: float = 0.78
    leave: float = 0.2
    rest: int = 4
    begins: int = 6
    tail: int = 8
    moving: int = 5
    enter_moving: float = 0.6
    travel: float = 2.0
    again: int = 6
    gone: int = 4
    step: float = 0.5

    def __post_init__(self) -> None:
        """Raises ConfigError for a probability that is none."""
        if not 0 <= self.leave <= self.enter <= 1 or not 0 <= self.enter_moving <= 1:
            raise ConfigError(f"thresholds: enter {self.enter}, leave {self.leave}: expected 0 <= leave <= enter <= 1")

    @staticmethod
    def of(least: float) -> Thresholds:
        """The usual ones, but for the least probability of a letter, 0 to 1."""
        leave, moving = (min(usual, least) for usual in (Thresholds.leave, Thresholds.enter_moving))
        return Thresholds(enter=least, leave=leave, enter_moving=moving)


@dataclass(frozen=True)
class Seen:
    """Of a hand in one frame: see `edgekit.live.motion.Motion`."""

    resting: int
    travel: float
    step: float


@dataclass(frozen=True)
class Change:
    """What happened with a letter. index: of its class. probability: the average."""

    kind: Kind
    index: int
    probability: float


class Speller:
    """Answers in, changes out; a frame at a time. class_names: of the model. moves: whether letters are told from each
    other by motion (`MOVING`), too; else every class is held to the rules of `again`."""

    def __init__(self, class_names: Sequence[str], thresholds: Thresholds | None = None, moves: bool = True) -> None:
        self.names, self.rules, self.moves = tuple(class_names), thresholds or Thresholds(), moves
        self._begins = set(MOVING.values()) if moves else set()
        self.reset()

    def reset(self) -> None:
        """The hand is gone: nothing is left of what was seen."""
        self._recent: deque[F32] = deque(maxlen=self.rules.smooth)
        self.average = np.zeros(len(self.names), np.float32)
        self.current: int | None = None
        self._best = self._last = -1
        self._streak = self._weak = self._since = 0
        self._written_in_rest = self._stepped = self._after_moving = False

    def answer(self, probabilities: F32, seen: Seen) -> list[Change]:
        """After one more frame with a hand. probabilities float32 (classes,); all zero where nobody signs."""
        self._recent.append(probabilities)
        self.average = np.mean(self._recent, axis=0)
        best = int(self.average.argmax())
        self._streak = self._streak + 1 if best == self._best else 1
        self._best = best
        self._since += 1
        self._stepped |= self._since > STEPPED and seen.step >= self.rules.step
        if seen.resting == 0:
            self._written_in_rest = False
        changes = [] if self.current is None else self._end(self.current)
        if self._counts(best, seen):
            changes += self._begin(best)
        return changes

    def finish(self) -> list[Change]:
        """The hand is lost."""
        changes = [] if self.current is None else [Change("letter ended", self.current, 0.0)]
        self.reset()
        return changes

    def _end(self, current: int) -> list[Change]:
        strength = float(self.average[current])
        self._weak = self._weak + 1 if strength < self.rules.leave else 0
        if self._weak < (self.rules.again if self._written_in_rest else self.rules.gone):
            return []
        self.current = None
        return [Change("letter ended", current, strength)]

    def _begin(self, best: int) -> list[Change]:
        changes = []
        if self.current is not None:
            changes.append(Change("letter ended", self.current, float(self.average[self.current])))
        self.current, self._last, self._weak, self._since = best, best, 0, 0
        self._written_in_rest, self._stepped = True, False
        self._after_moving = self.moves and self.names[best] in MOVING
        return [*changes, Change("letter", best, float(self.average[best]))]

    def _counts(self, best: int, seen: Seen) -> bool:
        name, rules = self.names[best], self.rules
        if not self.moves:
            return best != self.current and self.average[best] >= rules.enter and self._streak >= rules.again
        if name in MOVING:
            return (
                best != self.current
                and self.average[best] >= rules.enter_moving
                and self._streak >= rules.moving
                and seen.travel >= rules.travel
            )
        if self.average[best] < rules.enter or seen.resting < self._least_rest(name):
            return False
        if best == self.current:
            return self._stepped and not self._after_moving
        return not self._written_in_rest or (best != self._last and self._streak >= rules.again)

    def _least_rest(self, name: str) -> int:
        rules = self.rules
        least = rules.begins if name in self._begins else rules.rest
        return max(least, rules.tail) if self._after_moving else least
