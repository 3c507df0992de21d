"""Whether outputs are in the order that they are taken to be in: permuted, exchanged, guessed, and too few to tell."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edgekit.evaluate import OrderCheck, check_order, complaint, doubt

I64 = NDArray[np.int64]


def answers(labels: I64, classes: int, accuracy: float, outputs: I64 | None = None, seed: int = 0) -> I64:
    """Of a model that knows so many takes and guesses at the rest; outputs: where it has each class."""
    rng = np.random.default_rng(seed)
    known = np.where(rng.random(len(labels)) < accuracy, labels, rng.integers(0, classes, len(labels)))
    return known if outputs is None else outputs[known]


def check(classes: int, takes: int, accuracy: float, outputs: I64 | None = None, seed: int = 0) -> OrderCheck:
    """takes: of each class."""
    labels = np.repeat(np.arange(classes), takes)
    return check_order(answers(labels, classes, accuracy, outputs, seed), labels, classes)


def turned(classes: int, some: int) -> I64:
    """The first `some` classes' outputs each one place on."""
    outputs = np.arange(classes)
    outputs[:some] = np.roll(outputs[:some], 1)
    return outputs


@pytest.mark.parametrize("classes", [2, 3, 26])
@pytest.mark.parametrize(("accuracy", "takes"), [(0.93, 50), (0.97, 20), (1.0, 10)])
def test_a_permuted_model_is_found_and_told_its_order(classes: int, accuracy: float, takes: int) -> None:
    found = check(classes, takes, accuracy, turned(classes, classes))
    assert found.verdict == "other order"
    assert found.accuracy < found.accuracy_otherwise
    assert found.accuracy_otherwise == pytest.approx(accuracy + (1 - accuracy) / classes, abs=0.12)
    assert np.array_equal(found.order, turned(classes, classes))
    names = [f"sign {k}" for k in range(classes)]
    assert found.names(names)[int(found.order[0])] == "sign 0"


def test_two_exchanged_classes_are_found_where_they_are_most_of_the_errors_and_doubted_otherwise() -> None:
    assert check(26, 50, 0.99, turned(26, 2)).verdict == "other order"
    found = check(26, 50, 0.93, turned(26, 2))
    assert found.verdict == "fits"
    assert "with some of its outputs exchanged" in str(doubt(found))


def test_a_model_that_takes_a_few_signs_of_other_people_for_each_other_is_doubted_but_not_accused() -> None:
    """As good models do with whole people: letters of real signers, up to 42 % of the errors."""
    outputs = np.arange(26)
    outputs[[9, 13, 19, 23, 25]] = [23, 19, 9, 25, 13]
    labels = np.repeat(np.arange(26), 30)
    given = answers(labels, 26, 0.72, outputs)
    found = check_order(given, labels, 26)
    assert found.accuracy_otherwise - found.accuracy > 0.1
    assert found.verdict == "fits"
    assert complaint(found, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", named=False) is None
    assert "check their order" in str(doubt(found))


@pytest.mark.parametrize("classes", [2, 3, 26, 100])
@pytest.mark.parametrize("accuracy", [0.3, 0.6, 0.93])
def test_a_model_in_its_own_order_is_never_accused(classes: int, accuracy: float) -> None:
    """Whatever the luck of its wrong answers, and however few takes there are."""
    for takes in (1, 2, 4, 10, 50):
        for seed in range(20):
            assert check(classes, takes, accuracy, seed=seed).verdict != "other order"


def test_a_model_that_guesses_is_called_so_and_one_that_knows_a_fifth_is_not() -> None:
    assert check(26, 20, 0.0).verdict == "guessing"
    assert check(26, 20, 0.2).verdict == "fits"
    assert check(26, 200, 0.05).verdict == "guessing", "certainly better than chance, and by nothing"
    assert check(2, 100, 0.0).verdict == "guessing"


def test_one_answer_to_everything_is_guessing_however_common_that_class_is() -> None:
    labels = np.repeat([0, 1], [900, 100])
    assert check_order(np.zeros(1000, np.int64), labels, 2).verdict == "guessing"
    assert check_order(np.ones(1000, np.int64), labels, 2).verdict == "guessing"


def test_a_good_model_of_a_rare_class_is_no_guesser_though_the_common_answer_is_right_more_often() -> None:
    labels = np.repeat([0, 1], [900, 100])
    assert check_order(answers(labels, 2, 0.7), labels, 2).verdict == "fits"


@pytest.mark.parametrize(("labels", "given"), [([0, 1], [0, 1]), ([0, 0, 1, 1], [0, 1, 1, 1]), ([0, 1, 2], [0, 2, 1])])
def test_few_takes_decide_nothing_and_that_is_said(labels: list[int], given: list[int]) -> None:
    found = check_order(np.array(given), np.array(labels), 3)
    assert found.verdict == "unclear"
    assert complaint(found, "AB", named=False) is None
    assert "too few takes to check the order of its outputs" in str(doubt(found))


def test_a_single_take_can_be_judged() -> None:
    assert check_order(np.array([0]), np.array([0]), 3).verdict == "unclear"


def test_what_is_wrong_is_said_with_figures_and_the_option() -> None:
    text = complaint(check(3, 50, 1.0, turned(3, 3)), ("A", "B", "C"), named=False)
    assert text is not None
    for words in (
        "in the data's order of classes are right on 0.0 % of 150 takes",
        "on 100.0 %",
        "takes B, C, A;",
    ):
        assert words in text
    assert "--class-names NAME,NAME,..." in text
    assert "by its class names" in str(complaint(check(3, 50, 0.0), ("A", "B", "C"), named=True))
    assert complaint(check(3, 50, 0.93), ("A", "B", "C"), named=False) is None
    assert doubt(check(3, 50, 0.93)) is None


def test_the_order_that_is_found_is_the_best_assignment() -> None:
    """Greedy against scipy's, wherever the model is right more often than wrong: as many takes, to one in fifty."""
    optimize = pytest.importorskip("scipy.optimize")
    for seed in range(20):
        labels = np.repeat(np.arange(12), 10)
        given = answers(labels, 12, 0.6, np.random.default_rng(seed).permutation(12), seed)
        votes = np.zeros((12, 12))
        np.add.at(votes, (labels, given), 1)
        rows, columns = optimize.linear_sum_assignment(-votes)
        best = votes[rows, columns].sum()
        order = check_order(given, labels, 12).order
        assert sorted(order) == list(range(12))
        assert votes[np.arange(12), order].sum() >= 0.98 * best


def test_many_classes_take_no_time() -> None:
    labels = np.arange(4000) % 2000
    assert check_order(np.roll(labels, 2000), labels, 2000).verdict == "fits"
