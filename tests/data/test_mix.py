"""Which synthetic takes an epoch holds, and by whom; training with them is in tests/train/test_mixed_epochs.py."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pytest

from edgekit.data import (
    DataConfig,
    Mix,
    Recordings,
    SynthConfig,
    fit_length,
    frames_seen,
    mix_for,
    mix_of_synthetic,
    refuse_mix,
    synthesise_hands,
)
from edgekit.data.mix import SPAWN_KEY, TAKES_EACH
from edgekit.errors import ConfigError, DataError
from edgekit.train.pretraining import OTHER_PEOPLE

ALPHABET = Mix.of_classes("ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def recordings(names: tuple[str, ...], features: int = 63) -> Recordings:
    x = np.ones((8, 4, features), np.float32)
    return Recordings(x, np.full(8, 4), np.arange(8) % len(names), names, None, None, "signs.npz")


def config(mix: str, **more: Any) -> DataConfig:
    return DataConfig(mix=mix, **more)  # type: ignore[arg-type]


# How many.


@pytest.mark.parametrize(("share", "synthetic"), [(0.0, 0), (0.25, 10), (0.5, 30), (0.8, 120), (0.95, 570)])
def test_the_share_is_a_part_of_the_whole_epoch(share: float, synthetic: int) -> None:
    labels = np.arange(30) % 26
    assert Mix.of_classes("ABCDEFGHIJKLMNOPQRSTUVWXYZ", share).counts(labels) == (30, synthetic)


def test_of_classes_only_some_of_which_are_letters_the_letters_takes_count() -> None:
    """Else a single letter among words would fill half of every epoch."""
    mix = Mix.of_classes(("wave", "l", "hello", "B"), 0.5)
    assert mix.signs == (None, 11, None, 1)
    assert mix.counts(np.array([0, 0, 0, 0, 1, 1, 3, 2])) == (8, 3)


def test_there_is_a_least_number_for_those_with_few_takes() -> None:
    labels = np.arange(130) % 26
    assert Mix(ALPHABET.signs, 0.5, least=500).counts(labels) == (130, 500)
    assert Mix(ALPHABET.signs, 0.5, least=100).counts(labels) == (130, 130)


def test_where_the_recorded_takes_are_synthetic_new_ones_replace_all_of_them() -> None:
    labels = np.arange(130) % 26
    assert Mix(ALPHABET.signs, 0.2, alone=True).counts(labels) == (0, 130)
    assert Mix(ALPHABET.signs, 0.2, least=200, alone=True).counts(labels) == (0, 200)


@pytest.mark.parametrize("takes", [0, 1, 26, 77, 260])
def test_exactly_so_many_takes_are_made_of_every_class_alike(takes: int) -> None:
    x, labels = ALPHABET.new_takes(takes, 30, 0, 0)
    assert (x.shape, x.dtype, labels.shape) == ((takes, 30, 63), np.float32, (takes,))
    counts = np.bincount(labels, minlength=26)
    assert set(counts) <= {takes // 26, -(-takes // 26)}
    assert np.isfinite(x).all()


def test_only_classes_that_synthetic_hands_can_sign_are_made() -> None:
    mix = Mix.of_classes(("wave", "l", "hello", "B"))
    _, labels = mix.new_takes(101, 30, 0, 0)
    assert np.unique(labels).tolist() == [1, 3]
    assert sorted(np.bincount(labels)[[1, 3]]) == [50, 51]


# By whom.


def test_an_epochs_takes_depend_on_seed_epoch_and_stream_alone() -> None:
    first = ALPHABET.new_takes(120, 30, 3, 7)
    ALPHABET.new_takes(50, 30, 3, 6)
    again = pickle.loads(pickle.dumps(ALPHABET)).new_takes(120, 30, 3, 7)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    for other in (ALPHABET.new_takes(120, 30, 3, 8), ALPHABET.new_takes(120, 30, 4, 7),
                  ALPHABET.apart().new_takes(120, 30, 3, 7)):  # fmt: skip
        assert not same_takes(first[0], other[0])


def same_takes(some: np.ndarray[Any, Any], others: np.ndarray[Any, Any]) -> set[bytes]:
    """Takes that are in both."""
    return {take.tobytes() for take in some} & {take.tobytes() for take in others}


def test_no_person_is_met_anywhere_else() -> None:
    """Not among the embedded hands, nor in pretraining or what that is validated on, nor in another epoch."""
    own = [ALPHABET._seed(seed, epoch, k) for seed in range(3) for epoch in range(20) for k in range(4)]
    own += [ALPHABET.apart()._seed(seed, epoch, k) for seed in range(3) for epoch in range(20) for k in range(4)]
    roots = [SPAWN_KEY, *range(3), *(seed + OTHER_PEOPLE for seed in range(3))]
    elsewhere = [seed for root in roots for seed in np.random.SeedSequence(root).spawn(150)]
    states = [tuple(seed.generate_state(4)) for seed in (*own, *elsewhere)]
    assert len(set(states)) == len(states)
    assert own[0].spawn_key == (SPAWN_KEY, 0, 0, 0)
    assert {len(seed.spawn_key) for seed in elsewhere} == {1}


def test_takes_of_the_embedded_hands_are_not_among_them() -> None:
    made = synthesise_hands(SynthConfig(people=3, takes_per_letter=2))
    embedded = fit_length(made.sequences, made.lengths, 30)
    new, _ = mix_of_synthetic(config("auto"), SynthConfig()).new_takes(156, 30, 0, 0)  # type: ignore[union-attr]
    assert not same_takes(embedded, new)


def test_an_epoch_has_several_people_each_with_a_hand_of_their_own() -> None:
    x, labels = ALPHABET.new_takes(3 * TAKES_EACH, 30, 0, 0)
    b = x[labels == 1].reshape(-1, 2, 30, 21, 3)[:, :, 10:15]
    size = np.linalg.norm(b[..., 9, :2] - b[..., 0, :2], axis=-1).max(axis=2)  # 0 where the hand is lost
    assert len(b) == 3
    assert np.ptp(size, axis=1).max() < np.ptp(size.mean(axis=1)), "takes of one person and camera are alike"


# What their takes look like.


def test_labels_are_what_the_hands_sign() -> None:
    """1-nearest-neighbour against hands of known letters: far above chance (0.33)."""
    mix = Mix.of_classes(("L", "wave", "b", "Y"))
    made = synthesise_hands(SynthConfig(people=12, takes_per_letter=2))
    known = fit_length(made.sequences, made.lengths, 30)[:, 15]
    new, labels = mix.new_takes(150, 30, 0, 0)
    letters = np.array([11, -1, 1, 24])
    mine = np.isin(made.labels, letters)
    distance = np.linalg.norm(_shape(new[:, 15])[:, None] - _shape(known[mine])[None], axis=2)
    assert (made.labels[mine][distance.argmin(axis=1)] == letters[labels]).mean() > 0.8


def _shape(frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Of hands (takes, 63): distances of the fingertips from wrist and middle knuckle, in hand sizes."""
    points = frames.reshape(-1, 21, 3)[..., :2]
    size = np.linalg.norm(points[:, 9] - points[:, 0], axis=1)[:, None] + 1e-6
    tips = points[:, [4, 8, 12, 16, 20]]
    shape: np.ndarray[Any, Any] = np.concatenate(
        [np.linalg.norm(tips - points[:, None, k], axis=2) / size for k in (0, 9)], axis=1
    )
    return shape


@pytest.mark.parametrize("frames", [2, 12, 30, 90])
def test_takes_last_as_long_as_the_recordings(frames: int) -> None:
    x, _ = ALPHABET.new_takes(104, frames, 0, 0)
    moving = (x[:, 1:] != x[:, :-1]).any(axis=2).mean()
    assert frames_seen(x).mean() > 0.95
    assert moving > 0.75, "few of the frames that are read are a last one, repeated"


def test_a_take_that_is_cut_is_not_made_to_its_end() -> None:
    """Hands leave at the end of some takes; where the end is lost, so is that."""
    long = SynthConfig(min_frames=200, max_frames=200)
    x, _ = Mix(ALPHABET.signs, length=long).new_takes(104, 30, 0, 0)
    assert x.shape == (104, 30, 63)
    assert frames_seen(x).mean() > 0.95


# What the settings say.


@pytest.mark.parametrize(
    ("names", "features", "more", "expected"),
    [
        (("A", "b", "Z"), 63, {}, True),
        (("A", "wave"), 63, {}, False),
        (("A", "b"), 126, {}, False),
        (("A", "b"), 63, {"preprocessing": "standard"}, False),
        (("A", "b"), 63, {"mix_share": 0.0}, False),
        (("A", "b"), 63, {"mix_share": 0.0, "mix_least": 5}, True),
    ],
)
def test_auto_is_for_letters_of_one_hand(
    names: tuple[str, ...], features: int, more: dict[str, Any], expected: bool
) -> None:
    assert (mix_for(config("auto", **more), recordings(names, features)) is not None) == expected
    assert mix_for(config("none", **more), recordings(names, features)) is None


def test_the_embedded_hands_are_mixed_with_their_like() -> None:
    synth = SynthConfig(no_sign=True, min_frames=5, max_frames=9)
    mix = mix_of_synthetic(config("auto"), synth)
    assert mix is not None
    assert mix.alone
    x, labels = mix.new_takes(54, 9, 0, 0)
    assert np.unique(labels).tolist() == list(range(27))
    assert x.shape == (54, 9, 63)
    assert mix_of_synthetic(config("none"), synth) is None


def test_a_mix_that_is_said_takes_the_classes_that_are_letters() -> None:
    mix = mix_for(config("synthetic", mix_share=0.25), recordings(("wave", "b")))
    assert mix == Mix((None, 1), 0.25)


@pytest.mark.parametrize(
    ("names", "features", "words"),
    [
        (("hello", "no"), 63, "letters A to Z, and no class of signs.npz is called by one (hello, no); leave it out"),
        (("A", "B"), 126, "synthetic hands have 63 numbers per frame, signs.npz 126 (two hands); leave it out, or use"),
    ],
)
def test_a_mix_that_is_said_and_can_not_be_made_is_refused(names: tuple[str, ...], features: int, words: str) -> None:
    for ask in (refuse_mix, mix_for):
        with pytest.raises(DataError, match=rf"^data\.mix synthetic: .*{re.escape(words)}"):
            ask(config("synthetic"), recordings(names, features))
    refuse_mix(config("auto"), recordings(names, features))


def test_impossible_mixes_are_refused() -> None:
    for signs, share, least in (((None, None), 0.5, 0), ((27,), 0.5, 0), ((1,), 0.96, 0), ((1,), 0.5, -1)):
        with pytest.raises(ConfigError, match=r"^mix: .*expected"):
            Mix(signs, share, least)
    with pytest.raises(DataError, match="no class is called by one"):
        Mix.of_classes(("hello",))
