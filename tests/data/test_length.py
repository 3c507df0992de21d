from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import (
    Recordings,
    SynthConfig,
    choose_length,
    fit_length,
    frames_seen,
    synthesise_hands,
    used_frames,
)
from edgekit.errors import DataError


def counting(takes: int, frames: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Frame k of every take holds k + 1."""
    return np.broadcast_to(np.arange(1.0, frames + 1)[None, :, None], (takes, frames, 2)).astype(np.float32)


@pytest.mark.parametrize(
    ("frames", "length", "expected"),
    [
        (3, 3, [1, 2, 3, 3, 3]),
        (5, 5, [1, 2, 3, 4, 5]),
        (8, 8, [1, 2, 3, 4, 5]),
        (8, 2, [1, 2, 2, 2, 2]),
        (1, 1, [1, 1, 1, 1, 1]),
    ],
)
def test_short_takes_repeat_their_last_frame_and_long_ones_keep_their_first(
    frames: int, length: int, expected: list[int]
) -> None:
    fitted = fit_length(counting(1, frames), np.array([length]), 5)
    assert fitted[0, :, 0].tolist() == expected
    assert fitted.dtype == np.float32


def test_padding_repeats_the_last_frame_with_a_hand_not_a_lost_one() -> None:
    x = counting(1, 4)
    x[0, 1] = 0
    x[0, 3] = 0
    assert fit_length(x, np.array([4]), 6)[0, :, 0].tolist() == [1, 0, 3, 0, 3, 3]


def test_frames_behind_a_take_are_never_read() -> None:
    x = counting(2, 6)
    x[:, 4:] = 99
    assert 99 not in fit_length(x, np.array([4, 3]), 10)


def test_a_take_without_a_hand_stays_zero() -> None:
    assert not fit_length(np.zeros((2, 3, 63), np.float32), np.array([3, 1]), 30).any()


def test_takes_of_many_lengths_agree_with_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 2, (20, 40, 3)).astype(np.float32)
    x[rng.random((20, 40)) < 0.3] = 0
    lengths = rng.integers(1, 41, 20)
    together = fit_length(x, lengths, 30)
    for k in range(20):
        own = x[k, : lengths[k]]
        hand = np.flatnonzero(own.any(axis=1))
        pad = own[hand[-1]] if len(hand) else np.zeros(3, np.float32)
        expected = np.concatenate([own, np.repeat(pad[None], 30, axis=0)])[:30] if len(hand) else np.zeros((30, 3))
        assert np.array_equal(together[k], expected), k


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(DataError, match="at least 1"):
        fit_length(counting(1, 3), np.array([3]), 0)
    with pytest.raises(DataError, match=r"1\.\.3"):
        fit_length(counting(1, 3), np.array([4]))


def test_no_real_take_ends_without_a_hand_but_the_empty_one(real: Recordings) -> None:
    fitted = fit_length(real.sequences, real.lengths)
    assert (~frames_seen(real.sequences)[:, -1]).sum() == 27
    assert np.flatnonzero(~frames_seen(fitted)[:, -1]).tolist() == [952]


# Which length fits.


def recordings(*classes: list[int], synthetic: bool = False) -> Recordings:
    """One class a list, one take a number: its frames, all with a hand."""
    lengths = np.concatenate([np.array(own, np.int64) for own in classes])
    x = np.ones((len(lengths), int(lengths.max()), 3), np.float32)
    x[np.arange(x.shape[1]) >= lengths[:, None]] = 0
    labels = np.repeat(np.arange(len(classes)), [len(own) for own in classes])
    names = tuple(f"class {k}" for k in range(len(classes)))
    return Recordings(x, lengths, labels, names, None, None, "made up", synthetic)


@pytest.mark.parametrize(
    ("classes", "frames", "why"),
    [
        ([[20] * 50, [20] * 50], 30, "the specification's, where takes are shorter"),
        ([[30] * 50, [12] * 50], 30, "nothing is cut"),
        ([[50] * 50, [50] * 50], 50, "whole takes"),
        ([list(range(20, 61)), list(range(20, 61))], 60, "the longest of many lengths"),
        ([[30] * 50, [60] * 50], 60, "a class that takes longer, as J does, is not cut"),
        ([[30] * 51 + [90] * 49], 90, "nor are those who sign slowly"),
        ([[30] * 90 + [90] * 10], 90, "nor are few of them"),
        ([[30] * 99 + [10_000], [30] * 100], 30, "one accident does not decide"),
        ([[30] * 4 + [10_000], [31] * 5], 31, "in a class of few takes neither"),
        ([[30] * 5, [10_000]], 30, "nor where it is all that its class has"),
        ([[30] * 95 + [900, 1000, 2000, 5000, 10_000]], 30, "nor one in twenty"),
        ([[40, 45, 50, 55, 60]], 60, "the longest of few is no accident"),
        ([[20] * 99 + [40]], 30, "twice as long as all others is one"),
        ([[400] * 10], 400, "takes may be long"),
        ([[3000] * 10], 1000, "but nobody asked for this"),
        ([[7000]], 1000, "a single take is what there is"),
    ],
)
def test_the_length_that_fits_the_takes(classes: list[list[int]], frames: int, why: str) -> None:
    assert choose_length(recordings(*classes)) == frames, why


def test_frames_without_a_hand_behind_the_last_one_with_a_hand_ask_for_nothing() -> None:
    data = recordings([80] * 10)
    data.sequences[:, 44:] = 0
    data.sequences[:, 10:20] = 0
    assert choose_length(data) == 44
    assert used_frames(data.sequences, data.lengths).tolist() == [44] * 10
    data.sequences[:] = 0
    assert choose_length(data) == 30
    assert used_frames(data.sequences, data.lengths).tolist() == [0] * 10


def test_only_the_takes_to_train_on_decide() -> None:
    data = recordings([40] * 10, [55] * 10)
    assert choose_length(data, np.arange(10)) == 40
    assert choose_length(data, np.arange(20)) == 55


def test_synthetic_hands_are_read_as_the_specification_says() -> None:
    assert choose_length(synthesise_hands(SynthConfig(people=1, takes_per_letter=2))) == 30
    assert choose_length(recordings([45, 50, 60], synthetic=True)) == 45


def test_without_a_length_takes_are_fitted_to_the_one_that_fits() -> None:
    data = recordings([50] * 3, [20] * 3)
    assert fit_length(data.sequences, data.lengths).shape == (6, 50, 3)
    short = recordings([20] * 3)
    assert fit_length(short.sequences, short.lengths).shape == (3, 30, 3)
