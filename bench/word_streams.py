"""Streams of spelled words for bench/words.py: real takes of letters, one behind the other, with idle hands between.

A word is takes of its letters by one signer. A letter lasts 20 to 30 frames, the last frame being held where the take
has fewer; 4 to 8 frames on straight lines lead to the next one. Of two equal letters the second is another take, and
before it the hand either slides aside by half of its size to one and a half in 5 to 8 frames, or leaves the picture for
8 to 15 frames. Between words the hand is away for 30 to 60 frames, or two takes of an idle hand are there. So takes,
idle hands and lost frames are real; what leads from one to the next, and what doubles a letter, is made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgekit.data import Recordings, canonical_takes, used_frames

F32 = NDArray[np.float32]
LASTS, LEADS, SLIDES, AWAY, PAUSE = (20, 30), (4, 8), (5, 8), (8, 15), (30, 60)
SLID = (0.5, 1.5)
FEATURES = 63

#: Common words and names, many with doubled letters, J or Z; those of letters that a signer has are drawn from.
WORDS = """
ABOUT ACID ADD AGREE ALL APPLE ARM ASK BABY BACK BALL BED BEEF BELL BIRD BLUE BOOK BOY BREAD BUZZ CAKE CALL CARD CHAIR
CHESS CITY COFFEE COLD COOK CUP DAD DAY DEER DISH DOG DOOR DRESS DUCK EAR EAT EGG EIGHT FACE FALL FAR FEED FEET FISH
FIVE FLOOR FOG FOOD FOUR FREE FUZZ GAS GIFT GIRL GLASS GOLD GOOD GRASS GREEN HAIR HALF HALL HAT HILL HOLD HOOK HOT
HOUSE ICE ILL ISLE JACK JAIL JAR JAZZ JELLY JOB JOE JOKE JOY JUDGE JUICE JULY KEY KICK KISS KITE LADY LAKE LAZY LEFT
LESS LIFE LIZARD LOOK LOVE MAJOR MAZE MEET MILK MISS MOOD MOUSE NOSE OBJECT OFF OLD PIZZA PUZZLE QUIZ RADIO RED RICE
ROAD ROOF ROOM ROSE SALT SEA SEED SELF SHOE SHOT SIZE SKILL SKY SOFA SOLD STAR STREET TALL TAXI TEA TEETH TELL THREE
TOE TOOL TREE TWO USE VERY WALL WATER WEED WELL WIFE WOLF WOOD WOOL YARD YES ZEBRA ZERO ZOO
""".split()  # noqa: SIM905


@dataclass(frozen=True, eq=False)
class Spelled:
    """A stream. frames float32 (time, 63), zeros where no hand is seen. words: what was spelled. begins: first frame of
    each word; ends: behind its last. letters: (first frame, behind the last, letter) of each letter. idle: (first,
    behind the last) of each take of an idle hand that is seen."""

    frames: F32
    words: list[str]
    begins: list[int]
    ends: list[int]
    letters: list[tuple[int, int, str]]
    idle: list[tuple[int, int]]


class Takes:
    """Takes of one signer by letter, and idle ones: float32 (frames, 63) each, without lost frames at their ends."""

    def __init__(self, letters: Recordings, idle: Recordings) -> None:
        self.letters: dict[str, list[F32]] = {}
        for take, label in zip(_cut(letters), letters.labels, strict=True):
            if len(take):
                self.letters.setdefault(letters.class_names[label], []).append(take)
        self.idle = [take for take in _cut(idle) if (take != 0).any(axis=1).sum() >= len(take) // 2 > 0]

    def can(self, word: str) -> bool:
        """Whether there are takes of each letter."""
        return all(letter in self.letters for letter in word)


def _cut(recordings: Recordings) -> list[F32]:
    x = canonical_takes(recordings, recordings.sequences.shape[1])
    return [take[:used] for take, used in zip(x, used_frames(x, np.full(len(x), x.shape[1])), strict=True)]


class _Tape:
    """Frames that are joined."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.parts, self.length = rng, [np.zeros((30, FEATURES), np.float32)], 30

    def add(self, frames: F32) -> tuple[int, int]:
        """Where they lie now."""
        first = self.length
        self.parts.append(frames.astype(np.float32))
        self.length += len(frames)
        return first, self.length

    def lead(self, to: F32, count: tuple[int, int]) -> None:
        """Straight lines from the last frame, where both show a hand."""
        last = self.parts[-1][-1]
        if last.any() and to.any():
            share = np.linspace(0, 1, self.between(count) + 2)[1:-1, None]
            self.add((1 - share) * last + share * to)

    def away(self, count: tuple[int, int]) -> None:
        """No hand."""
        self.add(np.zeros((self.between(count), FEATURES), np.float32))

    def between(self, ends: tuple[int, int]) -> int:
        """A whole number, both ends included."""
        return int(self.rng.integers(ends[0], ends[1] + 1))


def spell(takes: Takes, words: Sequence[str], rng: np.random.Generator) -> Spelled:
    """One stream of these words."""
    tape, found = _Tape(rng), Spelled(np.zeros((0, FEATURES), np.float32), [], [], [], [], [])
    for word in words:
        first = len(found.letters)
        for before, letter in zip(" " + word, word, strict=False):
            found.letters.append((*_letter(tape, takes.letters[letter], before == letter), letter))
        found.words.append(word)
        found.begins.append(found.letters[first][0])
        found.ends.append(found.letters[-1][1])
        _gap(tape, takes, found.idle)
    frames = np.concatenate(tape.parts)
    return Spelled(frames, found.words, found.begins, found.ends, found.letters, found.idle)


def _letter(tape: _Tape, takes: Sequence[F32], doubled: bool) -> tuple[int, int]:
    take = takes[int(tape.rng.integers(len(takes)))]
    take = take[np.minimum(np.arange(tape.between(LASTS)), len(take) - 1)]
    if doubled and tape.rng.random() < 0.5:
        tape.away(AWAY)
    elif doubled:
        take = moved(take, tape.parts[-1][-1], tape.rng)
        tape.lead(take[0], SLIDES)
    else:
        tape.lead(take[0], LEADS)
    return tape.add(take)


def moved(take: F32, last: F32, rng: np.random.Generator) -> F32:
    """The take where the hand was last, but for a step aside."""
    hands, where = take.reshape(-1, 21, 3).copy(), last.reshape(21, 3)
    size = float(np.linalg.norm(where[9] - where[0]))
    step = np.array([rng.choice([-1, 1]) * rng.uniform(*SLID) * size, 0, 0])
    seen = (take != 0).any(axis=1)
    shift = where[0] - hands[int(np.argmax(seen)), 0] + step
    shift[2] = 0
    hands[seen] += shift
    return hands.reshape(-1, FEATURES)


def _gap(tape: _Tape, takes: Takes, idle: list[tuple[int, int]]) -> None:
    """Between words: no hand, or an idle one."""
    if not takes.idle or tape.rng.random() < 0.5:
        tape.away(PAUSE)
        return
    for _ in range(2):
        take = takes.idle[int(tape.rng.integers(len(takes.idle)))]
        tape.lead(take[np.argmax((take != 0).any(axis=1))], LEADS)
        idle.append(tape.add(take))


def streams(takes: Takes, count: int, rng: np.random.Generator, each: int = 20) -> Iterator[Spelled]:
    """`count` words, `each` a stream."""
    known = [word for word in WORDS if takes.can(word)]
    if not known:
        raise SystemExit("no word of the list can be spelled with these takes")
    words = [known[int(k)] for k in rng.integers(len(known), size=count)]
    for first in range(0, count, each):
        yield spell(takes, words[first : first + each], rng)
