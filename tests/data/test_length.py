from __future__ import annotations

import numpy as np
import pytest

from edgekit.data import Recordings, fit_length, frames_seen
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
