"""The recordings that synthetic people make; the hand itself is in test_synthetic_hand.py."""

from __future__ import annotations

import time

import numpy as np
import pytest

from edgekit.data import LANDMARKS, Recordings, SynthConfig, check_recordings, fit_length, frames_seen, normalise_hands
from edgekit.data import synthesise_hands as synthesise
from edgekit.data.synthetic.camera import MIRRORED_RATIO
from edgekit.data.synthetic.person import LEFT_HANDED_RATIO


@pytest.fixture(scope="module")
def made() -> Recordings:
    return synthesise(SynthConfig(people=30, takes_per_letter=4))


def test_shape_order_and_labels(made: Recordings) -> None:
    assert made.sequences.shape == (30 * 26 * 4, 60, 63)
    assert made.sequences.dtype == np.float32
    assert made.synthetic
    assert "synthetic" in made.source
    assert made.class_names == tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    assert (np.bincount(made.labels) == 120).all()
    assert made.signer is not None
    assert made.session is not None
    assert all(s.startswith("synthetic-") for s in made.signer)
    assert all(session[11:] == signer for session, signer in zip(made.session, made.signer, strict=True))
    assert (made.lengths.min(), made.lengths.max()) == (20, 60)
    assert np.isfinite(made.sequences).all()


def test_one_seed_one_result() -> None:
    config = SynthConfig(people=3, takes_per_letter=2)
    assert np.array_equal(synthesise(config).sequences, synthesise(config).sequences)
    other = synthesise(SynthConfig(people=3, takes_per_letter=2, seed=1))
    assert not np.array_equal(synthesise(config).sequences, other.sequences)


def test_a_person_does_not_depend_on_how_many_there_are() -> None:
    few, many = (synthesise(SynthConfig(people=n, takes_per_letter=2)) for n in (1, 3))
    assert np.array_equal(few.sequences, many.sequences[: few.takes])
    assert np.array_equal(few.lengths, many.lengths[: few.takes])


def test_coordinates_are_those_of_a_tracker(made: Recordings) -> None:
    seen = frames_seen(made.sequences)
    hands = made.sequences[seen].reshape(-1, LANDMARKS, 3)
    assert (hands[:, 0, 2] == 0).all(), "depth is relative to the wrist"
    size = np.linalg.norm(hands[:, 9] - hands[:, 0], axis=1)
    assert 0.1 < np.median(size) < 0.4
    assert ((hands[..., :2] > -1.0) & (hands[..., :2] < 2.0)).mean() > 0.999
    b = hands[np.repeat(made.labels, 60).reshape(-1, 60)[seen] == made.class_names.index("B")]
    assert (b[:, 12, 1] < b[:, 9, 1]).mean() > 0.93, "y points down: raised fingers are above their base"


def test_some_hands_are_left_ones_or_mirrored_and_a_day_is_not_both() -> None:
    made = synthesise(SynthConfig(people=150, takes_per_letter=2))
    assert made.session is not None
    b = made.labels == 1
    hands = made.sequences[b, 12].reshape(-1, LANDMARKS, 3)
    right = hands[:, 5, 0] > hands[:, 17, 0]  # a right hand's palm: the index finger is to the right
    expected = MIRRORED_RATIO * (1 - LEFT_HANDED_RATIO) + LEFT_HANDED_RATIO * (1 - MIRRORED_RATIO)
    assert abs((~right).mean() - expected) < 0.1, "4 standard errors of 300 days"


def test_some_frames_are_lost_some_are_frozen_and_padding_is_zero(made: Recordings) -> None:
    report = check_recordings(made)
    assert 0.001 < report.frames_without_hand / report.frames < 0.02
    assert report.empty_takes == ()
    behind = np.arange(60) >= made.lengths[:, None]
    assert not made.sequences[behind].any()
    seen = frames_seen(made.sequences)
    same = (made.sequences[:, 1:] == made.sequences[:, :-1]).all(axis=2) & seen[:, 1:]
    assert 0.01 < same.any(axis=1).mean() < 0.1


def test_j_and_z_move_and_the_others_hold(made: Recordings) -> None:
    x = normalise_hands(fit_length(made.sequences, made.lengths, 30), True)[:, 7:, :2]  # movements into a sign are over
    path = np.linalg.norm(np.ptp(x, axis=1), axis=1)
    median = np.array([np.median(path[made.labels == k]) for k in range(26)])
    moving = {made.class_names[k] for k in np.argsort(median)[::-1][:2]}
    assert moving == {"Z", "J"}
    assert median[25] > 0.5
    assert np.delete(median, [9, 25]).max() < median[9]


def test_people_differ_but_their_letters_can_be_told(made: Recordings) -> None:
    """1-nearest-neighbour on people never seen: far above chance (0.04), and no trivial task."""
    x = fit_length(made.sequences, made.lengths, 30)
    mean = np.median(normalise_hands(x, False), axis=1)
    assert made.signer is not None
    test = made.signer >= "synthetic-25"
    squares = (mean[test] ** 2).sum(axis=1)[:, None] + (mean[~test] ** 2).sum(axis=1)
    distance = squares - 2 * mean[test] @ mean[~test].T
    accuracy = (made.labels[~test][distance.argmin(axis=1)] == made.labels[test]).mean()
    assert 0.4 < accuracy < 0.95


def test_no_sign_is_a_class_of_its_own_where_wanted() -> None:
    made = synthesise(SynthConfig(people=3, takes_per_letter=4, no_sign=True))
    assert made.class_names[-1] == "no_sign"
    assert (np.bincount(made.labels) == 12).all()
    assert len(made.class_names) == 27


@pytest.mark.parametrize(
    "changes", [{"people": 0}, {"takes_per_letter": 1}, {"min_frames": 1}, {"min_frames": 30, "max_frames": 20}]
)
def test_impossible_settings_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"people|takes_per_letter|min_frames"):
        SynthConfig(**changes)


@pytest.mark.parametrize("frames", [2, 7])
def test_takes_of_one_length_are_possible(frames: int) -> None:
    made = synthesise(SynthConfig(people=1, takes_per_letter=2, min_frames=frames, max_frames=frames))
    assert made.sequences.shape[1] == frames
    assert (made.lengths == frames).all()


def test_thousands_of_takes_a_second() -> None:
    """20,000 on two free cores; processor time, and a quarter of it, so that a busy machine does not fail."""
    config = SynthConfig(people=10, takes_per_letter=8, min_frames=30, max_frames=30)
    begin = time.process_time()
    takes = synthesise(config).takes
    assert takes / (time.process_time() - begin) > 2500
