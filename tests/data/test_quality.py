from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.data import Recordings, check_recordings, load_leniently, load_recordings, split_recordings
from edgekit.errors import DataError

Make = Callable[..., Recordings]


def test_good_recordings_raise_no_warning(make: Make) -> None:
    labels = [0] * 50 + [1] * 50
    names = {"signer": np.array(["a"] * 100), "session": np.array(["2024-01-01-x"] * 100)}
    report = check_recordings(make(labels, **names))
    assert report.warnings == ()
    assert report.takes_per_class == {"A": 50, "B": 50}
    assert report.takes_per_signer == {"a": 100}
    assert report.frames == 400


def test_takes_without_hands_are_listed(make: Make) -> None:
    sequences = np.ones((4, 4, 63), np.float32)
    sequences[0] = 0  # empty
    sequences[1, :3] = 0  # mostly lost
    sequences[2, 3] = 0  # ends lost
    sequences[3, 2:] = 0  # padding, not lost
    report = check_recordings(make([0] * 4, sequences=sequences, lengths=np.array([4, 4, 4, 2])))
    assert report.empty_takes == (0,)
    assert report.sparse_takes == (1,)
    assert report.ends_without_hand == (2,)
    assert report.frames == 14
    assert report.frames_without_hand == 4 + 3 + 1
    assert any("take 0: record again" in warning for warning in report.warnings)


def test_rare_and_missing_classes_are_named(make: Make) -> None:
    report = check_recordings(make([0] * 160 + [1] * 50 + [3] * 2))
    assert report.few_takes == ("C", "D")
    text = " ".join(report.warnings)
    assert "no takes of C" in text
    assert "D (2)" in text
    assert "160 takes of A, 2 of D" in text
    assert "signer and session unknown" in text


def test_frozen_hands_are_listed(make: Make) -> None:
    """A hand is frozen where more than half of its steps change nothing; lost frames and padding are no steps."""
    x = np.random.default_rng(0).uniform(0.1, 0.9, (5, 7, 63)).astype(np.float32)
    x[0, 1:] = x[0, 0]  # never moves
    x[1, :5] = x[1, 0]  # four of six steps
    x[2, :4] = x[2, 0]  # three of six
    x[3, :, :] = 0  # no hand
    x[4, [0, 2, 4]] = x[4, 0]  # no neighbours among them
    x[4, 5:] = 0  # padding
    report = check_recordings(make([0] * 5, sequences=x, lengths=np.array([7, 7, 7, 7, 5])))
    assert report.frozen_takes == (0, 1)
    assert any("does not move in take 0, 1" in warning for warning in report.warnings)


def test_identical_takes_are_grouped_and_those_of_two_classes_named(make: Make) -> None:
    recordings = make([0, 0, 0, 1, 1, 1], frames=5)
    x, lengths = recordings.sequences.copy(), recordings.lengths.copy()
    x[2] = x[0]
    x[4] = x[3] = x[1]
    x[5] = 0
    lengths[4] = 4  # not the same take as 1 and 3
    x[4, 4:] = 0
    report = check_recordings(replace(recordings, sequences=x, lengths=lengths))
    assert report.duplicates == ((0, 2), (1, 3))
    assert report.duplicates_across_classes == ((1, 3),)
    assert report.take_labels[3] == "B"


def test_takes_without_a_hand_are_no_duplicates(make: Make) -> None:
    assert check_recordings(make([0, 0], sequences=np.zeros((2, 4, 63), np.float32))).duplicates == ()


def test_findings_of_a_class_are_counted_once_a_take(make: Make) -> None:
    recordings = make([0, 0, 1])
    x = recordings.sequences.copy()
    x[1] = x[0] = x[0, 0]
    report = check_recordings(replace(recordings, sequences=x))
    assert report.frozen_takes == (0, 1)
    assert report.duplicates == ((0, 1),)
    assert {name: row.listed for name, row in report.per_class.items()} == {"A": 2, "B": 0}


def test_takes_are_called_by_their_names_where_they_have_some(make: Make) -> None:
    x = np.ones((2, 4, 63), np.float32)
    x[1] = 0
    report = check_recordings(make([0, 0], sequences=x, take_names=np.array(["A/mon", "A/tue"])))
    assert report.take_names[1] == "A/tue"


def test_numbers_that_are_none_are_listed_and_refused(make: Make, tmp_path: Path) -> None:
    sequences = make([0] * 60).sequences.copy()
    sequences[7, 2, 5] = np.nan
    sequences[9, 0, 0] = np.inf
    np.savez(tmp_path / "a.npz", sequences=sequences, labels=np.zeros(60, np.int64), class_names=["A"])
    with pytest.raises(DataError, match="take 7, frame 2"):
        load_recordings(tmp_path / "a.npz")
    report = check_recordings(*load_leniently(tmp_path / "a.npz"))
    assert [(bad.take, bad.frame) for bad in report.non_finite] == [(7, 2), (9, 0)]
    assert report.frames_without_hand == 2
    assert report.refusals[0] == "NaN, infinite or impossible numbers in take 7, 9: record again or drop"


@pytest.mark.parametrize(
    ("labels", "refused"), [([0, 0, 0, 1], True), ([0, 0, 1, 1], True), ([0] * 3 + [1] * 3, False)]
)
def test_what_the_split_refuses_is_foretold(labels: list[int], refused: bool, make: Make) -> None:
    """A class needs two takes to train on beside its test takes."""
    recordings = make(labels)
    assert bool(check_recordings(recordings).refusals) == refused
    if refused:
        with pytest.raises(DataError, match="single take"):
            split_recordings(recordings)


def test_recordings_without_any_hand_are_refused(make: Make) -> None:
    report = check_recordings(make([0] * 5, sequences=np.zeros((5, 4, 63), np.float32)))
    assert "no frame has a hand (all numbers are zero)" in report.refusals


def test_two_hands_are_checked_like_one(make: Make) -> None:
    """A second hand that was never found is no lost frame."""
    x = make([0] * 60, features=126).sequences.copy()
    x[:, :, 63:] = 0
    x[3] = 0
    report = check_recordings(make([0] * 60, sequences=x))
    assert report.empty_takes == (3,)
    assert report.frames_without_hand == 4


def test_the_report_is_json(make: Make) -> None:
    report = check_recordings(make([0, 1]))
    again = json.loads(json.dumps(report.to_dict()))
    assert again["takes_per_class"] == {"A": 1, "B": 1}
    assert again["few_takes"] == ["A", "B"]


def test_real_recordings_name_the_empty_take(real: Recordings) -> None:
    report = check_recordings(real)
    assert report.empty_takes == (952,)
    assert len(report.ends_without_hand) == 26
    assert report.frames_without_hand == 633
    assert report.refusals == ()
    assert report.frozen_takes == report.duplicates == ()
    assert report.few_takes == ()
    assert any("952" in warning for warning in report.warnings)
