from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np

from edgekit.data import Recordings, check_recordings

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
    assert report.few_takes == ()
    assert any("952" in warning for warning in report.warnings)
