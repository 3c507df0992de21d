"""Endless hands: every epoch of a training holds takes by synthetic people whom no other epoch has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgekit.data.hand import F32, HAND_FEATURES, I64
from edgekit.data.length import fit_length
from edgekit.data.recordings import Recordings
from edgekit.data.settings import MOST_SHARE, DataConfig
from edgekit.data.synthetic import SynthConfig, record_people
from edgekit.data.synthetic.matching import as_letter, refuse_unlike, takes_like
from edgekit.errors import ConfigError, DataError

#: In place of a letter: hands that sign nothing.
NOTHING = len(SynthConfig().class_names)
#: Keeps these people apart from all others that a seed makes, whose spawn keys are a single number each.
SPAWN_KEY = 0x6D6978
#: About so many takes by each of them: fewer of more people cost more time, see `bench/endless_hands.py`.
TAKES_EACH = 52


@dataclass(frozen=True)
class Mix:
    """What new synthetic people add to every epoch of a training.

    signs: by label, the sign that its class is, as a place in the alphabet from 0, or 26 for no sign; None for a class
    that synthetic hands can't sign. share: part of an epoch's takes that is synthetic, 0 to 0.95, where all classes
    have a sign; else of the takes of those that have. least: synthetic takes an epoch, at least. alone: the
    recorded takes are themselves synthetic, and as many new ones replace all of them. length: says how long takes last;
    None: as long as the recorded ones. stream: another one has other people. Raises ConfigError for other values.

    All classes that have a sign get the same number of takes, or one more, and the people of an epoch depend on the
    seed of the training, the stream and the epoch's number alone.
    """

    signs: tuple[int | None, ...]
    share: float = 0.5
    least: int = 0
    alone: bool = False
    length: SynthConfig | None = None
    stream: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.share <= MOST_SHARE or self.least < 0:
            raise ConfigError(
                f"mix: share is {self.share}, least {self.least}; expected 0 to {MOST_SHARE}, and 0 or more takes"
            )
        known = range(len(SynthConfig(no_sign=True).class_names))
        if not self.labels or any(sign is not None and sign not in known for sign in self.signs):
            raise ConfigError(f"mix: signs are {self.signs}; expected 0 to {known[-1]} or None, and one that is a sign")

    @classmethod
    def of_classes(cls, class_names: Sequence[str], share: float = 0.5, least: int = 0) -> Mix:
        """For recordings whose classes are called by letters, in either case, or some of them. Raises DataError where
        none is."""
        letters = SynthConfig().class_names
        found = [as_letter(name) for name in class_names]
        if not any(found):
            raise DataError("mix: synthetic hands sign the letters A to Z, and no class is called by one")
        return cls(tuple(None if letter is None else letters.index(letter) for letter in found), share, least)

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels of the classes that synthetic people sign."""
        return tuple(label for label, sign in enumerate(self.signs) if sign is not None)

    def apart(self) -> Mix:
        """The same by other people, for a model that learns from one that these have taught."""
        return replace(self, stream=self.stream + 1)

    def counts(self, recorded: I64) -> tuple[int, int]:
        """Recorded and synthetic takes of an epoch. recorded: labels of the recorded takes, int64 (takes,)."""
        if self.alone:
            return 0, max(len(recorded), self.least)
        signed = int(np.isin(recorded, self.labels).sum())
        return len(recorded), max(round(signed * self.share / (1.0 - self.share)), self.least)

    def new_takes(self, takes: int, sequence_length: int, seed: int, epoch: int) -> tuple[F32, I64]:
        """Takes by an epoch's new people: raw landmarks float32 (takes, sequence_length, 63), labels int64 (takes,)."""
        rng = np.random.default_rng(self._seed(seed, epoch))
        labels = self._labels(takes, rng)
        if not takes:
            return np.zeros((0, sequence_length, HAND_FEATURES), np.float32), labels
        each = self._rounds * len(self.labels)
        own = [np.sort(labels[start : start + each]) for start in range(0, takes, each)]
        table = np.array([-1 if sign is None else sign for sign in self.signs])
        seeds = [self._seed(seed, epoch, person) for person in range(len(own))]
        length = self.length or takes_like(sequence_length)
        frames = min(sequence_length, length.max_frames)
        sequences, lengths = record_people([table[each] for each in own], seeds, length, frames)
        return fit_length(sequences, lengths, sequence_length), np.concatenate(own)

    @property
    def _rounds(self) -> int:
        """How often a person signs every class."""
        return max(1, round(TAKES_EACH / len(self.labels)))

    def _labels(self, takes: int, rng: np.random.Generator) -> I64:
        """Every class in turn; who is the last signs only some, at random."""
        each = np.array(self.labels, dtype=np.int64)
        rest = takes % len(each)
        return np.concatenate([np.tile(each, takes // len(each)), rng.permutation(each)[:rest]])

    def _seed(self, seed: int, *place: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(seed, spawn_key=(SPAWN_KEY, self.stream, *place))


def mix_for(config: DataConfig, recordings: Recordings) -> Mix | None:
    """What the settings say for recordings; "auto": where every class is called by a letter and a frame is one hand.
    None for no synthetic takes. Raises DataError where they are said and can't be made."""
    if config.mix == "none" or not (config.mix_share or config.mix_least):
        return None
    refuse_mix(config, recordings)
    if config.mix == "auto" and not _all_letters(config, recordings):
        return None
    return Mix.of_classes(recordings.class_names, config.mix_share, config.mix_least)


def letters_signed(config: DataConfig, recordings: Recordings, synth: SynthConfig | None = None) -> Mix | None:
    """Which letters the classes are, for a model that learns when nobody signs; None where it shall not, or can't.
    synth: where the recordings are themselves the embedded hands."""
    if config.no_sign == "none" or not _all_letters(config, recordings):
        return None
    return replace(Mix.of_classes(recordings.class_names), length=synth)


def mix_of_synthetic(config: DataConfig, synth: SynthConfig) -> Mix | None:
    """What the settings say where the recordings are themselves the embedded hands: other people in every epoch."""
    if config.mix == "none" or not (config.mix_share or config.mix_least):
        return None
    signs = tuple(range(len(synth.class_names)))
    return Mix(signs, config.mix_share, config.mix_least, alone=True, length=synth)


def refuse_mix(config: DataConfig, recordings: Recordings) -> None:
    """Raises DataError, before anything is trained, where synthetic takes are said and can't be made."""
    if config.mix == "synthetic":
        refuse_unlike("data.mix synthetic", "leave it out, or use --set data.mix=none", recordings)


def _all_letters(config: DataConfig, recordings: Recordings) -> bool:
    hand = recordings.features == HAND_FEATURES and config.preprocessing != "standard"
    return hand and all(as_letter(name) for name in recordings.class_names)
