"""Metrics: against scikit-learn, and by class name."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from edgekit.errors import DataError, ShapeError
from edgekit.evaluate import evaluate_model, evaluate_predictions, map_labels, predict_batches

NAMES = ("A", "B", "C", "D")


def _one_hot_predictor(x: np.ndarray) -> np.ndarray:
    """Logits that are highest at the class written in each take's first number."""
    return np.eye(4, dtype=np.float32)[x[:, 0, 0].astype(int)]


def _takes(classes: list[int]) -> np.ndarray:
    return np.array(classes, dtype=np.float32).reshape(-1, 1, 1).repeat(3, axis=1)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_agree_with_scikit_learn(seed: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    labels, predicted = rng.integers(0, 3 + seed % 2, (2, 40))  # at times a class that never occurs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns about classes without takes; both give 0 there
        expected = sklearn.precision_recall_fscore_support(labels, predicted, labels=range(4), zero_division=0)
        confusion = sklearn.confusion_matrix(labels, predicted, labels=range(4))
    metrics = evaluate_predictions(predicted, labels, NAMES)
    got = np.array([[m.precision, m.recall, m.f1, m.support] for m in metrics.per_class.values()]).T
    np.testing.assert_allclose(got, expected, atol=1e-12)
    np.testing.assert_array_equal(metrics.confusion, confusion)
    assert metrics.accuracy == pytest.approx(sklearn.accuracy_score(labels, predicted))


def test_confusion_sums_to_takes_and_its_diagonal_to_the_hits() -> None:
    labels, predicted = np.random.default_rng(1).integers(0, 4, (2, 50))
    metrics = evaluate_predictions(predicted, labels, NAMES)
    assert metrics.confusion.sum() == metrics.takes == 50
    assert np.trace(metrics.confusion) / 50 == metrics.accuracy == np.mean(labels == predicted)


def test_the_order_of_the_recordings_classes_does_not_matter() -> None:
    """Classes are mapped by name: renumbering the recordings' classes changes nothing."""
    labels = np.array([0, 1, 2, 3, 0, 2])
    x = _takes([0, 1, 2, 3, 1, 2])
    straight = evaluate_model(_one_hot_predictor, x, labels, NAMES, NAMES)
    order = np.array([2, 0, 3, 1])
    renamed = tuple(NAMES[k] for k in order)
    shuffled = evaluate_model(_one_hot_predictor, x, np.argsort(order)[labels], renamed, NAMES)
    assert straight.to_dict() == shuffled.to_dict()
    assert straight.accuracy == pytest.approx(5 / 6)


def test_classes_that_the_model_does_not_know_are_excluded_and_counted() -> None:
    data_names = ("B", "space", "A", "unused")
    metrics = evaluate_model(_one_hot_predictor, _takes([1, 1, 0, 3]), [0, 1, 2, 1], data_names, NAMES)
    assert (metrics.accuracy, metrics.takes, metrics.excluded) == (1.0, 2, 2)
    assert metrics.excluded_classes == ("space",)


def test_no_known_class_is_an_error_that_names_both_sides() -> None:
    with pytest.raises(DataError, match=r"none of the classes.*\(space\); it knows A, B"):
        evaluate_model(_one_hot_predictor, _takes([1]), [0], ("space",), NAMES)


def test_map_labels_marks_the_unknown() -> None:
    np.testing.assert_array_equal(map_labels([0, 1, 1], ("Z", "C"), NAMES), [-1, 2, 2])


@pytest.mark.parametrize("batch", [1, 2, 7, 100])
def test_the_batch_size_does_not_change_the_result(batch: int) -> None:
    x = _takes([0, 1, 2, 3, 1, 2, 0])
    np.testing.assert_array_equal(predict_batches(_one_hot_predictor, x, batch), _one_hot_predictor(x))


def test_the_json_has_accuracy_takes_and_per_class_at_the_top() -> None:
    metrics = evaluate_predictions([0, 1, 1], [0, 1, 2], NAMES)
    read = json.loads(json.dumps(metrics.to_dict(), allow_nan=False))
    assert read["accuracy"] == pytest.approx(2 / 3)
    assert read["takes"] == 3
    assert read["per_class"]["B"] == {"precision": 0.5, "recall": 1.0, "f1": pytest.approx(2 / 3), "support": 1}


@pytest.mark.parametrize(
    ("predicted", "labels", "error"),
    [
        ([0, 1], [0], ShapeError),
        ([0, 4], [0, 1], ShapeError),
        ([0, 1], [0, -1], ShapeError),
        ([0.5], [0], ShapeError),
        ([[0]], [0], ShapeError),
        ([], [], DataError),
    ],
)
def test_unfit_labels_are_refused(predicted: list[int], labels: list[int], error: type[Exception]) -> None:
    with pytest.raises(error):
        evaluate_predictions(predicted, labels, NAMES)


def test_a_model_with_another_number_of_outputs_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"logits of shape \(1, 4\)"):
        evaluate_model(_one_hot_predictor, _takes([1]), [0], ("A",), ("A", "B"))
