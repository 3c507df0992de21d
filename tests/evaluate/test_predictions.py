"""Answers that are numbers, and those that are not."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from edgekit.errors import ModelFileError
from edgekit.evaluate import Roles, are_probabilities, checked_logits, predict_batches, softmax

X = np.zeros((5, 3, 2), np.float32)


def constant(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("bad", [[np.nan, 1], [1, np.nan], [np.inf, 0], [-np.inf, -np.inf], [np.nan, np.inf]])
def test_an_answer_that_is_no_number_is_refused_with_its_take(bad: list[float]) -> None:
    """argmax would call it a class, which nobody answered."""

    def predict(x: np.ndarray) -> np.ndarray:
        return constant([[0, 1], [1, 0], bad, [0, 1], bad])[: len(x)]

    with pytest.raises(ModelFileError, match=r"to take 2 \(2 of 5 takes\)"):
        predict_batches(predict, X)


def test_minus_infinity_beside_a_number_is_the_least_there_is() -> None:
    """As of log(softmax) where a probability is 0: differences and softmax of it stay numbers, without a warning."""
    logits = checked_logits(constant([[-np.inf, 2.0], [0.0, 1.0]]), "m")
    assert np.isfinite(logits).all()
    assert logits.argmax(axis=1).tolist() == [1, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert softmax(logits)[0].tolist() == [0.0, 1.0]
        assert softmax(constant([[np.finfo(np.float32).min, np.finfo(np.float32).max]])).tolist() == [[0.0, 1.0]]


def test_probabilities_are_told_from_logits() -> None:
    assert are_probabilities(constant([[0.2, 0.8], [1.0, 0.0]]))
    assert not are_probabilities(constant([[0.2, 0.8], [0.2, 0.9]]))
    assert not are_probabilities(constant([[-0.2, 1.2]]))


def test_what_a_model_has_seen_is_counted_among_the_judged_and_said() -> None:
    roles = Roles(np.array([0, 1, 1, 2, 0]))
    seen = roles.among(np.array([True, True, False, True, True]))
    assert (seen.trained, seen.chose) == (1, 1)
    assert str(seen.note(4)).startswith("the model has learned from 1 of these 4 takes, and 1 validated its training")
    assert roles.among(np.array([True, False, False, False, True])).note(2) is None
    unknown = Roles(None, "nobody says").among(np.ones(5, np.bool_))
    assert (unknown.trained, unknown.chose) == (None, None)
    assert str(unknown.note(5)).endswith("is not known: nobody says")
