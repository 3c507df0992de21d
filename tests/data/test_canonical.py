"""The form in which models read takes: what a picture's shape and its hand's side change is taken out, once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import edgekit
from edgekit.data import (
    DataConfig,
    Recordings,
    canonical_landmarks,
    canonical_takes,
    check_recordings,
    fit_length,
    load_recordings,
    normalise_hands,
)
from edgekit.data.canonical import CANONICAL_ASPECT
from edgekit.data.disagreement import pose_vectors
from edgekit.data.findings import own_frames_seen
from edgekit.errors import DataError
from edgekit.predict import _read_takes
from edgekit.report import quality_text
from edgekit.workdir.dataset import prepare_dataset

Make = Callable[..., Recordings]
F32 = NDArray[np.float32]

#: What float32 rounds of numbers about 1, with room for a few operations.
ROUNDING = 1e-6
SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def picture(world: NDArray[np.float64], aspect: NDArray[np.float64], right: NDArray[np.bool_]) -> F32:
    """Landmarks as a tracker gives them of hands in space, (takes, frames, 21, 3) in picture heights about the middle
    of a picture that is `aspect` wide: x and z in widths, y in heights; the right hand is the left one in a mirror."""
    wide = aspect[:, None, None]
    x = np.where(right[:, None, None], -1.0, 1.0) * world[..., 0]
    seen = np.stack([0.5 + x / wide, 0.5 + world[..., 1], world[..., 2] / wide], axis=-1)
    return seen.reshape(len(world), -1, 63).astype(np.float32)


@pytest.fixture
def world() -> NDArray[np.float64]:
    """6 moving hands in space, with a frame that shows none to be set by who needs it."""
    return np.random.default_rng(0).uniform(-0.3, 0.3, (6, 5, 21, 3))


WIDE = np.array([4 / 3, 16 / 9, 1.0, 9 / 16, 16 / 9, 4 / 3])
RIGHT = np.array([False, False, False, True, True, True])
HANDS = np.where(RIGHT, "R", "L")
REFERENCE = np.full(6, 4 / 3)


def test_pictures_of_every_shape_and_both_hands_give_the_same_landmarks(world: NDArray[np.float64]) -> None:
    left = picture(world, REFERENCE, np.zeros(6, bool))
    seen = picture(world, WIDE, RIGHT)
    canonical = canonical_landmarks(seen, HANDS, WIDE.astype(np.float32))
    np.testing.assert_allclose(canonical, left, rtol=0, atol=ROUNDING)
    assert np.abs(seen - left)[1:].max(axis=(1, 2)).min() > 0.05, "the pictures themselves differ"


def test_so_does_what_the_first_layer_reads_displacement_included(world: NDArray[np.float64]) -> None:
    """The wrist's way across the picture is as wide as the hand, whatever the picture was."""
    left = normalise_hands(picture(world, REFERENCE, np.zeros(6, bool)), displacement=True)
    canonical = canonical_landmarks(picture(world, WIDE, RIGHT), HANDS, WIDE.astype(np.float32))
    normalised = normalise_hands(canonical, displacement=True)
    np.testing.assert_allclose(normalised, left, rtol=0, atol=50 * ROUNDING)  # divided by hand sizes from 0.04 on
    assert np.abs(left[:, 1:, 0]).min() > 0.01, "wrists move"


def test_about_which_line_pictures_are_widened_changes_nothing_that_is_read(world: NDArray[np.float64]) -> None:
    seen, aspect = picture(world, WIDE, RIGHT), WIDE.astype(np.float32)
    moved = (seen.reshape(6, 5, 21, 3) + np.array([0.3, 0.0, 0.0], np.float32)).reshape(seen.shape)
    here, there = (normalise_hands(canonical_landmarks(x, HANDS, aspect), True) for x in (seen, moved))
    np.testing.assert_allclose(here, there, rtol=0, atol=50 * ROUNDING)


def test_done_again_it_changes_nothing_to_the_bit(world: NDArray[np.float64]) -> None:
    once = canonical_landmarks(picture(world, WIDE, RIGHT), HANDS, WIDE.astype(np.float32))
    assert canonical_landmarks(once, np.full(6, "L"), np.full(6, CANONICAL_ASPECT)) is once


def test_a_mirrored_right_hand_is_the_left_one(world: NDArray[np.float64]) -> None:
    left = picture(world, WIDE, np.zeros(6, bool))
    mirrored = left.reshape(6, 5, 21, 3) * np.array([-1, 1, 1], np.float32) + np.array([1, 0, 0], np.float32)
    flipped = canonical_landmarks(mirrored.reshape(left.shape), np.full(6, "R"), None)
    np.testing.assert_allclose(flipped, left, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    ("hand", "aspect"),
    [(None, None), (np.full(6, ""), np.full(6, np.nan, np.float32)), (np.full(6, "L"), np.full(6, CANONICAL_ASPECT))],
)
def test_where_nothing_is_known_nothing_is_copied(hand: Any, aspect: Any, world: NDArray[np.float64]) -> None:
    seen = picture(world, WIDE, RIGHT)
    assert canonical_landmarks(seen, hand, aspect) is seen


def test_unknown_takes_beside_known_ones_stay_to_the_bit(world: NDArray[np.float64]) -> None:
    seen = picture(world, WIDE, RIGHT)
    before = seen.copy()
    aspect = np.array([np.nan, 2.0, np.nan, np.nan, 1.0, np.nan], np.float32)
    hand = np.array(["", "", "R", "", "L", "L"])
    changed = (canonical_landmarks(seen, hand, aspect) != seen).any(axis=(1, 2))
    assert changed.tolist() == [False, True, True, False, True, False]
    np.testing.assert_array_equal(seen, before, err_msg="the input is not written to")


def test_frames_without_a_hand_stay_zero(world: NDArray[np.float64]) -> None:
    seen = picture(world, WIDE, RIGHT)
    seen[:, 2] = 0.0
    canonical = canonical_landmarks(seen, HANDS, np.full(6, 0.5, np.float32))
    assert not canonical[:, 2].any()
    assert canonical[:, [0, 1, 3, 4]].any(axis=2).all()


def test_of_two_hands_the_picture_is_widened_and_neither_is_mirrored(world: NDArray[np.float64]) -> None:
    one = picture(world, np.ones(6), np.zeros(6, bool))
    both = np.concatenate([one, one[:, ::-1]], axis=2)
    both[:, 0, 63:] = 0.0
    canonical = canonical_landmarks(both, np.full(6, "R"), np.ones(6, np.float32))
    expected = canonical_landmarks(one, None, np.ones(6, np.float32))
    np.testing.assert_array_equal(canonical[..., :63], expected)
    np.testing.assert_array_equal(canonical[:, 1:, 63:], expected[:, ::-1][:, 1:])
    assert not canonical[:, 0, 63:].any()


def test_numbers_that_are_no_landmarks_stay_as_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(6, 5, 225)).astype(np.float32)
    assert canonical_landmarks(x, HANDS, WIDE.astype(np.float32)) is x


@pytest.mark.parametrize(
    ("features", "note"),
    [
        (63, None),
        (126, "hand kept, but not used: a frame holds two hands"),
        (5, "hand and aspect kept, but not used: 5 numbers per frame are neither one hand nor two"),
        (225, "hand and aspect kept, but not used: 225 numbers per frame are neither one hand nor two"),
    ],
)
def test_what_is_not_used_is_said(features: int, note: str | None, make: Make) -> None:
    recordings = make([0, 0, 1, 1], features=features, hand="R", aspect=1.0)
    notes = check_recordings(recordings).notes
    assert [text for text in notes if "not used" in text] == ([] if note is None else [note])


# Everywhere a model reads takes


def test_takes_are_fitted_and_in_canonical_form(make: Make) -> None:
    plain = make([0, 1, 0, 1])
    known = make([0, 1, 0, 1], hand=np.array(["L", "R", "", "R"]), aspect=np.array([1.0, np.nan, 16 / 9, 1.0]))
    np.testing.assert_array_equal(canonical_takes(plain, 7), fit_length(plain.sequences, plain.lengths, 7))
    expected = canonical_landmarks(fit_length(known.sequences, known.lengths, 7), known.hand, known.aspect)
    np.testing.assert_array_equal(canonical_takes(known, 7), expected)
    assert np.array_equal(known.sequences, plain.sequences), "recordings stay as recorded"


def test_numbers_that_a_wide_picture_makes_too_large_are_named_by_take(make: Make) -> None:
    """3e38 is a number of float32, and four times that is none."""
    made = make([0, 1, 0, 1], aspect=np.array([np.nan, 4 / 3, 16 / 3, 16 / 3]))
    made.sequences[3, 1, 0] = 3e38
    with pytest.raises(DataError, match=r"^test: take 3: a picture of aspect 5\.33\d* makes its numbers too large"):
        canonical_takes(made, 4)
    made.sequences[3, 1, 0], made.sequences[1, 1, 0] = 3e37, 3e38
    assert np.isfinite(canonical_takes(made, 4)).all()


def test_training_and_prediction_read_them(make: Make, tmp_path: Path) -> None:
    recordings = make([0, 1] * 10, hand="R", aspect=1.0)
    expected = canonical_takes(recordings, 30)
    dataset = prepare_dataset(recordings, DataConfig(), "digest")
    np.testing.assert_array_equal(dataset.x, expected)
    arrays = {name: getattr(recordings, name) for name in ("sequences", "labels", "hand", "aspect")}
    np.savez(tmp_path / "a.npz", class_names=np.array(recordings.class_names), **arrays)
    np.testing.assert_array_equal(_read_takes(tmp_path / "a.npz", 30)[0], expected)


def test_nobody_cuts_takes_for_a_model_but_through_it() -> None:
    """`fit_length` alone would leave out what is known of pictures; a stream and a single take know nothing."""
    package = Path(edgekit.__file__).parent
    callers = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"(?<!def )\bfit_length\(", path.read_text(encoding="utf-8"))
    }
    assert callers == {
        "data/canonical.py",
        "data/mix.py",  # nobody knows of synthetic pictures
        "live/answers.py",  # frames are canonical before they get there
        "predict.py",
    }


# What is known is said


def test_a_check_says_what_is_known(make: Make) -> None:
    text = quality_text(check_recordings(make([0, 1] * 4)))
    assert "\nhand unknown; picture shape unknown\n" in text
    hand, aspect = np.array(["L", "R", "", "R"] * 2), np.array([1.0, np.nan, 16 / 9, 1.0] * 2)
    report = check_recordings(make([0, 1] * 4, hand=hand, aspect=aspect))
    assert (report.takes_per_hand, report.picture_unknown) == ({"": 2, "L": 2, "R": 4}, 2)
    assert report.narrowest_aspect == 1.0
    assert report.widest_aspect == pytest.approx(16 / 9)
    text = quality_text(report)
    assert "\nhand: 2 L, 4 R; hand unknown for 2 of 8 takes; width / height of the picture: 1 to 1.78; picture" in text
    assert "picture shape unknown for 2 of 8 takes\n" in text
    text = quality_text(check_recordings(make([0, 1] * 4, hand="L", aspect=4 / 3)))
    assert "\nhand: 8 L; width / height of the picture: 1.33\n" in text


@pytest.mark.parametrize(("features", "shape"), [(126, True), (5, False)])
def test_a_check_asks_for_nothing_that_is_not_used(features: int, shape: bool, make: Make) -> None:
    text = quality_text(check_recordings(make([0, 1] * 4, features=features)))
    assert "hand unknown" not in text
    assert ("picture shape unknown" in text) == shape


# Real hands


@pytest.mark.slow
def test_strangers_in_square_pictures_are_nearer_to_known_people_in_canonical_form() -> None:
    """Ten people of 300 x 300 pictures against three signers and two recorders of 4:3, by the nearest neighbour: 73 %
    of their static letters as recorded, 80 % with the shape of the pictures taken out."""
    files = [SHARED / f"asl-{name}.npz" for name in ("letters", "stills", "people")]
    missing = [file.name for file in files if not file.exists()]
    if missing:
        pytest.skip(f"the real recordings are not beside this checkout ({', '.join(missing)})")
    *known, people = (load_recordings(file) for file in files)
    assert people.signer is not None
    moving = np.isin(people.labels, [people.class_names.index(letter) for letter in "JZ"])
    strangers = people.take(np.isin(people.signer, [f"p{k:02d}" for k in range(1, 11)]) & ~moving)
    vectors = np.concatenate([pose_vectors(part, own_frames_seen(part)) for part in known])
    labels = np.concatenate([part.labels for part in known])
    labels, vectors = labels[vectors.any(axis=1)], vectors[vectors.any(axis=1)]

    def accuracy(asked: Recordings) -> float:
        x = pose_vectors(asked, own_frames_seen(asked))
        nearest = ((vectors**2).sum(axis=1) - 2 * x @ vectors.T).argmin(axis=1)
        return float((labels[nearest] == strangers.labels).mean())

    assert accuracy(replace(strangers, hand=None, aspect=None)) == pytest.approx(0.731, abs=0.002)
    assert accuracy(replace(strangers, hand=None)) == pytest.approx(0.798, abs=0.002)
