"""The rule of confident learning, and one entry a take whoever names it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.data import OutOfFold, Recordings, class_thresholds, confident_classes
from edgekit.data.disagreement import Disagreement
from edgekit.data.mislabels import join_finders

P = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.15, 0.85], [np.nan, np.nan]])
LABELS = np.array([0, 0, 1, 1, 0, 0])


def test_thresholds_are_the_mean_self_confidence_of_each_class() -> None:
    np.testing.assert_allclose(class_thresholds(P, LABELS), [(0.9 + 0.7 + 0.15) / 3, (0.8 + 0.6) / 2])
    assert class_thresholds(P[:2], LABELS[:2])[1] == np.inf


def test_only_classes_above_their_own_threshold_count_and_nan_is_never_judged() -> None:
    assert confident_classes(P, LABELS).tolist() == [0, 0, 1, -1, 1, -1]  # 0.6 is below the mean 0.7 of class 1


def test_each_take_is_listed_once_with_all_that_named_it(make: Callable[..., Recordings]) -> None:
    recordings = make(LABELS.tolist())
    near = (Disagreement(4, "A", "B", 5, 2.0), Disagreement(5, "A", "B", 4, 2.5))
    both, alone = join_finders(recordings, near, OutOfFold(P, ""))
    assert (both.take, both.found_by, both.probability) == (4, ("neighbours", "out-of-fold"), 0.85)
    assert (alone.take, alone.found_by, alone.probability) == (5, ("neighbours",), None)
    (only,) = join_finders(recordings, (), OutOfFold(P, ""))
    assert (only.take, only.found_by, only.looks_like, only.agreeing) == (4, ("out-of-fold",), "B", None)
